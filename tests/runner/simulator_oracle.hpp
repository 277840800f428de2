#pragma once

#include "runner/report.hpp"
#include "support/random_plan.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

// What must come out of a run in which nobody cancels and no timeout expires, computed stage by stage without any notion of
// time. It shares no code with the schedule.

namespace gantry::test {

// How the attempts of steps end in one simulated run, whenever they run.
class Fate {
public:
    // `processes`: only what a process can do, not what goes wrong around it.
    enum class Of { steps, processes };
    explicit Fate(std::uint64_t seed, Of of = Of::steps) : seed_(seed), of_(of) {}

    bool opens(int stage) const { return !Random(mix(stage, -1, 0)).chance(3); }

    runner::Outcome of(int stage, int step, int attempt) const
    {
        using runner::Cause;
        Random random(mix(stage, step, attempt));
        runner::Outcome outcome;
        outcome.outputs["go"] = random.chance(60) ? "yes" : "no";
        if (random.chance(72)) {
            outcome.exit_code = 0;
            return outcome;
        }
        constexpr Cause causes[] = {Cause::failed,      Cause::failed,      Cause::failed,    Cause::killed_by_signal,
                                    Cause::oom,         Cause::failed,      Cause::disk_full, Cause::image_error,
                                    Cause::engine_lost, Cause::config_error};
        outcome.cause = causes[random.below(10)];
        if (of_ == Of::processes && state_of(outcome.cause) == runner::State::error) {
            outcome.cause = Cause::config_error; // it cannot be run
            outcome.outputs.clear();
        }
        if (outcome.cause == Cause::failed)
            outcome.exit_code = random.chance(40) ? 75 : 1;
        return outcome;
    }

private:
    std::uint64_t mix(int stage, int step, int attempt) const
    {
        return seed_ * 1'000'003 + static_cast<std::uint64_t>((stage * 64 + step + 1) * 16 + attempt);
    }

    std::uint64_t seed_;
    Of of_;
};

// The output that conditions of random plans read.
inline bool says_yes(const runner::Outcome& outcome)
{
    const auto found = outcome.outputs.find("go");
    return found != outcome.outputs.end() && found->second == "yes";
}

// `succeeded` and `said_yes` tell of the step that the condition reads.
template <typename Succeeded, typename SaidYes>
bool holds(const MeantCondition& condition, bool failed, bool in_finally, Succeeded succeeded, SaidYes said_yes)
{
    using Kind = MeantCondition::Kind;
    switch (condition.kind) {
    case Kind::none:
    case Kind::on_branch: return in_finally || !failed;
    case Kind::success: return !failed;
    case Kind::failure: return failed;
    case Kind::always: return true;
    case Kind::off_branch: return false;
    case Kind::output_yes: return (in_finally || !failed) && said_yes();
    case Kind::state_success: return succeeded();
    }
    return false;
}

inline bool is_retried(const pipeline::Retry& retry, const runner::Outcome& outcome)
{
    using runner::Cause;
    const auto cause = outcome.cause;
    const bool ours = cause == Cause::disk_full || cause == Cause::image_error || cause == Cause::engine_lost;
    const bool its = cause == Cause::failed || cause == Cause::killed_by_signal || cause == Cause::oom;
    const auto says = [&](const char* word) {
        return std::find(retry.when.begin(), retry.when.end(), word) != retry.when.end();
    };
    if (retry.when.empty() && retry.exit_codes.empty())
        return ours || its;
    return (cause != Cause::ok && says("always")) || (ours && says("infra")) || (its && says("failure")) ||
           (cause == Cause::oom && says("oom")) || (cause == Cause::timeout && says("timeout")) ||
           (!retry.exit_codes.empty() && outcome.exit_code == 75);
}

struct Expected {
    struct Step {
        runner::State state = runner::State::skipped;
        int attempts = 0;
    };
    struct Stage {
        runner::State state = runner::State::skipped;
        bool opened = false;
        std::vector<Step> steps;
    };
    std::vector<Stage> stages;
    runner::State state = runner::State::success;
};

class Oracle {
public:
    Oracle(const RandomPlan& plan, const Fate& fate) : plan_(plan), fate_(fate) {}

