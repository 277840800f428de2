#include "pipeline/checks_internal.hpp"

#include "pipeline/build_values.hpp"
#include "pipeline/cache_path.hpp"
#include "pipeline/container_path.hpp"
#include "pipeline/fixed_variables.hpp"
#include "pipeline/plan_texts.hpp"
#include "pipeline/plugin_variable.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace gantry::pipeline {

namespace {

bool is_env_name(const std::string& name)
{
    const auto is_part = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9'); };
    return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), is_part);
}

bool is_secret_name(const std::string& name)
{
    const auto is_part = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '/';
    };
    return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), is_part);
}

void check_variables(const EnvMap& env, Mark fallback, const std::string& path, Diagnostics& out)
{
    for (const auto& [name, value] : env) {
        if (!is_other_value(name, value))
            continue;
        const auto& parts = value.parts();
        out.push_back(error_at(!parts.empty() && parts[0].mark.known() ? parts[0].mark : fallback, "bad-name",
                               fixed_variable_problem(name), path + "." + name, fixed_variable_hint(name)));
    }
}

void check_variables(const Container& container, Mark fallback, const std::string& path, Diagnostics& out)
{
    check_variables(container.environment, mark_of(container.marks, "environment", fallback), path + "environment", out);
}

// Folders that outlive the container, by what they are: of several that hold a path the first counts.
class KeptFolders {
public:
    void add(std::string folder, const char* kind, std::string name)
    {
        lengths_.insert(folder.size());
        holders_.emplace(std::move(folder), Holder{kind, std::move(name), holders_.size()});
    }

    // "the cache 'x'"; empty: none of them does. A path is looked up once for each length that there is.
    std::string holder_of(const std::string& path) const
    {
        const Holder* first = nullptr;
        for (const auto length : lengths_) {
            if (length > path.size())
                break;
            if (length < path.size() && path[length] != '/')
                continue;
            const auto found = holders_.find(path.substr(0, length));
            if (found != holders_.end() && (!first || found->second.place < first->place))
                first = &found->second;
        }
        return first ? fmt::format("the {} '{}'", first->kind, terminal_safe(first->name)) : std::string();
    }

private:
    struct Holder {
        const char* kind;
        std::string name;
        std::size_t place;
    };
    std::set<std::size_t> lengths_;
    std::unordered_map<std::string, Holder> holders_;
};

KeptFolders folders_of(const std::vector<Cache>& caches)
{
    KeptFolders folders;
    for (const auto& cache : caches)
        if (cache.path.is_literal())
            if (auto target = cache_path(cache.path.literal()).target; !target.empty())
                folders.add(std::move(target), "cache", cache.name);
    return folders;
}

KeptFolders folders_of(const std::vector<VolumeMount>& volumes)
{
    KeptFolders folders;
    for (const auto& mount : volumes)
        if (mount.type != VolumeMount::Type::tmpfs && !mount.source.empty() && mount.target.is_literal())
            if (auto target = normalised_path(mount.target.literal()); !target.empty())
                folders.add(std::move(target), "volume", mount.source.source());
    return folders;
}

// Of a container that steps start in.
void check_step_folder(const Container& container, Mark fallback, const std::string& path, Diagnostics& out)
{
    if (!container.working_dir || !container.working_dir->is_literal())
        return;
    if (auto folder = step_folder(container.working_dir->literal()); !folder.problem.empty())
        out.push_back(error_at(mark_of(container.marks, "working_dir", fallback), "bad-path", std::move(folder.problem), path + "working_dir",
                               std::move(folder.hint)));
}

// As overlay() has it.
bool says_volumes(const Container& container) { return !container.volumes.empty() || container.marks.contains("volumes"); }

class StepChecker {
public:
    // In the stage that `names` has entered. `default_volumes` are those of the defaults once they have been asked for.
    StepChecker(const DeclaredNames& names, const StageGraph& graph, std::size_t stage_index, std::optional<KeptFolders>& default_volumes,
                Diagnostics& out)
        : names_(names), definition_(names.definition()), stage_(definition_.stages[stage_index]), steps_(graph.steps[stage_index]),
          stage_index_(stage_index), default_volumes_(default_volumes), out_(out)
    {
    }

    void check_all()
    {
        std::unordered_map<std::string_view, Mark> names;
        for (const auto& placed : steps_) {
            placed_ = &placed;
            check_name(names);
            check_content();
            check_push();
            check_secrets();
            check_values();
            check_variables(placed.step->container, placed.step->mark, path() + ".", out_);
            check_step_folder(placed.step->container, placed.step->mark, path() + ".", out_);
            check_container(names_, placed.step->container, [this] { return path(); }, placed.step->mark, out_);
        }
    }

private:
    std::string path() const { return path_of(stage_index_, *placed_); }

