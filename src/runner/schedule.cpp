#include "runner/schedule_state.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace gantry::runner {

Schedule::Impl::Impl(const pipeline::Plan& the_plan, ScheduleOptions the_options)
    : plan(the_plan), options(std::move(the_options)), stages(plan.stages.size())
{
    options.slots = std::max(options.slots, 1);
    not_final = static_cast<int>(stages.size());
    for (int i = 0; i < not_final; ++i) {
        index_of[plan_of(i).id] = i;
        at(i).steps.resize(plan_of(i).steps.size());
        if (const auto former = options.attempts.find(plan_of(i).id); former != options.attempts.end())
            number_on(i, former->second);
    }
    for (int i = 0; i < not_final; ++i)
        for (const auto& need : std::set(plan_of(i).needs.begin(), plan_of(i).needs.end()))
            if (const auto found = index_of.find(need); found != index_of.end()) {
                at(found->second).dependents.push_back(i);
                ++at(i).needs_left;
            }
}

void Schedule::Impl::number_on(int stage, const std::map<std::string, int>& attempts)
{
    for (std::size_t i = 0; i < at(stage).steps.size(); ++i)
        if (const auto last = attempts.find(plan_of(stage).steps[i].id); last != attempts.end())
            at(stage).steps[i].attempt = last->second;
}

// ---- inputs

void Schedule::Impl::on(const input::Begin&)
{
    if (std::exchange(begun, true))
        return;
    began = now;
    if (!options.resumed)
        report(RunEvent::Kind::run_started).message = plan.pipeline;
    if (plan.timeout)
        run_timer = arm(Timer::Kind::run_timeout, {}, *plan.timeout);
    for (int i = 0; i < static_cast<int>(stages.size()); ++i)
        if (at(i).needs_left == 0)
            resolvable.push_back(i);
}

void Schedule::Impl::on(const input::StageOpened& opened)
{
    auto& stage = at(opened.stage);
    if (stage.phase != StageRun::Phase::opening)
        return;
    stage.phase = StageRun::Phase::open;
    stage.facts.services = opened.services;
    stage.was_opened = true;
    // Halted while it opened: nothing of it has run, so there is nothing for its finally-steps to do.
    if (stage.halted)
        conclude(opened.stage);
    else if (stage.lost_unopened)
        halt(opened.stage, StopReason::service_lost);
    else
        advance(opened.stage);
}

void Schedule::Impl::on(const input::StageFailedToOpen& failed)
{
    auto& stage = at(failed.stage);
    if (stage.phase != StageRun::Phase::opening)
        return;
    const auto& outcome = failed.outcome;
    const auto cause = outcome.cause == Cause::ok ? Cause::internal : outcome.cause;
    const auto state = stage.halted ? stage.worst : state_of(cause);
    note(failed.stage, state, stage.halted ? stage.cause : cause, outcome.message, outcome.hint);
    stage.phase = StageRun::Phase::open;
    if (failed.has_room && !stage.halted) {
        stage.was_opened = stage.failed = stage.halted = true;
        return advance(failed.stage);
    }
    if (!stage.halted)
        end_all_steps(failed.stage, State::skipped, "its stage could not begin");
    conclude(failed.stage);
}

void Schedule::Impl::on(const input::StepStarted& started)
{
    auto& step = at(started.step);
    if (step.phase != StepRun::Phase::running || step.exited || step.timeout_timer || step.idle_timer)
        return;
    step.last_output = now;
    if (const auto& timeout = plan_of(started.step).timeout)
        step.timeout_timer = arm(Timer::Kind::step_timeout, started.step, *timeout);
    if (const auto& timeout = plan_of(started.step).idle_timeout)
        step.idle_timer = arm(Timer::Kind::idle_timeout, started.step, *timeout);
}

void Schedule::Impl::on(const input::StepOutput& output)
{
    at(output.step).last_output = now;
}

void Schedule::Impl::on(const input::StepExited& exited)
{
    if (at(exited.step).phase != StepRun::Phase::running)
        return;
    at(exited.step).exited = true;
    disarm_step(exited.step);
}

