#include "runner/simulator_rules.hpp"

#include "runner/simulator_oracle.hpp"

#include <algorithm>

namespace gantry::test {

namespace {

using Life = StageFacts::Life;
using runner::Cause;
using runner::State;
using runner::StepIndex;

int rank(State state)
{
    switch (state) {
    case State::cancelled: return 4;
    case State::timed_out: return 3;
    case State::error: return 2;
    case State::failure: return 1;
    default: return 0;
    }
}

} // namespace

// ---- what is known

int Rules::index_of(const std::string& stage) const
{
    const auto& stages = plan_.plan.stages;
    const auto found = std::find_if(stages.begin(), stages.end(), [&](const auto& one) { return one.id == stage; });
    return static_cast<int>(found - stages.begin());
}

const StepFacts& Rules::facts_of(const MeantCondition& condition) const
{
    const int stage = index_of(condition.stage);
    const auto& steps = plan_of(stage).steps;
    const auto found =
        std::find_if(steps.begin(), steps.end(), [&](const auto& one) { return one.id == condition.step; });
    return at(StepIndex{stage, static_cast<int>(found - steps.begin())});
}

bool Rules::needs_over(int stage) const
{
    const auto& needs = plan_of(stage).needs;
    return std::all_of(needs.begin(), needs.end(), [&](const std::string& need) { return at(index_of(need)).over; });
}

bool Rules::needs_passed(int stage) const
{
    const auto& needs = plan_of(stage).needs;
    return std::all_of(needs.begin(), needs.end(), [&](const std::string& need) { return at(index_of(need)).passed; });
}

bool Rules::stage_condition_holds(int stage) const
{
    const auto& condition = plan_.stage_conditions[static_cast<std::size_t>(stage)];
    return holds(
        condition, !needs_passed(stage), false, [&] { return facts_of(condition).state == State::success; },
        [&] { return says_yes(facts_of(condition).outcome); });
}

bool Rules::failed_before(StepIndex index) const
{
    const auto& steps = plan_of(index.stage).steps;
    for (std::size_t i = 0; i < steps.size() && steps[i].group < plan_of(index).group; ++i) {
        const auto& step = at(index.stage).steps[i];
        if (rank(step.state) > 0 && step.state != State::cancelled && !step.allowed)
            return true;
    }
    return false;
}

Rules::Verdict Rules::of_condition(StepIndex index, TimePoint now) const
{
    const auto& plan = plan_of(index);
    if (plan.skip_reason)
        return Verdict::no;
    const auto& condition =
        plan_.step_conditions[static_cast<std::size_t>(index.stage)][static_cast<std::size_t>(index.step)];
    using Kind = MeantCondition::Kind;
    const bool asks = condition.kind == Kind::success || condition.kind == Kind::failure;
    if (may_be_halted(index.stage, now) && (asks || !plan.in_finally))
        return Verdict::unsure;
    const bool runs = holds(
        condition, failed_before(index), plan.in_finally, [&] { return facts_of(condition).state == State::success; },
        [&] { return says_yes(facts_of(condition).outcome); });
    return runs ? Verdict::yes : Verdict::no;
}

bool Rules::may_be_halted(int stage, TimePoint now) const
{
    return at(stage).lost || may_be_out_of_time(stage, now);
}

bool Rules::is_halted(int stage, TimePoint now) const
{
    return at(stage).lost || is_out_of_time(stage, now);
}

bool Rules::may_be_out_of_time(int stage, TimePoint now) const
{
    return facts_.cancelled || facts_.timeout.may_be_over(now) || at(stage).timeout.may_be_over(now);
}

bool Rules::is_out_of_time(int stage, TimePoint now) const
{
    return facts_.cancelled || facts_.timeout.is_over(now) || at(stage).timeout.is_over(now);
}

bool Rules::is_own_timeout(StepIndex index, TimePoint now, bool for_certain) const
{
    const auto& step = at(index);
    const auto& plan = plan_of(index);
    if (!step.process_since)
        return false;
    const auto is_over = [&](const Moment& moment) {
        return for_certain ? moment.is_over(now) : moment.may_be_over(now);
    };
    return (plan.timeout && is_over(Moment::by_timer(*step.process_since + *plan.timeout))) ||
           (plan.idle_timeout && is_over(Moment::by_timer(step.last_output + *plan.idle_timeout)));
}

Moment Rules::finally_end(int index) const
{
    const auto& stage = at(index);
    auto halt = first_of(first_of(stage.timeout, stage.lost_at), facts_.timeout);
    if (facts_.cancelled)
        halt = first_of(halt, facts_.cancel);
    if (!halt.earliest || !stage.in_finally_since)
        return {};
    return {std::max(*halt.earliest, *stage.in_finally_since) + limits_.finally_limit,
            std::max(*halt.latest, *stage.in_finally_since) + limits_.finally_limit + k_lateness};
}

// By what is outside of it: the stage, the run, a cancel. A lost service is of no concern to it any more when its process has ended.
bool Rules::may_be_cut(StepIndex index, TimePoint now) const
{
    if (!plan_of(index).in_finally)
        return at(index).exited ? may_be_out_of_time(index.stage, now) : may_be_halted(index.stage, now);
    return facts_.hard || finally_end(index.stage).may_be_over(now);
}

bool Rules::is_cut(StepIndex index, TimePoint now) const
{
    if (!plan_of(index).in_finally)
        return at(index).exited ? is_out_of_time(index.stage, now) : is_halted(index.stage, now);
    return facts_.hard || finally_end(index.stage).is_over(now);
}

// ---- what begins

void Rules::check_open(int index, TimePoint now) const
{
    const auto& stage = at(index);
    require(stage.life == Life::unopened, "a stage opens twice");
    require(!stage.kept, "a kept stage opens");
    require(!facts_.cancelled, "a stage opens after the cancel");
    require(!facts_.timeout.is_over(now), "a stage opens after the run's timeout");
    require(!stage.over, "a stage opens that is final");
    require(!plan_of(index).skip_reason, "a stage opens that the plan skips");
    require(needs_over(index), "a stage opens before what it needs is final");
    require(stage_condition_holds(index), "a stage opens although its condition does not hold");
}

void Rules::check_start(const runner::action::StartStep& start, TimePoint now) const
{
    const auto index = start.step;
    const auto& step = at(index);
    const auto& stage = at(index.stage);
    require(stage.life == Life::open && stage.opened, "a step starts in a stage that is not open");
    require(!step.running, "a step starts twice");
    require(!step.over, "a step starts that is final");
    require(start.attempt == step.last_number + 1, "attempts do not ascend one by one");
    require(step.attempts <= plan_of(index).retry.max, "more attempts than allowed");
    require(facts_.running < limits_.slots, "more steps run than there are slots");
    require(!facts_.hard, "a step starts after the hard cancel");
    require(!stage.halted_unopened, "a step starts in a stage that was halted before it was open");
    require(plan_of(index).in_finally || !facts_.cancelled, "a step starts after the cancel");
    require(!is_cut(index, now), "a step starts after the time of its stage was over");
    require(!step.backing_off_until || now >= *step.backing_off_until, "a retry starts before its back-off is over");
    require(step.attempts > 0 || of_condition(index, now) != Verdict::no,
            "a step starts although its condition does not hold");
    const auto& steps = plan_of(index.stage).steps;
    for (std::size_t i = 0; i < steps.size() && steps[i].group < plan_of(index).group; ++i)
        require(stage.steps[i].over, "a step starts before the group before it has ended");
}

void Rules::check_prepare(StepIndex index) const
{
    const auto& step = at(index);
    require(step.attempts == 0 && !step.over, "a step is prepared that has run");
    require(at(index.stage).life == Life::open, "a step is prepared in a stage that is not open");
    require(!facts_.cancelled, "a step is prepared after the cancel");
    require(!plan_of(index).in_finally, "a finally-step is prepared");
}

// ---- what ends

void Rules::check_stop(const runner::action::StopStep& stop, TimePoint now) const
{
    const auto& step = at(stop.step);
    require(step.running, "a step is stopped that does not run");
    require(!step.killed && (stop.hard || step.stops == 0), "a step is stopped more often than soft, then hard");
    require(stop.hard == facts_.hard, "a step is killed without a hard cancel, or not killed with one");
    require(may_be_cut(stop.step, now) || is_own_timeout(stop.step, now, false), "a step is stopped without a reason");
}

void Rules::check_retry(StepIndex index, const runner::RunEvent& event) const
{
    const auto& step = at(index);
    require(step.just_ended, "a step is tried again that did not end");
    require(event.duration == plan_of(index).retry.backoff * (1 << (step.attempts - 1)),
            "a back-off has another length");
    require(event.attempt == step.last_number + 1, "a retry has another number");
}

// Retried exactly when it should be.
void Rules::check_after_attempt(StepIndex index, TimePoint now) const
{
    const auto& step = at(index);
    require(step.over || step.running || step.backing_off_until, "an attempt ended, and nothing comes of it");
    const bool retried = !step.over;
    const int attempts = step.attempts - (step.running ? 1 : 0); // the next one may have begun at once
    auto outcome = step.outcome;
    if (step.was_stopped)
        outcome.cause = Cause::timeout;
    const auto& retry = plan_of(index).retry;
    const bool wants = !step.may_still_run && attempts <= retry.max && is_retried(retry, outcome);
    require(!retried || (wants && !is_cut(index, now)), "a step is tried again without a reason");
    require(retried || !wants || may_be_cut(index, now), "a step is not tried again");
}

void Rules::check_end(StepIndex index, const runner::RunEvent& event, TimePoint now) const
{
    const auto& step = at(index);
    require(!step.over, "the final state of a step changes");
    require(runner::is_final(event.state), "a step ends in a state that is not final");
    require(!step.running, "a step is final while it runs");
    if (step.attempts == 0)
        return check_never_started(index, event, now);
    const bool by_cancel = facts_.cancelled && (!plan_of(index).in_finally || facts_.hard);
    auto state = by_cancel ? State::cancelled : State::timed_out;
    if (at(index.stage).lost && !step.exited_before_loss && !by_cancel && !plan_of(index).in_finally) {
        state = State::error;
        // The outer reason is the one that counts.
        if (event.state == State::timed_out && (facts_.timeout.may_be_over(now) || at(index.stage).timeout.may_be_over(now)))
            state = State::timed_out;
    }
    if (step.just_ended && (step.stops == 0 || step.may_still_run))
        state = state_of(step.outcome.cause);
    else if (!step.just_ended)
        require(may_be_cut(index, now), "a step ends between two attempts without a reason");
    require(event.state == state, "a step ends in another state than its process and its stop say");
}

void Rules::check_never_started(StepIndex index, const runner::RunEvent& event, TimePoint now) const
{
    const auto& stage = at(index.stage);
    const auto& step = at(index);
    if (stage.kept)
        return require(event.state == step.state, "a step of a kept stage is not kept");
    require(event.state == State::skipped || (event.state == State::cancelled && facts_.cancelled),
            "a step that never ran has a state of those that did");
    if (stage.life != Life::open || !stage.opened || stage.may_have_been)
        return;
    if (plan_of(index).in_finally)
        require(may_be_cut(index, now) || of_condition(index, now) != Verdict::yes,
                "a finally-step of an opened stage did not run");
    else
        require(may_be_cut(index, now) || of_condition(index, now) != Verdict::yes,
                "a step is skipped without a reason");
}

void Rules::check_end(int index, const runner::RunEvent& event, TimePoint now) const
{
    const auto& stage = at(index);
    require(!stage.over, "the final state of a stage changes");
    require(runner::is_final(event.state), "a stage ends in a state that is not final");
    for (const auto& step : stage.steps)
        require(step.over, "a stage ends before its steps have");
    if (stage.kept)
        return require(event.state == State::success, "a kept stage is not kept");
    const bool allowed = event.state == State::failure || event.state == State::timed_out;
    require(event.allowed_failure == (plan_of(index).allow_failure && allowed), "allow_failure of a stage");
    if (stage.life != Life::unopened)
        return check_opened_end(index, event, now);
    require(event.state == State::skipped || (event.state == State::cancelled && facts_.cancelled),
            "a stage that never opened has a state of those that did");
    if (!facts_.cancelled && !facts_.timeout.may_be_over(now))
        require(plan_of(index).skip_reason || !stage_condition_holds(index), "a stage is skipped without a reason");
}

// Its state is the worst that happened in it.
void Rules::check_opened_end(int index, const runner::RunEvent& event, TimePoint now) const
{
    const auto& stage = at(index);
    int least = stage.opened ? 0 : rank(State::error);
    for (const auto& step : stage.steps)
        if (!step.allowed)
            least = std::max(least, rank(step.state));
    if (stage.lost)
        least = std::max(least, rank(State::error));
    int most = least;
    const auto until = stage.in_finally_since.value_or(now); // from then on the run's timeout spares it
    if (stage.cut)
        least = most = rank(State::cancelled);
    if (stage.timeout.is_over(now) || facts_.timeout.is_over(until))
        least = std::max(least, rank(State::timed_out));
    if (stage.timeout.may_be_over(now) || facts_.timeout.may_be_over(until))
        most = std::max(most, rank(State::timed_out));
    require(rank(event.state) >= least, "a stage is better than what happened in it");
    require(rank(event.state) <= std::max(least, most), "a stage is worse than what happened in it");
    require(event.state != State::skipped, "a stage that opened is skipped");
}

void Rules::check_finish(const runner::action::Finish& finish) const
{
    int least = 0;
    for (const auto& stage : facts_.stages)
        if (!stage.allowed)
            least = std::max(least, rank(stage.state));
    int most = least;
    const auto until = facts_.all_final_since.value_or(TimePoint());
    if (facts_.timeout.is_over(until))
        least = std::max(least, rank(State::timed_out));
    if (facts_.timeout.may_be_over(until))
        most = std::max(most, rank(State::timed_out));
    if (facts_.cancelled)
        least = most = rank(State::cancelled);
    require(rank(finish.state) >= least, "a run is better than its stages, or its cancel is forgotten");
    require(rank(finish.state) <= std::max(least, most), "a run is worse than its stages");
    require(finish.state != State::skipped, "a run is skipped");
}

// ---- what must not be left lying

void Rules::check_progress(TimePoint now) const
{
    if (!facts_.begun)
        return;
    for (int i = 0; i < static_cast<int>(facts_.stages.size()); ++i) {
        const auto& stage = at(i);
        if (stage.life == Life::unopened && !stage.over) {
            require(!needs_over(i), "all that a stage needs is final, and it neither opens nor ends");
            require(stage.silent || (!facts_.cancelled && !facts_.timeout.is_over(now)),
                    "a stage is still to open after the run was halted");
        }
        if (stage.life != Life::open || stage.over)
            continue;
        require(stage.opened && !stage.halted_unopened, "a stage that did not open, or was halted before, goes on");
        const auto next =
            std::find_if(stage.steps.begin(), stage.steps.end(), [](const auto& step) { return !step.over; });
        require(next != stage.steps.end(), "all steps of a stage are over, and it is not");
        const auto first = static_cast<int>(next - stage.steps.begin());
        const int group = plan_of(StepIndex{i, first}).group;
        for (StepIndex step{i, first}; step.step < static_cast<int>(stage.steps.size()) && plan_of(step).group == group;
             ++step.step)
            if (!at(step).over)
                check_step_progress(step, now);
    }
}

void Rules::check_step_progress(StepIndex index, TimePoint now) const
{
    const auto& step = at(index);
    if (step.running) {
        require(step.stops > 0 || !is_cut(index, now), "a step goes on after its stage was halted");
        require(step.stops > 0 || !is_own_timeout(index, now, true), "a step goes on after its timeout");
        require(step.killed || !facts_.hard, "a step is not killed by the hard cancel");
        return;
    }
    require(!is_cut(index, now), "a step waits in a stage that was halted");
    const bool backing_off = step.backing_off_until && now <= *step.backing_off_until + k_lateness;
    require(backing_off || facts_.running == limits_.slots, "a step waits although there is a slot");
}

} // namespace gantry::test
