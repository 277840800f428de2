#include "app/step_name.hpp"

#include "base/format.hpp"

#include <vector>

namespace gantry::app {

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
