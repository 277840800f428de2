#pragma once

#include "runner/schedule.hpp"
#include "runner/schedule_rules.hpp"

#include <deque>
#include <map>
#include <string>
#include <vector>

// What a Schedule knows.

namespace gantry::runner {

struct StepRun {
    enum class Phase { waiting, queued, running, backing_off, over } phase = Phase::waiting;
    State state = State::pending;
    int attempt = 0; // its number
    int tries = 0;   // attempts in this process
    Clock::time_point started{}, last_output{};
    StopReason stop = StopReason::none; // asked to stop, because of this
    bool killed = false;                // asked to stop at once
    bool exited = false;                // the process of this attempt has ended
    bool prepared = false;
    int timeout_timer = 0, idle_timer = 0, retry_timer = 0; // 0: none
};

struct StageRun {
    enum class Phase { waiting, opening, open, collecting, closing, closed } phase = Phase::waiting;
    State state = State::pending;
    std::vector<int> dependents;
    int needs_left = 0;
    bool needs_passed = true;
    bool passed = false; // final, and those who need it may run

    Clock::time_point started{};
    std::size_t group_begin = 0, group_end = 0; // of the group that runs; what is before group_begin is over
    int live = 0;                               // steps of that group that are not over
    bool was_opened = false;
    bool in_finally = false;
    bool halted = false;       // only finally-steps start
    bool finally_over = false; // not even those
    bool collecting_over = false; // its time came while its artifacts were collected
    bool failed = false;       // a step did, allow_failure aside
    int timeout_timer = 0, finally_timer = 0;
    std::vector<StepRun> steps;
    pipeline::RuntimeFacts facts; // its steps that are over; the stages that it needs, from when they are asked for
    bool knows_stages = false;

    Outcome lost;                 // the service that went away
    bool lost_unopened = false;   // before the stage was open

    // The worst that happened, which becomes its state.
    State worst = State::success;
    Cause cause = Cause::ok;
    std::string message, hint;
};

struct Timer {
    enum class Kind { step_timeout, idle_timeout, retry, stage_timeout, finally_limit, run_timeout };
    Kind kind = Kind::run_timeout;
    StepIndex step;
};

struct Schedule::Impl {
    Impl(const pipeline::Plan& plan, ScheduleOptions options);

    void number_on(int stage, const std::map<std::string, int>& attempts);

    // ---- inputs (schedule.cpp)
    void on(const input::Begin&);
    void on(const input::StageOpened& opened);
    void on(const input::StageFailedToOpen& failed);
    void on(const input::StepStarted& started);
    void on(const input::StepOutput& output);
    void on(const input::StepExited& exited);
    void on(const input::StepEnded& ended);
    void on(const input::StageCollected& collected);
    void on(const input::StageClosed& closed);
    void on(const input::ServiceLost& lost);
    void on(const input::TimerFired& fired);
    void on(const input::Cancel& cancel);
    void on(const input::DiskFull& full);
    void go_on();

    // ---- stages (schedule_stage.cpp)
    void resolve(int stage);
    void keep(int stage, const ScheduleOptions::Kept& kept);
    void open(int stage);
    void advance(int stage);
    void begin_group(int stage);
    void skip_group(int stage);
    void halt(int stage, StopReason reason);
    void halt_run(StopReason reason);
    void end_all_steps(int stage, State state, const std::string& message);
    void note(int stage, State state, Cause cause, const std::string& message, const std::string& hint = {});
    void conclude(int stage);
    void close(int stage);
    void finalize(int stage);
    void stop_collecting(int stage, StopReason reason);
    void arm_finally_limit(int stage);
    std::string why_needs_stop(int stage) const;

    // ---- steps (schedule_step.cpp)
    void dispatch();
    void start(StepIndex step);
    void prepare_next(int stage);
    void stop(StepIndex step, StopReason reason, bool hard);
    void cut_short(StepIndex step, StopReason reason);
    void retry_later(StepIndex step, const Outcome& outcome);
    void end(StepIndex step, State state, const Outcome& outcome);
    void disarm_step(StepIndex step);
    std::string words_for(StepIndex step, StopReason reason) const;
    std::string hint_for(StepIndex step, StopReason reason) const;
    Decision decide_step(StepIndex step, bool failed_before);
    bool may_prepare(StepIndex step);

    // ---- helpers
    int arm(Timer::Kind kind, StepIndex step, std::chrono::nanoseconds after);
    void disarm(int& timer);
    RunEvent& report(RunEvent::Kind kind);
    RunEvent& report(RunEvent::Kind kind, StepIndex step);
    const pipeline::RuntimeFacts& facts(int stage, bool with_stages);
    void learn_stages(int stage);
    void finish_if_done();

    const pipeline::PlanStage& plan_of(int stage) const { return plan.stages[static_cast<std::size_t>(stage)]; }
    const pipeline::PlanStep& plan_of(StepIndex step) const
    {
        return plan_of(step.stage).steps[static_cast<std::size_t>(step.step)];
    }
    StageRun& at(int stage) { return stages[static_cast<std::size_t>(stage)]; }
    const StageRun& at(int stage) const { return stages[static_cast<std::size_t>(stage)]; }
    StepRun& at(StepIndex step) { return at(step.stage).steps[static_cast<std::size_t>(step.step)]; }
    const StepRun& at(StepIndex step) const { return at(step.stage).steps[static_cast<std::size_t>(step.step)]; }

    const pipeline::Plan& plan;
    ScheduleOptions options;
    std::vector<StageRun> stages;
    std::map<std::string, int> index_of; // stage ids
    std::deque<int> resolvable;          // stages whose needs are all final
    std::deque<StepIndex> queue;         // steps that wait for a slot; some may be over meanwhile
    std::map<int, Timer> timers;
    int last_timer = 0, run_timer = 0;
    int running = 0;                     // steps
    int not_final = 0, not_closed = 0;   // stages
    StopReason halted = StopReason::none; // the run: disk_full, run_timeout or cancel
    std::string disk_message;
    bool hard = false;
    bool begun = false, finished = false;
    Clock::time_point now{}, began{};
    std::vector<Action> out;
};

} // namespace gantry::runner
