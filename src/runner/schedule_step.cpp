#include "runner/schedule_state.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <utility>

namespace gantry::runner {

namespace {

// How many steps in turn are made ready while one runs: with two, short steps keep two cores busy (docs/dev/performance.md).
constexpr int k_ahead = 2;

} // namespace

// ---- starting

void Schedule::Impl::dispatch()
{
    while (running < options.slots && !queue.empty()) {
        const auto step = queue.front();
        queue.pop_front();
        if (at(step).phase == StepRun::Phase::queued) // or it was cancelled while it waited
            start(step);
    }
}

void Schedule::Impl::start(StepIndex index)
{
    auto& step = at(index);
    step.phase = StepRun::Phase::running;
    step.state = State::running;
    step.stop = StopReason::none;
    step.exited = false;
    step.started = now;
    ++step.attempt;
    ++step.tries;
    ++running;
    report(RunEvent::Kind::step_started, index).state = State::running;
    out.push_back(action::StartStep{index, step.attempt});
    if (step.tries == 1 && !plan_of(index).in_finally)
        prepare_next(index.stage);
}

Decision Schedule::Impl::decide_step(StepIndex index, bool failed_before)
{
    const auto& step = plan_of(index);
    if (step.skip_reason)
        return {Decision::Kind::skip, *step.skip_reason};
    const auto read_facts = [&](bool with_stages) -> const auto& {
        facts(index.stage, with_stages);
        at(index.stage).facts.failed = failed_before;
        return at(index.stage).facts;
    };
    const bool may_run = step.in_finally || (!failed_before && halted != StopReason::cancel);
    auto decision =
        decide(step.condition, {plan.event, plan_of(index.stage), read_facts, may_run, !step.in_finally});
    if (decision.kind == Decision::Kind::skip && decision.reason.empty())
        decision.reason = "an earlier step failed";
    return decision;
}

// It makes a group by itself, it would run, and nothing about it depends on what runs before it.
bool Schedule::Impl::may_prepare(StepIndex index)
{
    const auto& step = plan_of(index);
    if (step.in_finally || step.skip_reason || computes_from_steps(step))
        return false;
    const auto& stage = plan_of(index.stage);
    const auto next = static_cast<std::size_t>(index.step) + 1;
    if (next < stage.steps.size() && stage.steps[next].group == step.group && !stage.steps[next].in_finally)
        return false;
    if (step.condition && reads_unknown(*step.condition, stage, at(index.stage).facts.steps))
        return false;
    return decide_step(index, at(index.stage).failed).kind == Decision::Kind::run;
}

void Schedule::Impl::prepare_next(int stage)
{
    const auto& steps = plan_of(stage).steps;
    auto next = at(stage).group_end;
    for (int ahead = 0; ahead < k_ahead; ++ahead, ++next) {
        while (next < steps.size() && steps[next].skip_reason)
            ++next;
        const StepIndex index{stage, static_cast<int>(next)};
        if (next == steps.size() || !may_prepare(index))
            return;
        if (!std::exchange(at(index).prepared, true))
            out.push_back(action::PrepareStep{index});
    }
}

// ---- stopping

void Schedule::Impl::stop(StepIndex index, StopReason reason, bool at_once)
{
    auto& step = at(index);
    if (step.phase != StepRun::Phase::running)
        return;
    if (step.exited && reason <= StopReason::service_lost) // of concern to its process alone
        return;
    const bool first = step.stop == StopReason::none;
    step.stop = std::max(step.stop, reason);
    if (step.killed || (!first && !at_once))
        return;
    step.killed = at_once;
    out.push_back(action::StopStep{index, at_once});
}

// Stops the step if it runs, and ends it if it only waits to.
void Schedule::Impl::cut_short(StepIndex index, StopReason reason)
{
    auto& step = at(index);
    if (step.phase == StepRun::Phase::running)
        return stop(index, reason, hard);
    if (step.phase != StepRun::Phase::queued && step.phase != StepRun::Phase::backing_off)
        return;
    disarm_step(index);
    Outcome outcome;
    outcome.message = words_for(index, reason);
    // One that has begun is not skipped: an attempt of it failed.
    const bool begun_before = step.tries > 0;
    const auto cause = begun_before || reason == StopReason::cancel ? cause_of(reason) : Cause::ok;
    outcome.cause = cause;
    end(index, cause == Cause::ok ? State::skipped : state_of(cause), outcome);
}

std::string Schedule::Impl::words_for(StepIndex index, StopReason reason) const
{
    const auto limit = [](const char* whose, const std::optional<pipeline::Duration>& duration) {
        return std::string(whose) + " timeout of " + print_duration(duration.value_or(pipeline::Duration(0)));
    };
    switch (reason) {
    case StopReason::idle_timeout:
        return "no output for " + print_duration(plan_of(index).idle_timeout.value_or(pipeline::Duration(0)));
    case StopReason::step_timeout: return limit("step", plan_of(index).timeout);
    case StopReason::disk_full: return disk_message;
    case StopReason::service_lost: return at(index.stage).lost.message;
    case StopReason::finally_limit: return "finally-steps took more than " + print_duration(options.finally_limit);
    case StopReason::stage_timeout: return limit("stage", plan_of(index.stage).timeout);
    case StopReason::run_timeout: return limit("run", plan.timeout);
    default: return {};
    }
}

std::string Schedule::Impl::hint_for(StepIndex index, StopReason reason) const
{
    switch (reason) {
    case StopReason::idle_timeout: return "raise idle_timeout, or let it print something as it goes on";
    case StopReason::step_timeout:
    case StopReason::stage_timeout:
    case StopReason::run_timeout: return "raise the timeout, or see what it waited for: its last lines, a registry, a service";
    case StopReason::service_lost: return at(index.stage).lost.hint;
    case StopReason::disk_full: return "make room: gantry prune; gantry df shows what is there";
    default: return {};
    }
}

// ---- ending

void Schedule::Impl::retry_later(StepIndex index, const Outcome& outcome)
{
    auto& step = at(index);
    const auto delay = retry_delay(plan_of(index).retry, step.tries);
    auto& event = report(RunEvent::Kind::step_retry, index);
    event.attempt = step.attempt + 1;
    event.duration = delay;
    event.cause = outcome.cause;
    event.exit_code = outcome.exit_code;
    event.signal = outcome.signal;
    event.message = outcome.message;
    event.hint = outcome.hint;
    event.image = outcome.image;
    event.timings = outcome.timings;
    event.log_bytes = outcome.log_bytes;
    event.use = outcome.use;

    step.state = State::pending;
    step.killed = false;
    if (delay.count() == 0) {
        step.phase = StepRun::Phase::queued;
        queue.push_back(index);
    } else {
        step.phase = StepRun::Phase::backing_off;
        step.retry_timer = arm(Timer::Kind::retry, index, delay);
    }
}

// The step's final state; its stage may go on when it was the last of its group.
void Schedule::Impl::end(StepIndex index, State state, const Outcome& outcome)
{
    auto& step = at(index);
    auto& stage = at(index.stage);
    const auto& step_plan = plan_of(index);
    const bool was_live = step.phase != StepRun::Phase::waiting;
    const bool ran = step.phase == StepRun::Phase::running;
    step.phase = StepRun::Phase::over;
    step.state = state;
    stage.facts.steps[step_plan.id] = {outcome.image, outcome.outputs, std::string(to_string(state))};
    if (was_live)
        --stage.live;

    const bool allowed = step_plan.allow_failure && is_allowed(state) && step.stop <= StopReason::step_timeout;
    if (severity(state) > 0 && !allowed) {
        stage.failed = stage.failed || state != State::cancelled;
        note(index.stage, state, outcome.cause, "step " + step_plan.id + " " + std::string(verb_of(state)));
    }
    auto& event = report(RunEvent::Kind::step_finished, index);
    event.state = state;
    event.cause = outcome.cause;
    event.exit_code = outcome.exit_code;
    event.signal = outcome.signal;
    event.duration = ran ? now - step.started : std::chrono::nanoseconds(0);
    event.timings = outcome.timings;
    event.message = outcome.message;
    event.hint = outcome.hint;
    event.image = outcome.image;
    event.outputs = outcome.outputs;
    event.allowed_failure = allowed;
    event.log_bytes = outcome.log_bytes;
    event.use = outcome.use;
}

void Schedule::Impl::disarm_step(StepIndex index)
{
    auto& step = at(index);
    disarm(step.timeout_timer);
    disarm(step.idle_timer);
    disarm(step.retry_timer);
}

} // namespace gantry::runner
