#include "app/step_name.hpp"

#include "base/format.hpp"
#include "runner/lower.hpp"

#include <algorithm>
#include <vector>

namespace gantry::app {

namespace {

// Of several that a name fits, those that ran: a stage that was skipped has nothing to show.
struct Fitting {
    std::vector<runner::StepKey> all, ran;

    void add(const runner::StageSummary& stage, const runner::StepSummary& step)
    {
        all.push_back({stage.stage, step.step, step.attempt});
        if (step.state != runner::State::pending && step.state != runner::State::skipped)
            ran.push_back(all.back());
    }
    const std::vector<runner::StepKey>& best() const { return ran.empty() ? all : ran; }
};

// Throws bad_input; `what` they are.
[[noreturn]] void refuse_ambiguous(const std::vector<runner::StepKey>& found, const std::string& what)
{
    std::string names;
    for (const auto& one : found)
        names += (names.empty() ? "" : ", ") + one.stage + "/" + one.step;
    throw Error(Errc::bad_input, what, "one of " + names);
}

} // namespace

runner::StepKey find_log(const runner::RunSummary& summary, const std::string& name)
{
    Fitting fitting;
    for (const auto& stage : summary.stages)
        for (const auto& service : stage.services)
            if (service.step == name || service.step == runner::service_key(name) || stage.stage + "/" + service.step == name)
                fitting.add(stage, service);
    const bool names_step = std::any_of(summary.stages.begin(), summary.stages.end(), [&](const auto& stage) {
        return std::any_of(stage.steps.begin(), stage.steps.end(), [&](const auto& step) { return step.step == name; });
    });
    const auto& found = fitting.best();
    if (found.empty() || names_step)
        return find_step(summary, name);
    if (found.size() > 1)
        refuse_ambiguous(found, "several services of run " + summary.id + " are called '" + name + "'");
    return found[0];
}

runner::StepKey find_step(const runner::RunSummary& summary, const std::string& name)
{
    Fitting fitting;
    std::vector<std::string> known;
    for (const auto& stage : summary.stages)
        for (const auto& step : stage.steps) {
            const auto full = stage.stage + "/" + step.step;
            known.push_back(full);
            if (step.step == name)
                known.push_back(step.step);
            if (step.step == name || full == name || (stage.steps.size() == 1 && stage.stage == name))
                fitting.add(stage, step);
        }
    const auto& found = fitting.best();
    if (found.size() == 1)
        return found[0];
    if (found.empty()) {
        const auto meant = nearest(name, known);
        throw Error(Errc::not_found, "run " + summary.id + " has no step '" + name + "'",
                    meant ? "did you mean '" + *meant + "'?" : "gantry show " + summary.id + " lists them");
    }
    refuse_ambiguous(found, "several steps of run " + summary.id + " are called '" + name + "'");
}

} // namespace gantry::app