    void report(std::string code, std::string message, const std::string& key, std::string hint = {})
    {
        const auto& step = *placed_->step;
        out_.push_back(error_at(mark_of(step.container.marks, key, step.mark), std::move(code), std::move(message),
                                path() + (key.empty() ? "" : "." + key), std::move(hint)));
    }

    // Two keys that the reader may have told apart.
    void report_both(std::string message, const std::string& key, std::string hint = {})
    {
        report("conflict", std::move(message), key, std::move(hint));
        out_.back().about = k_both_read;
    }

    // Of an entry of a map, by its key.
    void report_entry(const Marks& marks, const std::string& entry, std::string code, std::string message, const std::string& key, std::string hint)
    {
        out_.push_back(error_at(mark_of(marks, entry, placed_->step->mark), std::move(code), std::move(message), path() + "." + key,
                                std::move(hint)));
    }

    void check_name(std::unordered_map<std::string_view, Mark>& names)
    {
        const auto& name = placed_->step->name;
        if (name.empty())
            return;
        const auto is_bad = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '/'; };
        if (name.size() > 128)
            report("bad-name", "a step's name has at most 128 bytes", "name");
        else if (std::any_of(name.begin(), name.end(), is_bad))
            report("bad-name", fmt::format("the step's name '{}' has a '/' or a control character", terminal_safe(name)),
                   "name", "a step of another stage is called stage/step");
        const auto [first, is_new] = names.emplace(name, placed_->step->mark);
        if (!is_new)
            report("duplicate-name", fmt::format("stage '{}' has another step '{}'", terminal_safe(stage_.name), terminal_safe(name)),
                   "name", first->second.known() ? fmt::format("the first is in line {}", first->second.line) : "");
    }

    bool has_image() const
    {
        return placed_->step->container.image || stage_.container.image || definition_.defaults.container.image;
    }

    void check_content()
    {
        const auto& step = *placed_->step;
        const auto& container = step.container;
        const bool has_command = container.command || container.entrypoint;
        const bool has_settings = !step.settings.empty();
        if (!step.run && !has_command && !step.build && !step.push && !has_settings && !container.image)
            report("empty-step", fmt::format("step '{}' does nothing", terminal_safe(placed_->id)), "",
                   "give it run, command, build, push, settings or an image");
        const bool needs_image = step.run || has_command || has_settings;
        if (needs_image && !has_image() && !step.build)
            report("no-image", fmt::format("step '{}' has no image to run in", terminal_safe(placed_->id)), "",
                   "add image: … to the step, its stage, defaults or the top of the file");
        if (step.run && container.command)
            report_both("a step has either run or command", "command");
        if (step.run && container.entrypoint && says_something(*container.entrypoint))
            report("conflict", "a step has either run or entrypoint", "entrypoint",
                   "the program that reads the script is named by shell: [bash, -ec]; an entrypoint goes with command");
        if (step.run && has_settings)
            report_both("a step has either run or settings", "settings");
        if (step.build && (step.run || has_command || has_settings))
            report_both("a step that builds an image runs nothing else", "build",
                        fmt::format("run it in a further step with image: ${{{{ steps.{}.image }}}}", terminal_safe(placed_->id)));
        else if ((step.build || step.push) && !step.run && !has_command && !has_settings)
            check_without_container();
    }

    // An entrypoint of nothing takes the image's away, as 'run' does anyway.
    static bool says_something(const std::vector<Text>& entrypoint)
    {
        return std::any_of(entrypoint.begin(), entrypoint.end(), [](const Text& word) { return !word.empty(); });
    }

    // What says something of a container means nothing where none is started. What is inherited is for the other steps.
    void check_without_container()
    {
        const auto& step = *placed_->step;
        const auto refuse = [&](Mark mark, const std::string& key) {
            out_.push_back(error_at(mark.known() ? mark : step.mark, "conflict",
                                    fmt::format("'{}' has no meaning in a step that {}", key, step.build ? "builds an image" : "pushes an image"),
                                    path() + "." + key, hint_without_container(key)));
        };
        for (const auto& [key, mark] : step.container.marks) {
            const bool is_used = key == "environment" || key == "env_file" ? uses_variables()
                                 : key == "pull_policy" && step.push && step.push->image.has_value();
            if (!is_used)
                refuse(mark, key);
        }
        if (step.shell)
            refuse(step.shell_mark, "shell");
        if (!step.secrets.empty())
            refuse(mark_of(step.secret_marks, step.secrets.front().first, step.mark), "secrets");
        if (!step.secret_files.empty())
            refuse(mark_of(step.secret_file_marks, step.secret_files.front().first, step.mark), "secret_files");
    }

    // Whether what is built, what it is called or whether that happens is computed from variables.
    bool uses_variables() const
    {
        bool uses = false;
        TextWalker walker([&](const Text& text, const auto&) {
            for (const auto& part : text.parts())
                uses |= part.is_expression && part.text.find("env") != std::string::npos;
        });
        const auto& step = *placed_->step;
        walker.whole(step.condition);
        walker.whole(step.build);
        walker.whole(step.push);
        return uses;
    }

    std::string hint_without_container(std::string_view key) const
    {
        constexpr std::array<std::pair<std::string_view, const char*>, 9> k_of_build = {{
            {"image", "the names of what is built are build: { tags: […] }"},
            {"environment", "a Dockerfile gets build: { args: { … } }"},
            {"env_file", "a Dockerfile gets build: { args: { … } }"},
            {"extra_hosts", "write it under 'build'"},
            {"labels", "write it under 'build'"},
            {"network_mode", "write build: { network: … }"},
            {"platform", "write build: { platforms: […] }"},
            {"pull_policy", "write build: { pull: true }"},
            {"shm_size", "write it under 'build'"},
        }};
        if (placed_->step->build)
            for (const auto& [name, hint] : k_of_build)
                if (name == key)
                    return hint;
        return key == "image" ? "write push: { image: … }" : "it is for steps that run something";
    }

    void check_push()
    {
        const auto& step = *placed_->step;
        if (!step.push)
            return;
        const bool of_build = step.build && step.push->all_tags;
        for (const auto& name : of_build ? step.build->tags : step.push->tags)
            if (name.is_literal() && !names_registry(name.literal()))
                report_push(fmt::format("'{}' names no registry", terminal_safe(name.literal())), k_registry_hint);
        if (step.build && step.push->all_tags && step.build->tags.empty())
            report_missing_of_push("there is no name to push under", "give the build tags: […], or write push: […]");
        if (step.build)
            return;
        if (step.push->all_tags)
            report_missing_of_push("'push: true' needs a build beside it", "or name an image: push: {image: …, tags: […]}");
        else if (!step.push->image)
            report_missing_of_push("push needs a build beside it or an image", "push: {image: …, tags: […]}");
        else if (step.push->tags.empty())
            report_missing_of_push("push has no tags", "add tags: […]");
    }

    void report_push(std::string message, std::string hint)
    {
        const auto& step = *placed_->step;
        out_.push_back(error_at(step.push->mark.known() ? step.push->mark : step.mark, "push", std::move(message), path() + ".push", std::move(hint)));
    }

    void report_missing_of_push(std::string message, std::string hint)
    {
        report_push(std::move(message), std::move(hint));
        out_.back().about = "build";
    }

    void check_secrets()
    {
        const auto& step = *placed_->step;
        for (const auto& [variable, secret] : step.secrets) {
            const auto refuse = [&, &name = variable](std::string message, std::string hint) {
                report_entry(step.secret_marks, name, "bad-name", std::move(message), "secrets", std::move(hint));
            };
            if (!is_env_name(variable))
                refuse(fmt::format("'{}' is no name for a variable", terminal_safe(variable)), "letters, digits and '_', not a digit first");
            else if (is_fixed_variable(variable))
                refuse(fmt::format("'{}' is set by gantry itself", variable),
                       fmt::format("give it a name of your own: secrets: {{ MY_{}: {} }}", variable, terminal_safe(secret)));
            if (!is_secret_name(secret))
                refuse(fmt::format("'{}' is no name of a secret", terminal_safe(secret)), k_name_is_meant);
        }
        std::optional<KeptFolders> own_volumes;
        if (!step.secret_files.empty() && says_volumes(step.container))
            own_volumes = folders_of(step.container.volumes);
        std::unordered_map<std::string, std::string_view> places;
        for (const auto& [file, secret] : step.secret_files) {
            const auto refuse = [&, &name = file](const char* code, std::string message, std::string hint) {
                report_entry(step.secret_file_marks, name, code, std::move(message), "secret_files", std::move(hint));
            };
            if (!file.starts_with('/'))
                refuse("bad-path", fmt::format("'{}' is not a path from the root", terminal_safe(file)),
                       fmt::format("/run/secrets/{}", terminal_safe(file)));
            else if (const auto path = normalised_path(file);
                     path.empty() || path == "/" || is_kernels(path) || is_in_folder(path, k_exchange_folder))
                refuse("bad-path", fmt::format("'{}' is no place for a file", terminal_safe(file)),
                       fmt::format("/run/secrets/{}", terminal_safe(secret)));
            else if (const auto [first, is_new] = places.emplace(path, file); !is_new)
                refuse("conflict",
                       fmt::format("'{}' and '{}' are one file", terminal_safe(first->second), terminal_safe(file)),
                       "choose another path");
            else if (const auto keeper = what_keeps(path, own_volumes); !keeper.empty())
                refuse(
                    "bad-path",
                    fmt::format("'{}' would be there for others, too: it is in {}", terminal_safe(file), keeper),
                    fmt::format("a path of the container's own goes with it: /run/secrets/{}", terminal_safe(secret)));
            if (!is_secret_name(secret))
                refuse("bad-name", fmt::format("'{}' is no name of a secret", terminal_safe(secret)), k_name_is_meant);
        }
    }

    // What gives a variable a value twice. What is inherited is what a step goes over.
    void check_values()
    {
        const auto& step = *placed_->step;
        constexpr const char* k_hint = "leave out one of them";
        std::map<std::string, const char*> given;
        for (const auto& [name, value] : step.container.environment)
            given.emplace(name, "a variable of this step");
        for (const auto& [name, secret] : step.secrets)
            if (!given.emplace(name, "a secret of this step").second)
                report_entry(step.secret_marks, name, "conflict", fmt::format("'{}' is a secret and a variable of this step", terminal_safe(name)),
                             "secrets", k_hint);
        std::map<std::string, std::string> settings; // by variable
        for (const auto& [name, value] : step.settings) {
            const auto variable = plugin_variable(name);
            const auto [first, is_new] = settings.emplace(variable, name);
            const auto other = given.find(variable);
            if (!is_new)
                report_entry(step.setting_marks, name, "conflict",
                             fmt::format("the settings '{}' and '{}' are both {}", terminal_safe(first->second), terminal_safe(name), terminal_safe(variable)),
                             "settings", k_hint);
            else if (other != given.end())
                report_entry(step.setting_marks, name, "conflict",
                             fmt::format("the setting '{}' is {}, which is {}, too", terminal_safe(name), terminal_safe(variable), other->second),
                             "settings", k_hint);
        }
    }

    // Which of the places that outlive the container the path is in; empty: none. What is computed is not known yet.
    std::string what_keeps(const std::string& path, const std::optional<KeptFolders>& own_volumes)
    {
        if (is_in_folder(path, k_workspace_folder))
            return "the workspace";
        if (!caches_)
            caches_ = folders_of(stage_.caches);
        if (auto holder = caches_->holder_of(path); !holder.empty())
            return holder;
        if (own_volumes)
            return own_volumes->holder_of(path);
        const bool from_stage = says_volumes(stage_.container);
        auto& inherited = from_stage ? stage_volumes_ : default_volumes_;
        if (!inherited)
            inherited = folders_of((from_stage ? stage_.container : definition_.defaults.container).volumes);
        return inherited->holder_of(path);
    }

    static constexpr const char* k_name_is_meant = "the name of a secret is meant, not its value";

    const DeclaredNames& names_;
    const Definition& definition_;
    const Stage& stage_;
    const std::vector<PlacedStep>& steps_;
    std::size_t stage_index_;
    std::optional<KeptFolders>& default_volumes_;
    Diagnostics& out_;
    const PlacedStep* placed_ = nullptr;
    std::optional<KeptFolders> caches_, stage_volumes_; // made when first asked for
};

} // namespace

