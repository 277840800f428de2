// The shell of the simulator and the invariants that it checks while it runs.
#include "runner/simulator_world.hpp"

#include <algorithm>

namespace gantry::test {

namespace {

namespace act = runner::action;
namespace in = runner::input;
using runner::State;

runner::ScheduleOptions options_for(std::uint64_t seed)
{
    Random random(seed ^ 0x5107);
    runner::ScheduleOptions options;
    options.slots = random.between(1, 6);
    options.finally_limit = std::chrono::seconds(random.between(1, 8));
    return options;
}

} // namespace

Simulation::Simulation(const RandomPlan& plan, std::uint64_t seed)
    : plan_(plan), fate_(seed), random_(seed ^ 0xfeed), schedule_(plan.plan, options_for(seed)),
      slots_(options_for(seed).slots), stages_(plan.plan.stages.size())
{
    for (std::size_t i = 0; i < stages_.size(); ++i) {
        stages_[i].steps.resize(plan.plan.stages[i].steps.size());
        stage_by_id_[plan.plan.stages[i].id] = static_cast<int>(i);
    }
    later(in::Begin{}, Nanoseconds(0));
    if (random_.chance(30))
        for (int i = random_.between(1, 3); i > 0; --i)
            later(in::Cancel{random_.chance(25), "test"}, milliseconds(8000));
}

void Simulation::require(bool holds, const char* what) const
{
    if (!holds)
        throw std::runtime_error(what);
}

void Simulation::later(runner::Input input, Nanoseconds delay, int timer, int generation)
{
    pending_.push({now_ + delay, random_.next(), std::move(input), timer, generation});
}

void Simulation::run()
{
    constexpr int k_most_inputs = 20'000;
    for (int inputs = 0; !finish_; ++inputs) {
        require(!pending_.empty(), "the run does not end: nothing is going to happen");
        require(inputs < k_most_inputs, "the run does not end: too many inputs");
        const auto next = pending_.top();
        pending_.pop();
        now_ = std::max(now_, next.at);
        feed(next);
    }
    check_end();
    // What comes too late changes nothing.
    while (!pending_.empty()) {
        require(schedule_.on(pending_.top().input, now_).empty(), "an action after the end");
        pending_.pop();
    }
}

void Simulation::feed(const Pending& pending)
{
    if (pending.timer) {
        const bool armed = timers_.erase(pending.timer) > 0;
        if (!armed && random_.chance(80)) // else it fired while it was being disarmed
            return;
    }
    if (const auto* ended = std::get_if<in::StepEnded>(&pending.input)) {
        auto& step = at(ended->step);
        if (generation_[ended->step] != pending.generation)
            return; // it was stopped meanwhile, and ends at another time
        require(step.running, "a step ends that does not run (simulator)");
        step.running = false;
        step.last = ended->outcome;
        --running_;
    }
    const bool all_final = std::all_of(stages_.begin(), stages_.end(), [](const StageFacts& stage) { return stage.ends > 0; });
    if (const auto* cancel = std::get_if<in::Cancel>(&pending.input); cancel && !all_final) {
        for (auto& stage : stages_)
            if (!cancelled)
                stage.opened_before_halt = stage.life == StageFacts::Life::open;
        ++cancels_;
        cancelled = true;
        hard_ = hard_ || cancel->hard || cancels_ > 1;
    }
    if (const auto* opened = std::get_if<in::StageOpened>(&pending.input))
        at(opened->stage).life = StageFacts::Life::open;
    if (const auto* failed = std::get_if<in::StageFailedToOpen>(&pending.input))
        at(failed->stage).life = StageFacts::Life::open;
    if (const auto* closed = std::get_if<in::StageClosed>(&pending.input))
        at(closed->stage).life = StageFacts::Life::closed;
    for (const auto& action : schedule_.on(pending.input, now_)) {
        require(!finish_, "an action after Finish");
        note(action.index());
        carry_out(action);
    }
}

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
        later(in::TimerFired{arm->timer}, arm->at - now_ + milliseconds(random_.chance(20) ? 50 : 0), arm->timer);
    } else if (const auto* disarm = std::get_if<act::DisarmTimer>(&action)) {
        timers_.erase(disarm->timer);
    } else if (const auto* report = std::get_if<act::Report>(&action)) {
        record(report->event);
    } else if (const auto* prepare = std::get_if<act::PrepareStep>(&action)) {
        const auto& step = at(prepare->step);
        require(step.attempts == 0 && step.ends == 0, "a step is prepared that has run");
        require(at(prepare->step.stage).life == StageFacts::Life::open, "a step is prepared in a stage that is not open");
        require(!cancelled, "a step is prepared after the cancel");
    } else if (const auto* finish = std::get_if<act::Finish>(&action)) {
        finish_ = *finish;
    }
}

void Simulation::open(int stage)
{
    auto& facts = at(stage);
    note(static_cast<std::uint64_t>(stage));
    require(facts.life == StageFacts::Life::unopened, "a stage opens twice");
    require(!cancelled, "a stage opens after the cancel");
    require(!facts.ends, "a stage opens that is final");
    for (const auto& need : plan_of(stage).needs)
        require(is_final(stage_by_id_.at(need)), "a stage opens before what it needs is final");
    facts.life = StageFacts::Life::opening;
    if (fate_.opens(stage))
        return later(in::StageOpened{stage}, milliseconds(500));
    runner::Outcome outcome;
    outcome.cause = runner::Cause::checkout_error;
    later(in::StageFailedToOpen{stage, outcome}, milliseconds(500));
}

