#pragma once

#include "engine/engine.hpp"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

// What a run says about itself. The journal is a list of RunEvents; the terminal, --json, `gantry show` and later the
// page are all drawn from the same list.

namespace gantry::runner {

enum class State { pending, blocked, running, success, failure, skipped, cancelled, timed_out, error };
std::string_view to_string(State state);
std::optional<State> parse_state(std::string_view text);
inline bool is_final(State state) { return state >= State::success; }
// It ended, and neither passed nor was skipped.
inline bool went_wrong(State state) { return is_final(state) && state != State::success && state != State::skipped; }

// Why something ended, apart from its exit code: 137 is not "oom".
enum class Cause {
    ok, failed, killed_by_signal, oom, timeout, cancelled, service_unhealthy, image_error, checkout_error,
    config_error, engine_lost, agent_lost, disk_full, internal
};
std::string_view to_string(Cause cause);
std::optional<Cause> parse_cause(std::string_view text);
// success for ok; failure for the step's own doing (failed, killed_by_signal, oom); timed_out; cancelled; else error.
State state_of(Cause cause);

// Where the time of a step went. All from the same monotonic clock.
struct Timings {
    std::chrono::nanoseconds pull{0};    // waiting for the image
    std::chrono::nanoseconds start{0};   // create, attach, start
    std::chrono::nanoseconds command{0}; // the process itself
    std::chrono::nanoseconds finish{0};  // drain, collect
};

// How an attempt of a step (or opening a stage) ended.
struct Outcome {
    Cause cause = Cause::ok;
    std::optional<int> exit_code; // the process's own; absent when it never ran
    std::optional<int> signal;    // when it died of one
    std::string message;          // one line, for causes that are ours
    std::string hint;             // what to do
    std::map<std::string, std::string> outputs; // lines of CI_OUTPUT
    std::string image;            // that it ran
    Timings timings;
    std::uint64_t log_bytes = 0;  // length of the attempt's log
    std::optional<engine::ResourceUse> use; // at its end; absent: the engine has not told
};

struct RunEvent {
    enum class Kind {
        run_started,    // message: pipeline's name; details: engine, repo, branch, sha, dirty, changed
        run_finished,   // state, cause, duration
        stage_started, stage_finished, // state, cause, message, duration
        step_started,   // attempt; once more while it runs, with its ports as outputs, where it publishes some
        step_finished,  // state, cause, exit_code, signal, timings, outputs, message, hint; skipped ones too
        step_retry,     // attempt that comes next, after `duration`; cause of the last
        intent,         // an object (object_kind, object) is about to be created
        removed,        // and is gone again
        image_ready,    // message: image; duration: what the pull took, 0 when it was there
        cancel_requested, // message: by what ("SIGINT", "gantry cancel", "run 5 takes its place"); outputs: at_once, where steps get no grace
        summary,        // the text of CI_STEP_SUMMARY, in message
        cache,          // of a stage; message; when it opens also object (the volume) and outputs: cache, key, path, found (key)
        artifacts,      // of a stage that kept some: outputs: files, bytes, kept_bytes (new here), expires (a time; absent: never)
        tests,          // of a stage: what its test reports say, in outputs: passed, failed, skipped, newly_failed; message
        coverage,       // of a stage: outputs: lines, covered, percent; message
        warning,        // message, hint
        resumed,        // the run goes on in another process
        // Of a service; `step` is its service_key():
        service_started,  // attempt, image
        service_ready,    // duration since its start; message: what told, "" when its start was enough; outputs: ports
        service_health,   // message: "unhealthy", or "healthy" again, after it was ready
        service_finished, // state, cause, exit_code, signal, message, duration; log_bytes
    } kind = Kind::warning;

    std::chrono::system_clock::time_point time{};
    std::string stage; // id
    std::string step;  // id within its stage
    int attempt = 0;
    State state = State::pending;
    Cause cause = Cause::ok;
    std::optional<int> exit_code, signal;
    std::chrono::nanoseconds duration{0};
    Timings timings;
    std::string message, hint, image;
    std::string object_kind, object;
    bool allowed_failure = false;
    std::map<std::string, std::string> outputs; // of the step; or details of run_started
    std::uint64_t log_bytes = 0; // step_finished: length of the log of this attempt
    std::optional<engine::ResourceUse> use; // step_finished, service_finished
};
std::string_view to_string(RunEvent::Kind kind);

// One line of the journal and of `--json`; empty fields are left out. from_json ignores fields that it does not know
// and throws bad_input for a kind, state or cause that it does not know.
nlohmann::json to_json(const RunEvent& event);
nlohmann::json to_json(const engine::ResourceUse& use); // zeros are left out
RunEvent event_from_json(const nlohmann::json& json);

struct StepKey {
    std::string stage, step;
    int attempt = 1;
    friend auto operator<=>(const StepKey&, const StepKey&) = default;
};

// Watches a run. Called on the loop, in order; must return quickly and not throw.
class RunObserver {
public:
    virtual ~RunObserver() = default;
    virtual void on_event(const RunEvent& event) = 0;
    // Bytes of a step, masked; valid during the call.
    virtual void on_output(const StepKey&, engine::Stream, std::string_view /*bytes*/) {}
    virtual void on_pull(const engine::PullProgress&) {}
    // What the run waits for, other than its steps: "for a place in the group deploy, which run 4 has"; empty: over.
    virtual void on_waiting(const std::string& /*what*/) {}
};

} // namespace gantry::runner
