#include "pipeline/graph_text.hpp"

#include "base/columns.hpp"
#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::pipeline {

namespace {

// The first line that says something.
std::string first_line(const std::string& script)
{
    for (const auto& line : split(script, '\n'))
        if (const auto text = trim(line); !text.empty() && !text.starts_with('#'))
            return std::string(text);
    return {};
}

std::string words(const std::vector<Text>& list)
{
    std::string result;
    for (const auto& word : list)
        result += (result.empty() ? "" : " ") + word.source();
    return result;
}

// What a step does, in a few words.
std::string what_of(const PlanStep& step)
{
    if (step.run)
        return first_line(step.run->source());
    if (step.build)
        return "build " + step.build->context.source() + (step.push ? ", then push" : "");
    if (step.push)
        return "push " + (step.push->image ? step.push->image->source() : words(step.push->tags));
    if (step.container.command || step.container.entrypoint)
        return words(step.container.entrypoint.value_or(std::vector<Text>())) +
               (step.container.entrypoint && step.container.command ? " " : "") +
               words(step.container.command.value_or(std::vector<Text>()));
    return step.settings.empty() ? "what its image does" : fmt::format("plugin, {} settings", step.settings.size());
}

std::string subject_of(const Event& event)
{
    std::string result(to_string(event.kind));
    if (event.pull_request)
        result = fmt::format("pull request{} into {}", event.pull_request->number > 0 ? fmt::format(" {}", event.pull_request->number) : "",
                             event.pull_request->target_branch);
    else if (!event.tag.empty())
        result += " of " + event.tag;
    else if (!event.branch.empty())
        result += " of " + event.branch;
    if (!event.sha.empty())
        result += " @ " + short_sha(event);
    return result + (event.dirty ? ", with changes" : "");
}

class Renderer {
public:
    explicit Renderer(const Plan& plan) : plan_(plan), names_(plan) {}

    std::string render()
    {
        line(plan_.pipeline + " · " + subject_of(plan_.event));
        if (plan_.skip_reason) {
            line("nothing runs: " + *plan_.skip_reason);
            return std::move(out_);
        }
        std::size_t steps = 0;
        for (const auto& stage : plan_.stages) {
            steps += stage.steps.size();
            for (const auto& step : stage.steps) {
                id_columns_ = std::max(id_columns_, columns_of(terminal_safe(step.id)));
                image_columns_ = std::max(image_columns_, columns_of(image_of(step)));
            }
        }
        id_columns_ = std::min(id_columns_, 24);
        image_columns_ = std::min(image_columns_, 24);
        auto summary = format_count(steps, "step") + " in " + format_count(plan_.stages.size(), "stage");
        std::vector<std::string> secrets;
        for (const auto& [name, step] : plan_.secrets())
            secrets.push_back(name);
        if (!secrets.empty())
            summary += " · secrets: " + join(secrets, ", ");
        line(summary);
        for (const auto& stage : plan_.stages)
            render_stage(stage);
        return std::move(out_);
    }

private:
    void line(const std::string& text)
    {
        auto safe = fit(terminal_safe(text), k_columns);
        safe.erase(safe.find_last_not_of(' ') + 1);
        out_ += safe + "\n";
    }

    static std::string image_of(const PlanStep& step)
    {
        return step.container.image && !step.build ? terminal_safe(step.container.image->source()) : std::string();
    }

    void render_stage(const PlanStage& stage)
    {
        out_ += "\n";
        const auto needs = names_.needs_of(stage);
        line(title_of(stage) + (needs.empty() ? "" : "  ← " + join(needs, ", ")));
        if (stage.skip_reason)
            line("  skipped: " + *stage.skip_reason);
        if (stage.condition)
            line("  if " + stage.condition->source());
        if (stage.approval)
            line("  waits for approval" + (stage.approval->message.empty() ? "" : ": " + stage.approval->message.source()));
        if (!stage.services.empty()) {
            std::vector<std::string> services;
            for (const auto& service : stage.services)
                services.push_back(service.name);
            line("  with " + join(services, ", "));
        }
        for (std::size_t i = 0; i < stage.steps.size(); ++i) {
            if (stage.steps[i].in_finally && (i == 0 || !stage.steps[i - 1].in_finally))
                line("  finally");
            render_step(stage, i);
        }
    }

    static bool is_parallel(const PlanStage& stage, std::size_t index)
    {
        const auto group = stage.steps[index].group;
        return (index > 0 && stage.steps[index - 1].group == group) ||
               (index + 1 < stage.steps.size() && stage.steps[index + 1].group == group);
    }

    void render_step(const PlanStage& stage, std::size_t index)
    {
        const auto& step = stage.steps[index];
        auto text = std::string(is_parallel(stage, index) ? "  ∥ " : "  › ") + pad(terminal_safe(step.id), id_columns_);
        if (image_columns_ > 0)
            text += "  " + pad(image_of(step), image_columns_);
        if (step.skip_reason)
            text += "  skipped: " + *step.skip_reason;
        else
            text += "  " + what_of(step);
        line(text);
        if (step.condition)
            line(std::string(static_cast<std::size_t>(id_columns_) + 6, ' ') + "if " + step.condition->parts().front().text);
    }

    const Plan& plan_;
    NeedsText names_;
    int id_columns_ = 0, image_columns_ = 0;
    std::string out_;
};

} // namespace

std::string render_plan(const Plan& plan)
{
    return Renderer(plan).render();
}

} // namespace gantry::pipeline
