#include "pipeline/checks_internal.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <array>
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

class StepChecker {
public:
    StepChecker(const Definition& definition, const StageGraph& graph, std::size_t stage_index, Diagnostics& out)
        : definition_(definition), stage_(definition.stages[stage_index]), steps_(graph.steps[stage_index]),
          stage_index_(stage_index), out_(out)
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
            check_container(definition_, &stage_, placed.step->container, [this] { return path(); }, placed.step->mark, out_);
        }
    }

private:
    std::string path() const { return path_of(stage_index_, *placed_); }

    void report(std::string code, std::string message, const std::string& key, std::string hint = {})
    {
        const auto& step = *placed_->step;
        const auto mark = step.container.marks.find(key);
        out_.push_back(error_at(mark == step.container.marks.end() || !mark->second.known() ? step.mark : mark->second,
                                std::move(code), std::move(message), path() + (key.empty() ? "" : "." + key),
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
            report("conflict", "a step has either run or command", "command");
        if (step.run && has_settings)
            report("conflict", "a step has either run or settings", "settings");
        if (step.build && (step.run || has_command || has_settings))
            report("conflict", "a step that builds an image runs nothing else", "build",
                   fmt::format("run it in a further step with image: ${{{{ steps.{}.image }}}}", terminal_safe(placed_->id)));
    }

    void check_push()
    {
        const auto& step = *placed_->step;
        if (!step.push || step.build)
            return;
        if (step.push->all_tags)
            report("push", "'push: true' needs a build beside it", "push", "or name an image: push: {image: …, tags: […]}");
        else if (!step.push->image)
            report("push", "push needs a build beside it or an image", "push", "push: {image: …, tags: […]}");
        else if (step.push->tags.empty())
            report("push", "push has no tags", "push", "add tags: […]");
    }

    void check_secrets()
    {
        for (const auto& [variable, secret] : placed_->step->secrets) {
            if (!is_env_name(variable))
                report("bad-name", fmt::format("'{}' is no name for a variable", terminal_safe(variable)), "secrets",
                       "letters, digits and '_', not a digit first");
            check_secret_name(secret, "secrets");
        }
        for (const auto& [file, secret] : placed_->step->secret_files) {
            if (!file.starts_with('/'))
                report("bad-path", fmt::format("'{}' is not a path from the root", terminal_safe(file)), "secret_files",
                       fmt::format("/run/secrets/{}", terminal_safe(file)));
            check_secret_name(secret, "secret_files");
        }
    }

    void check_secret_name(const std::string& name, const char* key)
    {
        if (!is_secret_name(name))
            report("bad-name", fmt::format("'{}' is no name of a secret", terminal_safe(name)), key,
                   "the name of a secret is meant, not its value");
    }

    const Definition& definition_;
    const Stage& stage_;
    const std::vector<PlacedStep>& steps_;
    std::size_t stage_index_;
    Diagnostics& out_;
    const PlacedStep* placed_ = nullptr;
};

} // namespace

void check_steps(const Definition& definition, const StageGraph& graph, Diagnostics& out)
{
    check_container(definition, nullptr, definition.defaults.container, [] { return std::string("defaults"); }, {}, out);
    for (std::size_t i = 0; i < definition.stages.size(); ++i) {
        const auto& stage = definition.stages[i];
        check_container(definition, &stage, stage.container, [&] { return fmt::format("stages[{}]", i); }, stage.mark, out);
        StepChecker(definition, graph, i, out).check_all();
        for (const auto& service : stage.services)
            check_container(
                definition, &stage, service.container,
                [&] { return fmt::format("stages[{}].services.{}", i, service.name); }, service.mark, out);
        check_services(stage, i, out);
        check_matrix(stage, i, out);
        check_caches(stage, i, out);
        check_artifacts(stage, i, out);
    }
}

} // namespace gantry::pipeline
