#include "runner/kept_stages.hpp"

#include <algorithm>
#include <set>

namespace gantry::runner {

std::map<std::string, ScheduleOptions::Kept> kept_stages(const pipeline::Plan& plan, const RunSummary& summary,
                                                         const std::map<std::string, SavedLayer>& files, Wanted wanted)
{
    std::map<std::string, ScheduleOptions::Kept> kept;
    for (const auto& stage : summary.stages) {
        if (stage.state != State::success)
            continue;
        auto& one = kept[stage.stage];
        for (const auto& step : stage.steps)
            one.steps[step.step] = {step.image, step.outputs, std::string(to_string(step.state))};
    }
    // The plan's order is topological: a stage is seen after those that it needs.
    std::set<std::string> whole;
    for (const auto& stage : plan.stages) {
        const auto saved = files.find(stage.id);
        const bool has_all = saved != files.end() && !(wanted == Wanted::all_changes && saved->second.is_part);
        const auto is_whole = [&whole](const std::string& id) { return whole.contains(id); };
        if (has_all && std::all_of(saved->second.below.begin(), saved->second.below.end(), is_whole))
            whole.insert(stage.id);
        else if (wanted == Wanted::all_changes)
            kept.erase(stage.id);
    }
    // And in the reverse one a stage that has to run again before those that it needs.
    for (auto stage = plan.stages.rbegin(); stage != plan.stages.rend(); ++stage) {
        if (kept.contains(stage->id) || stage->skip_reason)
            continue;
        for (const auto& need : stage->needs)
            if (!whole.contains(need))
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