void check_steps(const Definition& definition, const StageGraph& graph, Diagnostics& out)
{
    DeclaredNames names(definition);
    check_container(names, definition.defaults.container, [] { return std::string("defaults"); }, {}, out);
    check_variables(definition.env, {0, 1, 1}, "env", out);
    check_variables(definition.defaults.container, {}, "defaults.", out);
    check_step_folder(definition.defaults.container, {}, "defaults.", out);
    check_subnets(definition, out);
    std::optional<KeptFolders> default_volumes;
    std::vector<std::size_t> rows;
    rows.reserve(definition.stages.size());
    for (std::size_t i = 0; i < definition.stages.size(); ++i) {
        const auto& stage = definition.stages[i];
        names.enter(stage);
        check_container(names, stage.container, [&] { return fmt::format("stages[{}]", i); }, stage.mark, out);
        check_step_folder(stage.container, stage.mark, fmt::format("stages[{}].", i), out);
        check_variables(stage.container, stage.mark, fmt::format("stages[{}].", i), out);
        StepChecker(names, graph, i, default_volumes, out).check_all();
        for (const auto& service : stage.services)
            check_container(names, service.container, [&] { return fmt::format("stages[{}].services.{}", i, service.name); }, service.mark, out);
        check_services(stage, i, out);
        check_claims(definition, stage, i, out);
        rows.push_back(check_matrix(stage, i, out));
        check_caches(stage, i, out);
        check_artifacts(stage, i, out);
    }
    check_container_parts(definition, graph, out);
    check_size(definition, graph, rows, out);
}

} // namespace gantry::pipeline
