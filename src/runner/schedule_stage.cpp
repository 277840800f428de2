#include "runner/schedule_state.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <utility>

namespace gantry::runner {

namespace {

// What becomes of a step that had not begun when its stage was halted.
State unbegun_state(StopReason reason)
{
    return reason == StopReason::cancel ? State::cancelled : State::skipped;
}

std::string why_unbegun(StopReason reason)
{
    switch (reason) {
    case StopReason::cancel: return "";
    case StopReason::disk_full: return "the disk is full";
    default: return "the run timed out";
    }
}

} // namespace

// ---- opening

// All that the stage needs is final: it opens, or it is skipped.
void Schedule::Impl::resolve(int index)
{
    const auto& stage_plan = plan_of(index);
    auto& stage = at(index);
    const auto skip = [&](State state, const std::string& why) {
        stage.worst = state;
        stage.cause = state == State::cancelled ? Cause::cancelled : Cause::ok;
        stage.message = why;
        end_all_steps(index, state, why);
        finalize(index);
    };
    if (const auto kept = options.kept.find(stage_plan.id); kept != options.kept.end())
        return keep(index, kept->second);
    if (halted != StopReason::none)
        return skip(unbegun_state(halted), why_unbegun(halted));
    const auto& reason = plan.skip_reason ? plan.skip_reason : stage_plan.skip_reason;
    if (reason)
        return skip(State::skipped, *reason);

    const auto read_facts = [this, index](bool with_stages) -> const auto& { return facts(index, with_stages); };
    const auto decision =
        decide(stage_plan.condition, {plan.event, stage_plan, read_facts, stage.needs_passed, true});
    if (decision.kind == Decision::Kind::skip)
        return skip(State::skipped, decision.reason.empty() ? why_needs_stop(index) : decision.reason);
    if (decision.kind == Decision::Kind::broken) {
        end_all_steps(index, State::skipped, decision.reason);
        note(index, State::error, Cause::config_error, decision.reason);
        return finalize(index);
    }
    open(index);
}

// It ended in an earlier process or run.
void Schedule::Impl::keep(int index, const ScheduleOptions::Kept& kept)
{
    auto& stage = at(index);
    for (std::size_t i = 0; i < stage.steps.size(); ++i) {
        const auto& id = plan_of(index).steps[i].id;
        auto& fact = stage.facts.steps[id];
        if (const auto found = kept.steps.find(id); found != kept.steps.end())
            fact = found->second;
        stage.steps[i].phase = StepRun::Phase::over;
        stage.steps[i].state = parse_state(fact.state).value_or(kept.state);
        fact.state = to_string(stage.steps[i].state);
        if (options.resumed)
            continue;
        auto& event = report(RunEvent::Kind::step_finished, {index, static_cast<int>(i)});
        event.state = stage.steps[i].state;
        event.allowed_failure = severity(event.state) > 0; // or its stage would not be kept
        event.message = "kept from an earlier run";
        event.outputs = fact.outputs;
        event.image = fact.image;
    }
    stage.worst = kept.state;
    stage.message = "kept from an earlier run";
    finalize(index);
}

void Schedule::Impl::open(int index)
{
    auto& stage = at(index);
    stage.phase = StageRun::Phase::opening;
    stage.state = State::running;
    stage.started = now;
    ++not_closed;
    report(RunEvent::Kind::stage_started, {index, -1}).state = State::running;
    out.push_back(action::OpenStage{index});
    if (const auto& timeout = plan_of(index).timeout)
        stage.timeout_timer = arm(Timer::Kind::stage_timeout, {index, -1}, *timeout);
}

std::string Schedule::Impl::why_needs_stop(int index) const
{
    for (const auto& need : plan_of(index).needs) {
        const auto found = index_of.find(need);
        if (found != index_of.end() && !at(found->second).passed)
            return "it needs " + need + ", which " + std::string(verb_of(at(found->second).state));
    }
    return "what it needs did not pass";
}

// ---- running

// Starts the next group whenever the last one is over; the stage ends after its last.
void Schedule::Impl::advance(int index)
{
    auto& stage = at(index);
    if (stage.phase != StageRun::Phase::open)
        return;
    while (stage.live == 0) {
        const auto& steps = plan_of(index).steps;
        stage.group_begin = stage.group_end;
        if (stage.group_begin == steps.size())
            return conclude(index);
        const auto& first = steps[stage.group_begin];
        while (stage.group_end < steps.size() && steps[stage.group_end].group == first.group &&
               steps[stage.group_end].in_finally == first.in_finally)
            ++stage.group_end;
        if (first.in_finally && !std::exchange(stage.in_finally, true) && stage.halted)
            arm_finally_limit(index);
        if (first.in_finally ? hard || stage.finally_over : stage.halted)
            skip_group(index);
        else
            begin_group(index);
    }
}

// All steps of a group are decided by what was before it.
void Schedule::Impl::begin_group(int index)
{
    auto& stage = at(index);
    const bool failed_before = stage.failed;
    for (auto i = stage.group_begin; i < stage.group_end; ++i) {
        const StepIndex step{index, static_cast<int>(i)};
        const auto decision = decide_step(step, failed_before);
        Outcome outcome;
        outcome.message = decision.reason;
        if (decision.kind == Decision::Kind::run) {
            ++stage.live;
            at(step).phase = StepRun::Phase::queued;
            queue.push_back(step);
        } else if (decision.kind == Decision::Kind::skip) {
            end(step, State::skipped, outcome);
        } else {
            outcome.cause = Cause::config_error;
            end(step, State::error, outcome);
        }
    }
}

void Schedule::Impl::skip_group(int index)
{
    auto& stage = at(index);
    const bool cancelled = halted == StopReason::cancel;
    Outcome outcome;
    outcome.cause = cancelled ? Cause::cancelled : Cause::ok;
    outcome.message = cancelled ? "" : stage.finally_over ? "the time for finally-steps was over" : stage.message;
    for (auto i = stage.group_begin; i < stage.group_end; ++i)
        end({index, static_cast<int>(i)}, cancelled ? State::cancelled : State::skipped, outcome);
}

// ---- halting: nothing new but finally-steps

void Schedule::Impl::halt_run(StopReason reason)
{
    halted = std::max(halted, reason);
    for (int i = 0; i < static_cast<int>(stages.size()); ++i)
        if (at(i).phase == StageRun::Phase::waiting)
            resolvable.push_back(i);
        else
            halt(i, halted);
}

void Schedule::Impl::halt(int index, StopReason reason)
{
    auto& stage = at(index);
    if (stage.phase == StageRun::Phase::collecting && (reason == StopReason::stage_timeout || reason == StopReason::run_timeout))
        return stop_collecting(index, reason);
    if (stage.phase != StageRun::Phase::opening && stage.phase != StageRun::Phase::open)
        return;
    stage.halted = true;
    const auto cause = cause_of(reason);
    const bool cut = !stage.in_finally || reason == StopReason::stage_timeout;
    if (cut) {
        stage.failed = stage.failed || reason != StopReason::cancel;
        note(index, state_of(cause), cause, words_for({index, -1}, reason));
        if (stage.cause == cause) {
            stage.message = words_for({index, -1}, reason);
            stage.hint = hint_for({index, -1}, reason);
        }
    }
    if (stage.phase == StageRun::Phase::opening)
        return;
    if (stage.in_finally)
        arm_finally_limit(index);
    if (!stage.in_finally || hard)
        for (auto i = stage.group_begin; i < stage.group_end; ++i)
            cut_short({index, static_cast<int>(i)}, reason);
    advance(index);
}

// What its steps did counts for more.
void Schedule::Impl::stop_collecting(int index, StopReason reason)
{
    auto& stage = at(index);
    stage.collecting_over = true;
    const auto cause = cause_of(reason);
    if (stage.worst == State::success)
        note(index, state_of(cause), cause, words_for({index, -1}, reason) + ", while its artifacts were collected", hint_for({index, -1}, reason));
}

// Also for the artifacts of a stage that was halted.
void Schedule::Impl::arm_finally_limit(int index)
{
    auto& stage = at(index);
    if (stage.finally_timer == 0 && !stage.finally_over)
        stage.finally_timer = arm(Timer::Kind::finally_limit, {index, -1}, options.finally_limit);
}

// ---- ending

void Schedule::Impl::note(int index, State state, Cause cause, const std::string& message, const std::string& hint)
{
    auto& stage = at(index);
    if (severity(state) <= severity(stage.worst))
        return;
    stage.worst = state;
    stage.cause = cause;
    stage.message = message;
    stage.hint = hint;
}

void Schedule::Impl::end_all_steps(int index, State state, const std::string& message)
{
    Outcome outcome;
    outcome.cause = state == State::cancelled ? Cause::cancelled : Cause::ok;
    outcome.message = message;
    for (std::size_t i = 0; i < at(index).steps.size(); ++i)
        if (const StepIndex step{index, static_cast<int>(i)}; at(step).phase != StepRun::Phase::over)
            end(step, state, outcome);
}

// An opened stage has nothing left to do.
void Schedule::Impl::conclude(int index)
{
    auto& stage = at(index);
    end_all_steps(index, stage.worst == State::cancelled ? State::cancelled : State::skipped, stage.message);
    if (!stage.was_opened || !plan_of(index).artifacts)
        return close(index);
    stage.phase = StageRun::Phase::collecting;
    if (stage.halted)
        arm_finally_limit(index);
    out.push_back(action::CollectStage{index, stage.worst});
}

void Schedule::Impl::close(int index)
{
    disarm(at(index).timeout_timer);
    disarm(at(index).finally_timer);
    at(index).phase = StageRun::Phase::closing;
    finalize(index);
    out.push_back(action::CloseStage{index});
}

void Schedule::Impl::finalize(int index)
{
    auto& stage = at(index);
    const bool opened = stage.phase == StageRun::Phase::closing;
    const bool kept = options.kept.contains(plan_of(index).id);
    if (!opened)
        stage.phase = StageRun::Phase::closed;
    stage.state = stage.worst;
    const bool allowed = plan_of(index).allow_failure && is_allowed(stage.state);
    // A stage that its own condition skips is no obstacle; but what it needs, those who need it need as well.
    stage.passed =
        allowed || stage.state == State::success || (stage.state == State::skipped && stage.needs_passed);
    --not_final;
    stage.facts.stages.clear(); // of a long chain each would hold all before it
    stage.knows_stages = false;
    for (const int dependent : stage.dependents) {
        at(dependent).needs_passed = at(dependent).needs_passed && stage.passed;
        if (--at(dependent).needs_left == 0)
            resolvable.push_back(dependent);
    }
    if (kept && options.resumed)
        return;
    auto& event = report(RunEvent::Kind::stage_finished, {index, -1});
    event.state = stage.state;
    event.cause = stage.cause;
    event.message = stage.message;
    event.hint = stage.hint;
    event.allowed_failure = allowed;
    event.duration = opened ? now - stage.started : std::chrono::nanoseconds(0);
}

} // namespace gantry::runner