void Schedule::Impl::on(const input::StepEnded& ended)
{
    auto& step = at(ended.step);
    if (step.phase != StepRun::Phase::running)
        return;
    --running;
    disarm_step(ended.step);
    auto outcome = ended.outcome;
    if (step.stop != StopReason::none && !ended.may_still_run) {
        outcome.cause = cause_of(step.stop);
        outcome.message = words_for(ended.step, step.stop);
        outcome.hint = hint_for(ended.step, step.stop);
    }
    const auto& stage = at(ended.step.stage);
    const bool closed_to_it = plan_of(ended.step).in_finally ? hard || stage.finally_over : stage.halted;
    const auto& retry = plan_of(ended.step).retry;
    if (!ended.may_still_run && !closed_to_it && step.tries <= retry.max && may_retry(retry, outcome))
        return retry_later(ended.step, outcome);
    end(ended.step, state_of(outcome.cause), outcome);
    advance(ended.step.stage);
}

// What its steps did counts for more than what became of their files.
void Schedule::Impl::on(const input::StageCollected& collected)
{
    auto& stage = at(collected.stage);
    if (stage.phase != StageRun::Phase::collecting)
        return;
    const auto& outcome = collected.outcome;
    if (stage.worst == State::success)
        note(collected.stage, state_of(outcome.cause), outcome.cause, outcome.message, outcome.hint);
    close(collected.stage);
}

void Schedule::Impl::on(const input::StageClosed& closed)
{
    auto& stage = at(closed.stage);
    if (stage.phase != StageRun::Phase::closing)
        return;
    stage.phase = StageRun::Phase::closed;
    --not_closed;
}

void Schedule::Impl::on(const input::ServiceLost& lost)
{
    auto& stage = at(lost.stage);
    const bool opening = stage.phase == StageRun::Phase::opening;
    if ((!opening && stage.phase != StageRun::Phase::open) || stage.in_finally || stage.halted)
        return;
    stage.lost = lost.outcome;
    if (opening)
        stage.lost_unopened = true; // there is room for finally-steps when it is open
    else
        halt(lost.stage, StopReason::service_lost);
}

void Schedule::Impl::on(const input::TimerFired& fired)
{
    const auto found = timers.find(fired.timer);
    if (found == timers.end())
        return;
    const auto timer = found->second;
    timers.erase(found);
    switch (timer.kind) {
    case Timer::Kind::step_timeout:
        at(timer.step).timeout_timer = 0;
        return stop(timer.step, StopReason::step_timeout, false);
    case Timer::Kind::idle_timeout: {
        auto& step = at(timer.step);
        const auto limit = *plan_of(timer.step).idle_timeout;
        const auto silent = now - step.last_output;
        step.idle_timer = silent < limit ? arm(Timer::Kind::idle_timeout, timer.step, limit - silent) : 0;
        if (step.idle_timer == 0)
            stop(timer.step, StopReason::idle_timeout, false);
        return;
    }
    case Timer::Kind::retry:
        at(timer.step).retry_timer = 0;
        at(timer.step).phase = StepRun::Phase::queued;
        return queue.push_back(timer.step);
    case Timer::Kind::stage_timeout:
        at(timer.step.stage).timeout_timer = 0;
        return halt(timer.step.stage, StopReason::stage_timeout);
    case Timer::Kind::finally_limit: {
        auto& stage = at(timer.step.stage);
        stage.finally_timer = 0;
        stage.finally_over = true;
        if (stage.phase == StageRun::Phase::collecting)
            return stop_collecting(timer.step.stage, StopReason::finally_limit);
        for (auto i = stage.group_begin; i < stage.group_end; ++i)
            cut_short({timer.step.stage, static_cast<int>(i)}, StopReason::finally_limit);
        return advance(timer.step.stage);
    }
    case Timer::Kind::run_timeout:
        run_timer = 0;
        return halt_run(StopReason::run_timeout);
    }
}

void Schedule::Impl::on(const input::DiskFull& full)
{
    if (halted != StopReason::none || finished)
        return;
    disk_message = full.message;
    halt_run(StopReason::disk_full);
}

void Schedule::Impl::on(const input::Cancel& cancel)
{
    const bool again = halted == StopReason::cancel;
    if (finished || (begun && not_final == 0) || hard)
        return;
    hard = cancel.hard || again;
    auto& told = report(RunEvent::Kind::cancel_requested);
    told.message = cancel.by;
    if (hard)
        told.outputs = {{"at_once", "true"}};
    halt_run(StopReason::cancel);
}

// What follows from an input, stage by stage and step by step instead of by recursion: a plan may be ten thousand long.
void Schedule::Impl::go_on()
{
    if (!begun)
        return;
    while (!resolvable.empty()) {
        const int stage = resolvable.front();
        resolvable.pop_front();
        if (at(stage).phase == StageRun::Phase::waiting)
            resolve(stage);
    }
    dispatch();
    finish_if_done();
}

