#include "pipeline/checks_internal.hpp"

#include "pipeline/plan_fields.hpp"

#include <set>

namespace gantry::pipeline {

namespace {

// The keys of a container that say something, whether or not the file's positions are known.
class UsedKeys {
public:
    template <typename T>
    void operator()(const char* name, const T& member)
    {
        if (std::string_view(name) == "marks")
            return;
        static const T unset{};
        if (!(member == unset))
            keys.insert(name);
    }

    std::set<std::string> keys;
};

class Checker {
public:
    Checker(const Capabilities& capabilities, Diagnostics& out)
        : capabilities_(capabilities), out_(out)
    {
        for (const auto* key : {"healthcheck", "networks", "volumes"}) // which are features, too
            if (!capabilities.features.contains(key))
                missing_.insert(key);
    }

    void feature(const char* name, const char* what, bool used, Mark mark, const std::string& path)
    {
        if (used && !capabilities_.features.contains(name))
            report(what, mark, path);
    }

    void container(const Container& container, const std::string& path, Mark fallback)
    {
        if (missing_.empty() && supports_all())
            return; // spares looking through each container
        UsedKeys used;
        fields(used, container);
        for (const auto& [key, mark] : container.marks)
            used.keys.insert(key);
        for (const auto& key : used.keys) {
            if (supports(key))
                continue;
            report(fmt::format("'{}' is", key), mark_of(container.marks, key, fallback), path + "." + key);
        }
    }

private:
    bool supports_all() const { return capabilities_.container_keys.contains("*"); }
    bool supports(const std::string& key) const
    {
        return !missing_.contains(key) && (supports_all() || capabilities_.container_keys.contains(key));
    }

    void report(std::string_view what, Mark mark, const std::string& path)
    {
        out_.push_back(error_at(mark, "unsupported",
                                fmt::format("{} not supported by the {} engine yet", what, capabilities_.engine), path));
    }

    const Capabilities& capabilities_;
    Diagnostics& out_;
    std::set<std::string> missing_; // keys whose feature the engine does not have
};

// What not every builder can do.
void check_build(Checker& checker, const Build& build, const std::string& path)
{
    const auto check = [&](const char* feature, const char* what, const std::string& key, bool used) {
        const auto mark = build.marks.find(key);
        checker.feature(feature, what, used, mark == build.marks.end() ? build.mark : mark->second, path + "." + key);
    };
    check("build-cache-to", "'cache_to' of a build is", "cache_to", !build.cache_to.empty());
    check("build-secrets", "'secrets' of a build are", "secrets", !build.secrets.empty());
    check("build-ssh", "'ssh' of a build is", "ssh", !build.ssh.empty());
    check("build-platforms", "a build for several platforms is", "platforms", build.platforms.size() > 1);
}

void check_stage(Checker& checker, const Stage& stage, const std::vector<PlacedStep>& steps, std::size_t index)
{
    const auto path = fmt::format("stages[{}]", index);
    const auto of = [&](const auto& list) { return list.empty() ? stage.mark : list.front().mark; };
    checker.feature("services", "services are", !stage.services.empty(), of(stage.services), path + ".services");
    checker.feature("caches", "caches are", !stage.caches.empty(), of(stage.caches), path + ".caches");
    checker.feature("artifacts", "artifacts are", stage.artifacts.has_value(),
                    stage.artifacts ? stage.artifacts->mark : Mark{}, path + ".artifacts");
    checker.feature("approval", "approvals are", stage.approval.has_value(),
                    stage.approval ? stage.approval->mark : Mark{}, path + ".approval");
    checker.feature("runs_on", "'runs_on' is", !stage.runs_on.empty(),
                    stage.runs_on_mark.known() ? stage.runs_on_mark : stage.mark, path + ".runs_on");
    checker.container(stage.container, path, stage.mark);
    for (const auto& service : stage.services) {
        const auto service_path = path + ".services." + service.name;
        checker.feature("build", "builds are", service.build.has_value(), service.mark, service_path + ".build");
        if (service.build)
            check_build(checker, *service.build, service_path + ".build");
        checker.feature("files", "files of a service are", !service.files.empty(),
                        service.files.empty() ? Mark{} : service.files.front().mark, service_path + ".files");
        checker.container(service.container, service_path, service.mark);
    }
    for (const auto& placed : steps) {
        const auto& step = *placed.step;
        const auto step_path = path_of(index, placed);
        checker.feature("build", "builds are", step.build.has_value(), step.build ? step.build->mark : Mark{},
                        step_path + ".build");
        if (step.build)
            check_build(checker, *step.build, step_path + ".build");
        checker.feature("push", "pushes are", step.push.has_value(), step.push ? step.push->mark : Mark{},
                        step_path + ".push");
        checker.container(step.container, step_path, step.mark);
    }
}

} // namespace

void check_capabilities(const Definition& definition, const StageGraph& graph, const Capabilities& capabilities,
                        Diagnostics& out)
{
    Checker checker(capabilities, out);
    const auto check_declaration = [&](const char* kind, const std::string& what, const auto& declaration) {
        const auto path = std::string(kind) + "." + declaration.name;
        checker.feature(kind, what.c_str(), true, declaration.mark, path);
        checker.feature("scope", "'scope: stage' is", declaration.scope == DeclarationScope::stage, declaration.mark, path + ".scope");
    };
    for (const auto& volume : definition.volumes)
        check_declaration("volumes", "volumes are", volume);
    for (const auto& network : definition.networks)
        check_declaration("networks", "networks are", network);
    checker.container(definition.defaults.container, "defaults", {});
    for (std::size_t i = 0; i < definition.stages.size(); ++i)
        check_stage(checker, definition.stages[i], graph.steps[i], i);
}

} // namespace gantry::pipeline