void Simulation::start(const act::StartStep& start)
{
    const auto index = start.step;
    auto& step = at(index);
    const auto& stage = at(index.stage);
    const auto& stage_plan = plan_of(index.stage);
    const auto& step_plan = stage_plan.steps[static_cast<std::size_t>(index.step)];
    note(static_cast<std::uint64_t>(index.stage * 1000 + index.step * 10 + start.attempt));
    require(stage.life == StageFacts::Life::open, "a step starts in a stage that is not open");
    require(!step.running, "a step starts twice");
    require(!step.ends, "a step starts that is final");
    require(start.attempt == ++step.attempts, "attempts do not ascend one by one");
    require(step.attempts <= step_plan.retry.max + 1, "more attempts than allowed");
    require(++running_ <= slots_, "more steps run than there are slots");
    require(!cancelled || (step_plan.in_finally && stage.opened_before_halt), "a step starts after the cancel");
    require(!hard_, "a step starts after the hard cancel");
    require(!step_plan.skip_reason, "a step starts that the plan skips");
    for (std::size_t i = 0; i < stage_plan.steps.size(); ++i)
        if (stage_plan.steps[i].group < step_plan.group)
            require(stage.steps[i].ends == 1, "a step starts before the group before it has ended");
    step.running = true;
    step.stops = 0;
    step.killed = false;
    ++attempts;

    const auto starts_in = milliseconds(800);
    const auto takes = milliseconds(random_.chance(10) ? 15'000 : 2500);
    if (random_.chance(90))
        later(in::StepStarted{index}, random_.chance(3) ? starts_in + takes + milliseconds(10) : starts_in);
    for (int i = random_.below(3); i > 0; --i)
        later(in::StepOutput{index}, starts_in + milliseconds(3000));
    later(in::StepEnded{index, fate_.of(index.stage, index.step, start.attempt)}, starts_in + takes, 0,
          ++generation_[index]);
}

void Simulation::stop(const act::StopStep& stop)
{
    auto& step = at(stop.step);
    require(step.running, "a step is stopped that does not run");
    require(!step.killed && (stop.hard || step.stops == 0), "a step is stopped more often than soft, then hard");
    step.killed = stop.hard;
    ++step.stops;
    // It may end with anything: by the signal, or by itself just before.
    auto outcome = fate_.of(stop.step.stage, stop.step.step, step.attempts);
    if (random_.chance(50)) {
        outcome.cause = runner::Cause::killed_by_signal;
        outcome.signal = 15;
    }
    later(in::StepEnded{stop.step, outcome}, milliseconds(stop.hard ? 100 : 3000), 0, ++generation_[stop.step]);
}

void Simulation::close(int stage)
{
    auto& facts = at(stage);
    require(facts.life == StageFacts::Life::open, "a stage is closed that is not open");
    require(std::none_of(facts.steps.begin(), facts.steps.end(), [](const StepFacts& step) { return step.running; }),
            "a stage is closed while a step of it runs");
    require(facts.ends == 1, "a stage is closed before it is final");
    facts.life = StageFacts::Life::closing;
    later(in::StageClosed{stage}, milliseconds(500));
}

void Simulation::record(const runner::RunEvent& event)
{
    using Kind = runner::RunEvent::Kind;
    note(static_cast<std::uint64_t>(event.kind) * 16 + static_cast<std::uint64_t>(event.state));
    if (event.kind == Kind::stage_finished) {
        auto& stage = at(stage_by_id_.at(event.stage));
        require(++stage.ends == 1, "the final state of a stage changes");
        require(runner::is_final(event.state), "a stage ends in a state that is not final");
        for (const auto& step : stage.steps)
            require(step.ends == 1, "a stage ends before its steps have");
        stage.end = event;
    }
    if (event.kind == Kind::step_finished) {
        auto& stage = at(stage_by_id_.at(event.stage));
        const auto& steps = plan_of(stage_by_id_.at(event.stage)).steps;
        const auto found = std::find_if(steps.begin(), steps.end(), [&](const auto& step) { return step.id == event.step; });
        auto& step = stage.steps[static_cast<std::size_t>(found - steps.begin())];
        require(++step.ends == 1, "the final state of a step changes");
        require(runner::is_final(event.state), "a step ends in a state that is not final");
        require(!step.running, "a step is final while it runs");
        require(!(cancelled && step.stops > 0 && event.state == State::success), "a step that was stopped ends in success");
        step.end = event;
        anything_expired = anything_expired || event.cause == runner::Cause::timeout;
    }
    if (event.cause == runner::Cause::timeout)
        anything_expired = true;
}

void Simulation::check_end() const
{
    require(running_ == 0, "the run ends while a step runs");
    require(timers_.empty(), "a timer is armed at the end");
    require(schedule_.finished(), "finished() says no at the end");
    for (std::size_t i = 0; i < stages_.size(); ++i) {
        const auto& stage = stages_[i];
        using Life = StageFacts::Life;
        require(stage.life == Life::unopened || stage.life == Life::closed, "a stage that opened is not closed");
        require(stage.ends == 1, "a stage never ended");
        require(schedule_.stage_state(static_cast<int>(i)) == stage.end.state, "the event of a stage and its state differ");
        for (std::size_t k = 0; k < stage.steps.size(); ++k) {
            const runner::StepIndex index{static_cast<int>(i), static_cast<int>(k)};
            require(stage.steps[k].ends == 1, "a step never ended");
            require(schedule_.step_state(index) == stage.steps[k].end.state, "the event of a step and its state differ");
        }
    }
}

} // namespace gantry::test
