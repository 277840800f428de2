#pragma once

#include "runner/schedule.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace gantry::test {

// Plays the shell for a Schedule: stages open and close at once (unless told otherwise), steps run until the test ends
// them, time moves when the test moves it. Steps are called "stage/step".
class ScheduleDriver {
public:
    explicit ScheduleDriver(pipeline::Plan the_plan, runner::ScheduleOptions options = {})
        : plan(std::move(the_plan)), schedule(plan, std::move(options))
    {
    }

    bool opens_by_itself = true;
    bool closes_by_itself = true;

    ScheduleDriver& begin() { return send(runner::input::Begin{}); }
    ScheduleDriver& cancel(bool hard = false) { return send(runner::input::Cancel{hard, "SIGINT"}); }
    ScheduleDriver& opened(const std::string& stage) { return send(runner::input::StageOpened{stage_index(stage)}); }
    ScheduleDriver& closed(const std::string& stage) { return send(runner::input::StageClosed{stage_index(stage)}); }
    ScheduleDriver& failed_to_open(const std::string& stage, runner::Cause cause, bool has_room = false)
    {
        runner::Outcome outcome;
        outcome.cause = cause;
        outcome.message = "no luck";
        outcome.hint = "try again";
        return send(runner::input::StageFailedToOpen{stage_index(stage), outcome, has_room});
    }
    ScheduleDriver& loses_service(const std::string& stage)
    {
        runner::Outcome outcome;
        outcome.cause = runner::Cause::service_unhealthy;
        outcome.message = "service db ended";
        return send(runner::input::ServiceLost{stage_index(stage), outcome});
    }
    ScheduleDriver& fills_disk() { return send(runner::input::DiskFull{"1 GB free"}); }
    ScheduleDriver& begins(const std::string& step) { return send(runner::input::StepStarted{index(step)}); }
    ScheduleDriver& exits(const std::string& step) { return send(runner::input::StepExited{index(step)}); }
    ScheduleDriver& says(const std::string& step) { return send(runner::input::StepOutput{index(step)}); }
    ScheduleDriver& ends(const std::string& step, runner::Cause cause = runner::Cause::ok, int exit_code = -1)
    {
        runner::Outcome outcome;
        outcome.cause = cause;
        outcome.exit_code = exit_code >= 0 ? exit_code : cause == runner::Cause::ok ? 0 : 1;
        return send(runner::input::StepEnded{index(step), outcome});
    }
    // Its process may be there yet.
    ScheduleDriver& is_given_up(const std::string& step)
    {
        runner::Outcome outcome;
        outcome.cause = runner::Cause::engine_lost;
        outcome.hint = "look";
        return send(runner::input::StepEnded{index(step), outcome, true});
    }
    ScheduleDriver& ends_with(const std::string& step, runner::Outcome outcome)
    {
        return send(runner::input::StepEnded{index(step), std::move(outcome)});
    }

    // Moves time; what is due on the way fires in its order.
    ScheduleDriver& pass(std::chrono::nanoseconds duration)
    {
        const auto until = now + duration;
        for (;;) {
            const auto next = std::min_element(timers.begin(), timers.end(), [](const auto& a, const auto& b) {
                return std::pair(a.second, a.first) < std::pair(b.second, b.first);
            });
            if (next == timers.end() || next->second > until)
                break;
            now = std::max(now, next->second);
            const int timer = next->first;
            timers.erase(next);
            send(runner::input::TimerFired{timer});
        }
        now = until;
        return *this;
    }

    ScheduleDriver& send(const runner::Input& input)
    {
        std::vector<runner::Input> inputs{input};
        for (std::size_t i = 0; i < inputs.size(); ++i)
            for (auto& action : schedule.on(runner::Input(inputs[i]), now))
                take(std::move(action), inputs);
        return *this;
    }

