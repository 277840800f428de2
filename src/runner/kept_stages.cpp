#include "runner/kept_stages.hpp"

namespace gantry::runner {

std::map<std::string, ScheduleOptions::Kept> kept_stages(const pipeline::Plan& plan, const RunSummary& summary,
                                                         const std::map<std::string, SavedLayer>& files)
{
    std::map<std::string, ScheduleOptions::Kept> kept;
    for (const auto& stage : summary.stages) {
        if (stage.state != State::success)
            continue;
        auto& one = kept[stage.stage];
        for (const auto& step : stage.steps)
            one.steps[step.step] = {step.image, step.outputs, std::string(to_string(step.state))};
    }
    // In the reverse of the plan's order, which is topological: a stage that has to run again is seen before those that it
    // needs.
    for (auto stage = plan.stages.rbegin(); stage != plan.stages.rend(); ++stage) {
        if (kept.contains(stage->id) || stage->skip_reason)
            continue;
        for (const auto& need : stage->needs)
            if (!files.contains(need))
                kept.erase(need);
    }
    return kept;
}

bool has_begun(const RunSummary& summary) { return summary.started != std::chrono::system_clock::time_point(); }

std::map<std::string, std::map<std::string, int>> attempts_of(const RunSummary& summary)
{
    std::map<std::string, std::map<std::string, int>> attempts;
    for (const auto& stage : summary.stages)
        for (const auto* list : {&stage.steps, &stage.services})
            for (const auto& step : *list)
                if (step.attempt > 0)
                    attempts[stage.stage][step.step] = step.attempt;
    return attempts;
}

} // namespace gantry::runner