void Schedule::Impl::finish_if_done()
{
    if (finished || not_final != 0)
        return;
    disarm(run_timer); // what is left to remove does not count
    if (not_closed != 0)
        return;
    finished = true;
    State state = State::success;
    Cause cause = Cause::ok;
    if (halted != StopReason::none) {
        cause = cause_of(halted);
        state = state_of(cause);
    }
    for (int i = 0; i < static_cast<int>(stages.size()); ++i) {
        const auto& stage = at(i);
        const bool counts = !(plan_of(i).allow_failure && is_allowed(stage.state));
        if (counts && severity(stage.state) > severity(state)) {
            state = stage.state;
            cause = stage.cause;
        }
    }
    auto& event = report(RunEvent::Kind::run_finished);
    event.state = state;
    event.cause = cause;
    event.duration = now - began;
    event.message = plan.skip_reason.value_or("");
    out.push_back(action::Finish{state, cause});
}

// ---- helpers

int Schedule::Impl::arm(Timer::Kind kind, StepIndex step, std::chrono::nanoseconds after)
{
    const int timer = ++last_timer;
    timers[timer] = {kind, step};
    const auto longest = Clock::time_point::max() - now;
    out.push_back(action::ArmTimer{timer, now + std::clamp<Clock::time_point::duration>(after, {}, longest)});
    return timer;
}

void Schedule::Impl::disarm(int& timer)
{
    if (timer != 0 && timers.erase(timer) != 0)
        out.push_back(action::DisarmTimer{timer});
    timer = 0;
}

RunEvent& Schedule::Impl::report(RunEvent::Kind kind)
{
    out.push_back(action::Report{});
    auto& event = std::get<action::Report>(out.back()).event;
    event.kind = kind;
    return event;
}

RunEvent& Schedule::Impl::report(RunEvent::Kind kind, StepIndex step)
{
    auto& event = report(kind);
    event.stage = plan_of(step.stage).id;
    if (step.step >= 0) {
        event.step = plan_of(step).id;
        event.attempt = at(step).attempt;
    }
    return event;
}

const pipeline::RuntimeFacts& Schedule::Impl::facts(int index, bool with_stages)
{
    auto& stage = at(index);
    stage.facts.failed = stage.phase == StageRun::Phase::waiting ? !stage.needs_passed : stage.failed;
    stage.facts.cancelled = halted == StopReason::cancel;
    if (with_stages && !std::exchange(stage.knows_stages, true))
        learn_stages(index);
    return stage.facts;
}

// Expressions may read the stages that their stage needs, near or far: others may be over or not by now.
void Schedule::Impl::learn_stages(int index)
{
    auto& known = at(index).facts.stages;
    std::set<int> seen = {index};
    std::vector<int> open_ends = {index};
    while (!open_ends.empty()) {
        const int next = open_ends.back();
        open_ends.pop_back();
        for (const auto& need : plan_of(next).needs) {
            const auto found = index_of.find(need);
            if (found == index_of.end() || !seen.insert(found->second).second)
                continue;
            known[need] = at(found->second).facts.steps;
            open_ends.push_back(found->second);
        }
    }
}

// ---- the outside

Schedule::Schedule(const pipeline::Plan& plan, ScheduleOptions options)
    : impl_(std::make_unique<Impl>(plan, std::move(options)))
{
}

Schedule::~Schedule() = default;

std::vector<Action> Schedule::on(const Input& input, Clock::time_point now)
{
    impl_->now = now;
    impl_->out.reserve(8); // most inputs cause fewer
    std::visit([this](const auto& what) { impl_->on(what); }, input);
    impl_->go_on();
    return std::exchange(impl_->out, {});
}

pipeline::RuntimeFacts Schedule::facts(int stage) const { return impl_->facts(stage, true); }
State Schedule::stage_state(int stage) const { return impl_->at(stage).state; }
State Schedule::step_state(StepIndex step) const { return impl_->at(step).state; }
int Schedule::attempt(StepIndex step) const { return impl_->at(step).attempt; }
bool Schedule::is_timed_out(StepIndex step) const { return cause_of(impl_->at(step).stop) == Cause::timeout; }
bool Schedule::is_halted(int stage) const { return impl_->at(stage).halted; }
bool Schedule::is_collecting_over(int stage) const { return impl_->at(stage).collecting_over; }
bool Schedule::finished() const { return impl_->finished; }

} // namespace gantry::runner
