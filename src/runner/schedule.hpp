#pragma once

#include "base/clock.hpp"
#include "pipeline/plan.hpp"
#include "pipeline/scope.hpp"
#include "runner/report.hpp"

#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

// When which step runs: a state machine without I/O. Inputs come in, actions come out; the shell (run.cpp) carries the
// actions out and reports back. Deterministic: equal inputs give equal actions. It decides conditions, retries, timeouts,
// slots, cancelling and the final states; it knows nothing of containers.

namespace gantry::runner {

// Positions in Plan::stages and in PlanStage::steps.
struct StepIndex {
    int stage = 0;
    int step = 0;
    friend auto operator<=>(const StepIndex&, const StepIndex&) = default;
};

namespace input {
struct Begin {};
struct StageOpened {                                        // answers OpenStage
    int stage = 0;
    std::map<std::string, pipeline::RuntimeFacts::Step> services; // that are ready, by name
};
// Answers OpenStage. With `has_room` there are a workspace and a network, as when a service failed: finally-steps can run.
struct StageFailedToOpen { int stage = 0; Outcome outcome; bool has_room = false; };
struct StepStarted { StepIndex step; };                     // its process runs: the step's timeouts count from here
struct StepOutput { StepIndex step; };                      // it printed something: for idle_timeout
// Its process has ended, in time: what is still to be read and fetched of it does not count for the step's timeouts.
struct StepExited { StepIndex step; };
// Answers StartStep, always and once, whatever happened. `may_still_run`: its process may be there yet, so that no other attempt
// may begin beside it.
struct StepEnded { StepIndex step; Outcome outcome; bool may_still_run = false; };
struct StageCollected { int stage = 0; Outcome outcome; };  // answers CollectStage
struct StageClosed { int stage = 0; };                      // answers CloseStage
// A service that its steps need went away, be the stage's opening answered or not; ignored once only finally-steps run.
struct ServiceLost { int stage = 0; Outcome outcome; };
struct TimerFired { int timer = 0; };
struct Cancel { bool hard = false; std::string by; };       // hard: no grace, no finally
struct DiskFull { std::string message; };                   // there is no room for the run to go on
} // namespace input
using Input = std::variant<input::Begin, input::StageOpened, input::StageFailedToOpen, input::StepStarted,
                           input::StepOutput, input::StepExited, input::StepEnded, input::StageCollected, input::StageClosed,
                           input::ServiceLost, input::TimerFired, input::Cancel, input::DiskFull>;

namespace action {
struct OpenStage { int stage = 0; };                 // workspace, network; answered by StageOpened or StageFailedToOpen
struct StartStep { StepIndex step; int attempt = 1; };
// It will be the next of its stage to start if what runs now succeeds: the shell may get its container ready.
struct PrepareStep { StepIndex step; };
struct StopStep { StepIndex step; bool hard = false; }; // signal, grace, kill; hard: kill at once. May come twice (then hard)
// Keep the artifacts of a stage whose steps have ended in `state`; answered by StageCollected.
struct CollectStage { int stage = 0; State state = State::success; };
struct CloseStage { int stage = 0; };                // remove what the stage has; answered by StageClosed
struct ArmTimer { int timer = 0; Clock::time_point at{}; };
struct DisarmTimer { int timer = 0; };
struct Report { RunEvent event; };                   // to the journal and to people; its time is filled in by the shell
struct Finish { State state = State::success; Cause cause = Cause::ok; }; // the last action of all
} // namespace action
using Action = std::variant<action::OpenStage, action::StartStep, action::PrepareStep, action::StopStep,
                            action::CollectStage, action::CloseStage, action::ArmTimer, action::DisarmTimer,
                            action::Report, action::Finish>;

struct ScheduleOptions {
    int slots = 8; // steps that may run at a time
    // Stages (by id) that have ended in an earlier process or run and are kept: not run again.
    struct Kept {
        State state = State::success;
        std::map<std::string, pipeline::RuntimeFacts::Step> steps; // by id; one that is missing ended as the stage
    };
    std::map<std::string, Kept> kept;
    // The last attempt of each step, by stage and step, that an earlier process of this run began: numbers go on behind it,
    // so that no attempt has two logs. Retries count anew.
    std::map<std::string, std::map<std::string, int>> attempts;
    // The run goes on where another process left it: its journal tells already that it started, and of the kept stages.
    bool resumed = false;
    // How long finally-steps of a stage may take in all after a cancel or timeout.
    std::chrono::nanoseconds finally_limit = std::chrono::minutes(5);
};

// The rules (tests/runner/schedule_test.cpp has one for each):
// - A stage opens when all it needs is final and its condition holds (default: all of them succeeded); else it is skipped,
//   with the reason. allow_failure makes a failure count as success for those who need it. A stage that its own condition
//   skipped is no obstacle either, if what it needs succeeded. Every OpenStage is followed by a CloseStage, whatever the
//   answer to it was.
// - The steps of a group start together as slots allow, the next group when all have ended. Once a step failed (and no
//   allow_failure), later steps run only if their condition says so (failure(), always()). Finally-steps always run once
//   the stage has room for them, also when a service kept it from beginning; a condition of theirs asks for success only where
//   it says so.
// - A failed attempt is tried again while retry.max allows and its cause or exit code is listed, after backoff * 2^n; never
//   while it may still run.
// - A timeout (step, idle, stage, run) stops the step with cause timeout; the outermost that expired is named. Step and idle
//   timeouts count from the start of the process to its end, those of stage and run from when they began until all is over.
// - Cancel: nothing new starts but finally-steps of opened stages; running steps are stopped; a second or hard cancel stops
//   those too, at once. A step that was asked to stop ends as cancelled or timed out, whatever its process says, but with
//   its own outcome if it may still run. A timeout of stage or run halts like a cancel; what had not begun then is skipped. Final states never change.
// - A full disk halts the run like a timeout of it, with cause disk_full.
// - A service that goes away halts its stage like a timeout of the stage: steps that run are stopped and end with its cause,
//   unless their process had ended before.
// - engine_lost, disk_full and other causes of ours end the stage in state error; allow_failure does not cover them.
// - A stage with artifacts that was opened collects them when its last step has ended, and is final after that. What goes wrong
//   then is the stage's result if it had succeeded. So is a timeout of stage or run that comes meanwhile; a stage that was halted
//   collects until the time for its finally-steps is over.
// - The run ends when every stage is final and closed. Its state: cancelled, else timed_out, else error, else failure if any
//   stage is (allow_failure aside), else success.
class Schedule {
public:
    Schedule(const pipeline::Plan& plan, ScheduleOptions options); // `plan` outlives it
    ~Schedule();

    std::vector<Action> on(const Input& input, Clock::time_point now);

    // What expressions of this stage's steps may read now.
    pipeline::RuntimeFacts facts(int stage) const;
    State stage_state(int stage) const;
    State step_state(StepIndex step) const;
    int attempt(StepIndex step) const;
    // Its attempt was asked to stop, because a time was up.
    bool is_timed_out(StepIndex step) const;
    bool is_halted(int stage) const; // only its finally-steps start any more
    bool is_collecting_over(int stage) const; // its timeout, or the run's, came while its artifacts were collected
    bool finished() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace gantry::runner