    runner::State state(const std::string& name) const
    {
        return name.find('/') == std::string::npos ? schedule.stage_state(stage_index(name))
                                                   : schedule.step_state(index(name));
    }
    // The last event of that kind about "stage" or "stage/step".
    const runner::RunEvent& event(runner::RunEvent::Kind kind, const std::string& name = {}) const
    {
        const auto found = std::find_if(events.rbegin(), events.rend(), [&](const runner::RunEvent& event) {
            return event.kind == kind && name == (event.step.empty() ? event.stage : event.stage + "/" + event.step);
        });
        if (found == events.rend())
            throw std::runtime_error("no such event: " + std::string(to_string(kind)) + " " + name);
        return *found;
    }
    const runner::RunEvent& finished(const std::string& name) const
    {
        return event(name.find('/') == std::string::npos ? runner::RunEvent::Kind::stage_finished
                                                         : runner::RunEvent::Kind::step_finished,
                     name);
    }

    std::string name_of(runner::StepIndex step) const
    {
        const auto& stage = plan.stages[static_cast<std::size_t>(step.stage)];
        return stage.id + "/" + stage.steps[static_cast<std::size_t>(step.step)].id;
    }
    int stage_index(const std::string& id) const
    {
        for (std::size_t i = 0; i < plan.stages.size(); ++i)
            if (plan.stages[i].id == id)
                return static_cast<int>(i);
        throw std::runtime_error("no stage " + id);
    }
    runner::StepIndex index(const std::string& name) const
    {
        const auto slash = name.find('/');
        const int stage = stage_index(name.substr(0, slash));
        const auto& steps = plan.stages[static_cast<std::size_t>(stage)].steps;
        for (std::size_t i = 0; i < steps.size(); ++i)
            if (steps[i].id == name.substr(slash + 1))
                return {stage, static_cast<int>(i)};
        throw std::runtime_error("no step " + name);
    }

    const pipeline::Plan plan;
    runner::Schedule schedule;
    Clock::time_point now{std::chrono::hours(1)};
    std::vector<std::string> opens, starts, prepares, stops, closes; // "test/unit", "test/unit hard"
    std::vector<std::string> collects; // "test success"
    std::vector<runner::StepIndex> started; // as `starts`
    std::vector<runner::RunEvent> events;
    std::map<int, Clock::time_point> timers;
    std::vector<runner::action::Finish> finishes;

private:
    void take(runner::Action action, std::vector<runner::Input>& inputs)
    {
        namespace act = runner::action;
        if (const auto* open = std::get_if<act::OpenStage>(&action)) {
            opens.push_back(plan.stages[static_cast<std::size_t>(open->stage)].id);
            if (opens_by_itself)
                inputs.push_back(runner::input::StageOpened{open->stage});
        } else if (const auto* start = std::get_if<act::StartStep>(&action)) {
            starts.push_back(name_of(start->step));
            started.push_back(start->step);
        } else if (const auto* prepare = std::get_if<act::PrepareStep>(&action)) {
            prepares.push_back(name_of(prepare->step));
        } else if (const auto* stop = std::get_if<act::StopStep>(&action)) {
            stops.push_back(name_of(stop->step) + (stop->hard ? " hard" : ""));
        } else if (const auto* collect = std::get_if<act::CollectStage>(&action)) {
            collects.push_back(plan.stages[static_cast<std::size_t>(collect->stage)].id + " " + std::string(to_string(collect->state)));
        } else if (const auto* close = std::get_if<act::CloseStage>(&action)) {
            closes.push_back(plan.stages[static_cast<std::size_t>(close->stage)].id);
            if (closes_by_itself)
                inputs.push_back(runner::input::StageClosed{close->stage});
        } else if (const auto* arm = std::get_if<act::ArmTimer>(&action)) {
            timers[arm->timer] = arm->at;
        } else if (const auto* disarm = std::get_if<act::DisarmTimer>(&action)) {
            timers.erase(disarm->timer);
        } else if (const auto* report = std::get_if<act::Report>(&action)) {
            events.push_back(report->event);
        } else if (const auto* finish = std::get_if<act::Finish>(&action)) {
            finishes.push_back(*finish);
        }
    }
};

} // namespace gantry::test
