#include "runner/simulator_world.hpp"

#include <algorithm>

namespace gantry::test {

namespace {

namespace act = runner::action;
namespace in = runner::input;
using Life = StageFacts::Life;
using runner::State;

runner::ScheduleOptions options_for(std::uint64_t seed)
{
    Random random(seed ^ 0x5107);
    runner::ScheduleOptions options;
    options.slots = random.between(1, 6);
    options.finally_limit = std::chrono::seconds(random.between(1, 8));
    return options;
}

Rules::Limits limits_of(const runner::ScheduleOptions& options) { return {options.slots, options.finally_limit}; }

} // namespace

Simulation::Simulation(const RandomPlan& plan, std::uint64_t seed)
    : plan_(plan), fate_(seed), random_(seed ^ 0xfeed), options_(options_for(seed)),
      rules_(plan, facts_, limits_of(options_))
{
    if (random_.chance(25))
        crash_after_ = random_.below(50);
    begin_process(options_);
    later(in::Begin{}, Nanoseconds(0));
    if (random_.chance(30))
        for (int i = random_.between(1, 3); i > 0; --i)
            later(in::Cancel{random_.chance(25), "test"}, milliseconds(8000));
}

// ---- processes

void Simulation::begin_process(runner::ScheduleOptions options)
{
    const auto former = std::move(facts_.stages);
    facts_ = {};
    facts_.stages.resize(plan_.plan.stages.size());
    for (std::size_t i = 0; i < facts_.stages.size(); ++i) {
        auto& stage = facts_.stages[i];
        const auto& steps = plan_.plan.stages[i].steps;
        stage.kept = options.kept.contains(plan_.plan.stages[i].id);
        stage.steps.resize(steps.size());
        stage.body_left = static_cast<int>(
            std::count_if(steps.begin(), steps.end(), [](const auto& step) { return !step.in_finally; }));
        stage.silent = stage.kept && options.resumed;
        for (std::size_t k = 0; k < steps.size() && !former.empty(); ++k) {
            auto& step = stage.steps[k];
            if (options.resumed)
                step.last_number = former[i].steps[k].last_number;
            if (!stage.kept)
                continue;
            step.state = former[i].steps[k].state;
            step.outcome = former[i].steps[k].outcome;
        }
    }
    schedule_ = std::make_unique<runner::Schedule>(plan_.plan, std::move(options));
}

// The process dies, and another one takes over with what the journal tells: as `gantry resume`, or as `gantry rerun --failed`.
void Simulation::crash()
{
    ++crashes;
    auto options = options_;
    options.resumed = random_.chance(70);
    for (std::size_t i = 0; i < facts_.stages.size(); ++i) {
        const auto& stage = plan_.plan.stages[i];
        for (std::size_t k = 0; k < stage.steps.size(); ++k)
            if (const int number = facts_.stages[i].steps[k].last_number; options.resumed && number > 0)
                options.attempts[stage.id][stage.steps[k].id] = number;
        if (facts_.stages[i].state != State::success || random_.chance(20))
            continue;
        auto& kept = options.kept[stage.id];
        for (std::size_t k = 0; k < stage.steps.size(); ++k)
            kept.steps[stage.steps[k].id] = {"", facts_.stages[i].steps[k].outcome.outputs,
                                             std::string(to_string(facts_.stages[i].steps[k].state))};
    }
    pending_ = {};
    timers_.clear();
    begin_process(std::move(options));
    later(in::Begin{}, Nanoseconds(0));
    if (random_.chance(20))
        later(in::Cancel{random_.chance(25), "test"}, milliseconds(8000));
}

void Simulation::run()
{
    constexpr int k_most_inputs = 20'000;
    for (int inputs = 0; !finish_; ++inputs) {
        require(!pending_.empty(), "the run does not end: nothing is going to happen");
        require(inputs < k_most_inputs, "the run does not end: too many inputs");
        if (inputs == crash_after_)
            crash();
        const auto next = pending_.top();
        pending_.pop();
        now_ = std::max(now_, next.at);
        if (is_due(next))
            feed(next);
    }
    check_end();
    // What comes too late changes nothing.
    while (!pending_.empty()) {
        require(schedule_->on(pending_.top().input, now_).empty(), "an action after the end");
        pending_.pop();
    }
}

// ---- inputs

void Simulation::later(runner::Input input, Nanoseconds delay, int timer, int generation)
{
    pending_.push({now_ + delay, random_.next(), std::move(input), timer, generation});
}

// Plans change: a step that is stopped ends at another time, a timer that is disarmed seldom fires.
bool Simulation::is_due(const Pending& pending)
{
    if (pending.timer) {
        const bool armed = timers_.erase(pending.timer) > 0;
        return armed || random_.chance(20); // it fired while it was being disarmed
    }
    if (const auto* ended = std::get_if<in::StepEnded>(&pending.input))
        return generation_[ended->step] == pending.generation;
    if (const auto* started = std::get_if<in::StepStarted>(&pending.input))
        return !at(started->step).running || at(started->step).attempts == pending.generation;
    if (const auto* exited = std::get_if<in::StepExited>(&pending.input))
        return !at(exited->step).running || at(exited->step).attempts == pending.generation;
    return true;
}

void Simulation::learn(const runner::Input& input)
{
    if (std::holds_alternative<in::Begin>(input)) {
        facts_.begun = true;
        if (plan_.plan.timeout)
            facts_.timeout = Moment::by_timer(now_ + *plan_.plan.timeout);
        settle_kept();
    } else if (const auto* started = std::get_if<in::StepStarted>(&input)) {
        auto& step = at(started->step);
        if (step.running && !step.exited)
            step.process_since = step.last_output = now_;
    } else if (const auto* exited = std::get_if<in::StepExited>(&input)) {
        auto& step = at(exited->step);
        step.exited = step.running;
        step.process_since.reset();
    } else if (const auto* output = std::get_if<in::StepOutput>(&input)) {
        at(output->step).last_output = now_;
    } else if (const auto* ended = std::get_if<in::StepEnded>(&input)) {
        auto& step = at(ended->step);
        step.running = step.exited = false;
        step.just_ended = true;
        step.was_stopped = step.stops > 0;
        step.outcome = ended->outcome;
        step.may_still_run = ended->may_still_run;
        facts_.anything_lost = facts_.anything_lost || ended->may_still_run;
        --facts_.running;
    } else if (const auto* cancel = std::get_if<in::Cancel>(&input); cancel && !facts_.all_final_since) {
        facts_.hard = facts_.hard || cancel->hard || facts_.cancelled;
        if (!std::exchange(facts_.cancelled, true))
            facts_.cancel = Moment::at(now_);
        for (auto& stage : facts_.stages)
            stage.cut =
                stage.cut || stage.life == Life::opening || (stage.life == Life::open && !stage.in_finally_since);
    } else if (const auto* opened = std::get_if<in::StageOpened>(&input)) {
        learn_opened(opened->stage);
        if (at(opened->stage).lost_unopened && !at(opened->stage).halted_unopened)
            lose_service(opened->stage);
    } else if (const auto* lost = std::get_if<in::ServiceLost>(&input)) {
        auto& stage = at(lost->stage);
        if (stage.life == Life::open && stage.opened && !stage.in_finally_since && !rules_.is_halted(lost->stage, now_))
            lose_service(lost->stage);
        else if (stage.life == Life::opening)
            stage.lost_unopened = true;
    } else if (const auto* failed = std::get_if<in::StageFailedToOpen>(&input)) {
        auto& stage = at(failed->stage);
        if (failed->has_room && !rules_.is_halted(failed->stage, now_)) {
            learn_opened(failed->stage);
            lose_service(failed->stage);
        }
        stage.life = Life::open;
    } else if (const auto* closed = std::get_if<in::StageClosed>(&input)) {
        at(closed->stage).life = Life::closed;
    }
}

void Simulation::learn_opened(int index)
{
    auto& stage = at(index);
    stage.life = Life::open;
    stage.opened = true;
    stage.halted_unopened = rules_.is_halted(index, now_);
    stage.may_have_been = rules_.may_be_halted(index, now_);
    if (stage.body_left == 0)
        stage.in_finally_since = now_;
}

void Simulation::lose_service(int index)
{
    at(index).lost = facts_.anything_lost = true;
    at(index).lost_at = Moment::at(now_);
    for (auto& step : at(index).steps)
        step.exited_before_loss = step.exited;
}

void Simulation::feed(const Pending& pending)
{
    learn(pending.input);
    for (const auto& action : schedule_->on(pending.input, now_)) {
        require(!finish_, "an action after Finish");
        note(action.index());
        carry_out(action);
    }
    rules_.check_progress(now_);
    if (const auto* ended = std::get_if<in::StepEnded>(&pending.input)) {
        rules_.check_after_attempt(ended->step, now_);
        at(ended->step).just_ended = false;
    }
}

// ---- actions

void Simulation::carry_out(const runner::Action& action)
{
    if (const auto* open_stage = std::get_if<act::OpenStage>(&action))
        return open(open_stage->stage);
    if (const auto* start_step = std::get_if<act::StartStep>(&action))
        return start(*start_step);
    if (const auto* stop_step = std::get_if<act::StopStep>(&action))
        return stop(*stop_step);
    if (const auto* close_stage = std::get_if<act::CloseStage>(&action))
        return close(close_stage->stage);
    if (const auto* arm = std::get_if<act::ArmTimer>(&action)) {
        require(arm->at >= now_, "a timer in the past");
        require(timers_.emplace(arm->timer, arm->at).second, "a timer twice");
        const auto late = std::chrono::milliseconds(random_.chance(20) ? random_.below(k_lateness.count() + 1) : 0);
        later(in::TimerFired{arm->timer}, arm->at - now_ + late, arm->timer);
    } else if (const auto* disarm = std::get_if<act::DisarmTimer>(&action)) {
        timers_.erase(disarm->timer);
    } else if (const auto* report = std::get_if<act::Report>(&action)) {
        record(report->event);
    } else if (const auto* prepare = std::get_if<act::PrepareStep>(&action)) {
        rules_.check_prepare(prepare->step);
    } else if (const auto* finish = std::get_if<act::Finish>(&action)) {
        finish_ = *finish;
    }
}

void Simulation::open(int stage)
{
    rules_.check_open(stage, now_);
    note(static_cast<std::uint64_t>(stage));
    auto& facts = at(stage);
    facts.life = Life::opening;
    if (const auto& timeout = plan_of(stage).timeout)
        facts.timeout = Moment::by_timer(now_ + *timeout);
    runner::Outcome outcome;
    if (fate_.opens(stage)) {
        outcome.cause = runner::Cause::service_unhealthy;
        if (random_.chance(10))
            later(in::ServiceLost{stage, outcome}, milliseconds(random_.chance(25) ? 500 : 6000));
        return later(in::StageOpened{stage}, milliseconds(500));
    }
    const bool has_room = random_.chance(50);
    outcome.cause = has_room ? runner::Cause::service_unhealthy : runner::Cause::checkout_error;
    later(in::StageFailedToOpen{stage, outcome, has_room}, milliseconds(500));
}

void Simulation::start(const act::StartStep& start)
{
    rules_.check_start(start, now_);
    const auto index = start.step;
    note(static_cast<std::uint64_t>(index.stage * 1000 + index.step * 10 + start.attempt));
    auto& step = at(index);
    step.last_number = start.attempt;
    ++step.attempts;
    step.running = true;
    step.stops = 0;
    step.killed = false;
    step.process_since.reset();
    step.exited = false;
    step.backing_off_until.reset();
    ++facts_.running;
    ++attempts;

    const auto starts_in = milliseconds(800);
    const auto takes = milliseconds(random_.chance(10) ? 15'000 : 2500);
    if (random_.chance(90)) // some too late
        later(in::StepStarted{index}, random_.chance(3) ? starts_in + takes + milliseconds(10) : starts_in, 0,
              step.attempts);
    for (int i = random_.below(3); i > 0; --i)
        later(in::StepOutput{index}, starts_in + milliseconds(3000));
    // Its output and its files take a while after the process has ended.
    const auto reads = milliseconds(random_.chance(30) ? 4000 : 50);
    if (random_.chance(70))
        later(in::StepExited{index}, starts_in + takes, 0, step.attempts);
    auto outcome = fate_.of(index.stage, index.step, step.attempts);
    const bool may_still_run = outcome.cause == runner::Cause::engine_lost && random_.chance(30);
    later(in::StepEnded{index, std::move(outcome), may_still_run}, starts_in + takes + reads, 0, ++generation_[index]);
}

void Simulation::stop(const act::StopStep& stop)
{
    rules_.check_stop(stop, now_);
    auto& step = at(stop.step);
    step.killed = stop.hard;
    ++step.stops;
    // It may end with anything: by the signal, or by itself just before.
    auto outcome = fate_.of(stop.step.stage, stop.step.step, step.attempts);
    if (random_.chance(50)) {
        outcome.cause = runner::Cause::killed_by_signal;
        outcome.signal = 15;
    }
    const bool may_still_run = random_.chance(5);
    if (may_still_run)
        outcome.cause = runner::Cause::engine_lost;
    later(in::StepEnded{stop.step, outcome, may_still_run}, milliseconds(stop.hard ? 100 : 3000), 0, ++generation_[stop.step]);
}

void Simulation::close(int stage)
{
    auto& facts = at(stage);
    require(facts.life == Life::open, "a stage is closed that is not open");
    require(facts.over, "a stage is closed before it is final");
    facts.life = Life::closing;
    later(in::StageClosed{stage}, milliseconds(500));
}

runner::StepIndex Simulation::index_of(const runner::RunEvent& event) const
{
    const auto& stages = plan_.plan.stages;
    const auto stage =
        std::find_if(stages.begin(), stages.end(), [&](const auto& one) { return one.id == event.stage; });
    require(stage != stages.end(), "an event of a stage that the plan does not have");
    const auto step =
        std::find_if(stage->steps.begin(), stage->steps.end(), [&](const auto& one) { return one.id == event.step; });
    return {static_cast<int>(stage - stages.begin()), static_cast<int>(step - stage->steps.begin())};
}

void Simulation::record(const runner::RunEvent& event)
{
    using Kind = runner::RunEvent::Kind;
    note(static_cast<std::uint64_t>(event.kind) * 16 + static_cast<std::uint64_t>(event.state));
    facts_.anything_expired = facts_.anything_expired || event.cause == runner::Cause::timeout;
    if (event.kind == Kind::step_finished)
        record_end(index_of(event), event);
    if (event.kind == Kind::stage_finished)
        record_end(index_of(event).stage, event);
    if (event.kind == Kind::step_retry) {
        rules_.check_retry(index_of(event), event);
        at(index_of(event)).backing_off_until = now_ + event.duration;
    }
}

void Simulation::record_end(runner::StepIndex index, const runner::RunEvent& event)
{
    rules_.check_end(index, event, now_);
    auto& step = at(index);
    auto& stage = at(index.stage);
    step.over = true;
    step.state = event.state;
    step.cause = event.cause;
    step.allowed = event.allowed_failure;
    step.backing_off_until.reset();
    if (!step.just_ended && !stage.kept)
        step.outcome = {};
    const bool in_body = !plan_of(index.stage).steps[static_cast<std::size_t>(index.step)].in_finally;
    if (in_body && --stage.body_left == 0)
        stage.in_finally_since = now_;
}

void Simulation::record_end(int index, const runner::RunEvent& event)
{
    rules_.check_end(index, event, now_);
    auto& stage = at(index);
    stage.over = true;
    stage.state = event.state;
    stage.allowed = event.allowed_failure;
    stage.passed =
        stage.allowed || event.state == State::success || (event.state == State::skipped && rules_.needs_passed(index));
    settle_kept();
}

// The plan's order is topological.
void Simulation::settle_kept()
{
    bool all_over = true;
    for (int i = 0; i < static_cast<int>(facts_.stages.size()); ++i) {
        auto& stage = at(i);
        if (stage.silent && !stage.over && rules_.needs_over(i)) {
            stage.over = stage.passed = true;
            stage.state = State::success;
        }
        all_over = all_over && stage.over;
    }
    if (all_over)
        facts_.all_final_since = now_;
}

void Simulation::check_end() const
{
    require(facts_.running == 0, "the run ends while a step runs");
    require(timers_.empty(), "a timer is armed at the end");
    require(schedule_->finished(), "finished() says no at the end");
    for (std::size_t i = 0; i < facts_.stages.size(); ++i) {
        const auto& stage = facts_.stages[i];
        require(stage.life == Life::unopened || stage.life == Life::closed, "a stage that opened is not closed");
        require(stage.over, "a stage never ended");
        require(schedule_->stage_state(static_cast<int>(i)) == stage.state,
                "the event of a stage and its state differ");
        for (std::size_t k = 0; k < stage.steps.size(); ++k) {
            const runner::StepIndex index{static_cast<int>(i), static_cast<int>(k)};
            require(schedule_->step_state(index) == stage.steps[k].state, "the event of a step and its state differ");
        }
    }
    rules_.check_finish(*finish_);
}

} // namespace gantry::test
