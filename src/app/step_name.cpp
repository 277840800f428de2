#include "app/step_name.hpp"

#include "base/format.hpp"
#include "runner/lower.hpp"

#include <algorithm>
#include <vector>

namespace gantry::app {

runner::StepKey find_log(const runner::RunSummary& summary, const std::string& name)
{
    std::vector<runner::StepKey> found;
    for (const auto& stage : summary.stages)
        for (const auto& service : stage.services)
            if (service.step == name || service.step == runner::service_key(name) || stage.stage + "/" + service.step == name)
                found.push_back({stage.stage, service.step, service.attempt});
    const bool names_step = std::any_of(summary.stages.begin(), summary.stages.end(), [&](const auto& stage) {
        return std::any_of(stage.steps.begin(), stage.steps.end(), [&](const auto& step) { return step.step == name; });
    });
    if (found.empty() || names_step)
        return find_step(summary, name);
    if (found.size() == 1)
        return found[0];
    std::string names;
    for (const auto& service : found)
        names += (names.empty() ? "" : ", ") + service.stage + "/" + service.step;
    throw Error(Errc::bad_input, "several services of run " + summary.id + " are called '" + name + "'", "one of " + names);
}

runner::StepKey find_step(const runner::RunSummary& summary, const std::string& name)
{
    std::vector<runner::StepKey> found;
    std::vector<std::string> known;
    for (const auto& stage : summary.stages)
        for (const auto& step : stage.steps) {
            const auto full = stage.stage + "/" + step.step;
            known.push_back(full);
            if (step.step == name)
                known.push_back(step.step);
            if (step.step == name || full == name || (stage.steps.size() == 1 && stage.stage == name))
                found.push_back({stage.stage, step.step, step.attempt});
        }
    if (found.size() == 1)
        return found[0];
    if (found.empty()) {
        const auto meant = nearest(name, known);
        throw Error(Errc::not_found, "run " + summary.id + " has no step '" + name + "'",
                    meant ? "did you mean '" + *meant + "'?" : "gantry show " + summary.id + " lists them");
    }
    std::string names;
    for (const auto& step : found)
        names += (names.empty() ? "" : ", ") + step.stage + "/" + step.step;
    throw Error(Errc::bad_input, "several steps of run " + summary.id + " are called '" + name + "'", "one of " + names);
}

} // namespace gantry::app