    Expected compute()
    {
        for (int i = 0; i < static_cast<int>(plan_.plan.stages.size()); ++i)
            compute_stage(i);
        for (int i = 0; i < static_cast<int>(plan_.plan.stages.size()); ++i) {
            const auto state = expected_.stages[static_cast<std::size_t>(i)].state;
            if (!(plan_.plan.stages[static_cast<std::size_t>(i)].allow_failure && state == runner::State::failure))
                make_worse(expected_.state, state);
        }
        return std::move(expected_);
    }

private:
    using State = runner::State;

    static void make_worse(State& state, State other)
    {
        if (other == State::error || (other == State::failure && state != State::error))
            state = other;
    }

    void compute_stage(int index)
    {
        const auto& stage = plan_.plan.stages[static_cast<std::size_t>(index)];
        Expected::Stage result;
        result.steps.resize(stage.steps.size());
        const bool needs_passed =
            std::all_of(stage.needs.begin(), stage.needs.end(), [&](const std::string& need) { return passed_[need]; });
        const auto& condition = plan_.stage_conditions[static_cast<std::size_t>(index)];
        if (!stage.skip_reason && condition_holds(condition, !needs_passed, false)) {
            result.opened = true;
            result.state = State::success;
            if (fate_.opens(index))
                run_steps(index, result);
            else
                result.state = State::error;
        }
        const bool allowed = stage.allow_failure && result.state == State::failure;
        passed_[stage.id] =
            result.state == State::success || allowed || (result.state == State::skipped && needs_passed);
        for (std::size_t i = 0; i < stage.steps.size(); ++i)
            states_[stage.id + "/" + stage.steps[i].id] = result.steps[i].state;
        expected_.stages.push_back(std::move(result));
    }

    void run_steps(int index, Expected::Stage& result)
    {
        const auto& stage = plan_.plan.stages[static_cast<std::size_t>(index)];
        bool failed = false;
        bool failed_before = false;
        for (std::size_t i = 0; i < stage.steps.size(); ++i) {
            const auto& step = stage.steps[i];
            if (i == 0 || stage.steps[i - 1].group != step.group)
                failed_before = failed;
            const auto& condition = plan_.step_conditions[static_cast<std::size_t>(index)][i];
            auto& expected = result.steps[i];
            if (!step.skip_reason && condition_holds(condition, failed_before, step.in_finally))
                run_step(index, static_cast<int>(i), expected);
            states_[stage.id + "/" + step.id] = expected.state;
            if (expected.state == State::error || (expected.state == State::failure && !step.allow_failure)) {
                failed = true;
                make_worse(result.state, expected.state);
            }
        }
    }

    void run_step(int stage, int index, Expected::Step& expected)
    {
        const auto& step = plan_.plan.stages[static_cast<std::size_t>(stage)].steps[static_cast<std::size_t>(index)];
        runner::Outcome outcome;
        do
            outcome = fate_.of(stage, index, ++expected.attempts);
        while (expected.attempts <= step.retry.max && is_retried(step.retry, outcome));
        expected.state = state_of(outcome.cause);
        outcomes_[plan_.plan.stages[static_cast<std::size_t>(stage)].id + "/" + step.id] = outcome;
    }

    bool condition_holds(const MeantCondition& condition, bool failed, bool in_finally)
    {
        const auto step = condition.stage + "/" + condition.step;
        return holds(
            condition, failed, in_finally, [&] { return states_[step] == State::success; },
            [&] { return says_yes(outcomes_[step]); });
    }

    const RandomPlan& plan_;
    const Fate& fate_;
    Expected expected_;
    std::map<std::string, bool> passed_;
    std::map<std::string, State> states_;
    std::map<std::string, runner::Outcome> outcomes_;
};

} // namespace gantry::test
