#pragma once

#include "runner/schedule.hpp"
#include "runner/simulator_facts.hpp"
#include "support/random_plan.hpp"

// What schedule.hpp promises, checked from outside against the facts of a simulated run: nothing happens without a reason,
// and what has a reason happens at once. Each check throws std::runtime_error with the promise that was broken.

namespace gantry::test {

inline void require(bool holds, const char* what)
{
    if (!holds)
        throw std::runtime_error(what);
}

class Rules {
public:
    struct Limits {
        int slots = 1;
        std::chrono::nanoseconds finally_limit{};
    };
    Rules(const RandomPlan& plan, const RunFacts& facts, Limits limits) : plan_(plan), facts_(facts), limits_(limits) {}

    // ---- before the facts know of it
    void check_open(int stage, TimePoint now) const;
    void check_start(const runner::action::StartStep& start, TimePoint now) const;
    void check_prepare(runner::StepIndex step) const;
    void check_stop(const runner::action::StopStep& stop, TimePoint now) const;
    void check_retry(runner::StepIndex step, const runner::RunEvent& event) const;
    void check_end(runner::StepIndex step, const runner::RunEvent& event, TimePoint now) const;
    void check_end(int stage, const runner::RunEvent& event, TimePoint now) const;

    // ---- after each input: nothing that has to happen is left lying
    void check_progress(TimePoint now) const;
    void check_after_attempt(runner::StepIndex step, TimePoint now) const;

    void check_finish(const runner::action::Finish& finish) const;

    bool needs_over(int stage) const;
    bool needs_passed(int stage) const;
    bool may_be_halted(int stage, TimePoint now) const;
    bool is_halted(int stage, TimePoint now) const;

private:
    enum class Verdict { no, yes, unsure };

    Verdict of_condition(runner::StepIndex step, TimePoint now) const;
    // By a cancel, or by a timeout of stage or run.
    bool may_be_out_of_time(int stage, TimePoint now) const;
    bool is_out_of_time(int stage, TimePoint now) const;
    bool stage_condition_holds(int stage) const;
    bool failed_before(runner::StepIndex step) const;
    bool is_own_timeout(runner::StepIndex step, TimePoint now, bool for_certain) const;
    // When the time of its finally-steps is over. Never, unless it has been halted.
    Moment finally_end(int stage) const;
    bool may_be_cut(runner::StepIndex step, TimePoint now) const;
    bool is_cut(runner::StepIndex step, TimePoint now) const;
    void check_never_started(runner::StepIndex step, const runner::RunEvent& event, TimePoint now) const;
    void check_opened_end(int stage, const runner::RunEvent& event, TimePoint now) const;
    void check_step_progress(runner::StepIndex step, TimePoint now) const;

    const pipeline::PlanStage& plan_of(int stage) const { return plan_.plan.stages[static_cast<std::size_t>(stage)]; }
    const pipeline::PlanStep& plan_of(runner::StepIndex step) const
    {
        return plan_of(step.stage).steps[static_cast<std::size_t>(step.step)];
    }
    const StageFacts& at(int stage) const { return facts_.stages[static_cast<std::size_t>(stage)]; }
    const StepFacts& at(runner::StepIndex step) const
    {
        return at(step.stage).steps[static_cast<std::size_t>(step.step)];
    }
    int index_of(const std::string& stage) const;
    const StepFacts& facts_of(const MeantCondition& condition) const;

    const RandomPlan& plan_;
    const RunFacts& facts_;
    Limits limits_;
};

} // namespace gantry::test
