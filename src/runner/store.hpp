#pragma once

#include "engine/engine.hpp"
#include "pipeline/plan.hpp"
#include "runner/report.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The state folder: runs with their plan, journal and logs. Blocking, small calls on a local disk.
//
//   instance                    this installation's id: 8 hex digits
//   runs/<id>/plan.json         written once
//   runs/<id>/meta.json         where it came from: folder, file, options that a rerun needs
//   runs/<id>/journal.jsonl     a RunEvent a line, only ever appended
//   runs/<id>/logs/…            the bytes of steps, by attempt
//   runs/<id>/lock              held by the process that executes it and names it: a free lock and no run_finished means
//                               that the process died
//   runs/<id>/cancel            "soft" or "hard", and in a further line who asked for it
//   active/<id>                 there while the run is not final: finding interrupted runs does not look at the others; not empty:
//                               there until what it left at its engine is gone
//   shells/                     open shells: open_shell.hpp
//   new/                        runs that are being made; they appear under runs/ whole
//   last_id                     so that the id of a removed run is not given out again
//
// Ids count from 1. A torn last line of a journal (power loss, full disk) is ignored by readers and cut off by the next writer.
// Nothing waits for the disk before a run's end: after a power loss the plan and the meta of one that had just begun may be damaged.

namespace gantry::runner {

struct RunMeta {
    std::string folder;      // the repository or folder, absolute
    std::string file;        // the pipeline file, relative to it
    std::vector<std::string> arguments; // of `gantry run`, without secrets
    std::string engine;      // "docker"
    std::string engine_endpoint;
    std::string engine_id; // EngineInfo::id: the same by whatever endpoint one gets there
    std::string rerun_of;    // id
    std::string rev;         // the commit that it runs, whole; empty: the working tree
    bool in_place = false;   // what it changes goes into the working tree
};

// Whether what the run made is at this engine.
bool made_at(const RunMeta& meta, const engine::EngineInfo& info);

// A run as its journal tells it.
struct StepSummary {
    std::string stage, step;
    int attempt = 0;
    State state = State::pending;
    Cause cause = Cause::ok;
    std::optional<int> exit_code, signal;
    std::chrono::nanoseconds duration{0};
    Timings timings;
    std::string message, hint, image;
    bool allowed_failure = false;
    bool has_container = true; // to look into: not of a build or a push
    int lapses = 0;            // of a service: how often it became unhealthy after it had been ready
    std::map<std::string, std::string> outputs;
    std::uint64_t log_bytes = 0;
    std::optional<engine::ResourceUse> use;
};
struct KeptArtifacts {
    std::uint64_t files = 0;
    std::uint64_t size_bytes = 0;
    std::optional<std::chrono::system_clock::time_point> expires; // absent: never
};
struct StageSummary {
    std::string stage;
    State state = State::pending;
    Cause cause = Cause::ok;
    bool allowed_failure = false; // it went wrong and counts as success
    std::string message;
    std::chrono::nanoseconds duration{0};
    std::vector<StepSummary> steps; // last attempt of each, in the plan's order
    std::vector<StepSummary> services; // the same; `step` is the service_key()
    std::optional<KeptArtifacts> artifacts;
};
struct RunSummary {
    std::string id;
    std::string pipeline;
    State state = State::pending; // running with a dead owner reads as error/agent_lost when `interrupted`
    Cause cause = Cause::ok;
    bool interrupted = false;     // its process died: resume or clean up
    std::chrono::system_clock::time_point started{}, finished{};
    std::map<std::string, std::string> details; // of run_started
    std::vector<StageSummary> stages;
    std::vector<RunEvent> warnings;
};
// What the event at the end of an attempt (step_finished, step_retry, service_finished) tells of it.
void take_end(StepSummary& step, const RunEvent& event);
// Pure: replays events over a plan.
RunSummary summarize(const std::string& id, const pipeline::Plan& plan, const std::vector<RunEvent>& events);
nlohmann::json to_json(const RunSummary& summary);

struct CancelRequest {
    bool hard = false; // steps get no grace
    std::string by;    // for people: "gantry cancel"
    friend bool operator==(const CancelRequest&, const CancelRequest&) = default;
};

// Writes one run. What is appended is in its file when the call returns; until then a reader may find a part of it. run_finished
// is synced to disk.
class RunWriter {
public:
    virtual ~RunWriter() = default;
    virtual const std::string& id() const = 0;
    virtual int number() const = 0;
    virtual std::string folder() const = 0;
    // Throws no_space, with the folder and what to do.
    virtual void append(const RunEvent& event) = 0;

    // The log of one attempt. Bytes go to disk in the order of the calls; a time index lies beside them.
    class Log {
    public:
        virtual ~Log() = default;
        virtual void write(engine::Stream stream, std::string_view bytes, std::chrono::system_clock::time_point time) = 0;
        virtual std::uint64_t size_bytes() const = 0;
    };
    virtual std::unique_ptr<Log> open_log(const StepKey& step) = 0;

    // What Store::request_cancel left for this run; to be asked when SIGINT arrives.
    virtual std::optional<CancelRequest> cancel_request() const { return std::nullopt; }

    // Not all that the run made could be removed: Store::unclean_runs() lists it from its end on.
    virtual void note_leftovers() {}
};

struct LogPiece {
    engine::Stream stream = engine::Stream::out;
    std::chrono::system_clock::time_point time{};
    std::uint64_t offset = 0;
    std::string bytes;
};

// A run without a process, which nobody can take over as long as this lives.
class HeldRun {
public:
    virtual ~HeldRun() = default;
    virtual void remove() = 0;
};

class Store {
public:
    virtual ~Store() = default;
    virtual const std::string& instance() const = 0;
    virtual std::string root() const = 0;

    // The next id, its folder and lock.
    virtual std::unique_ptr<RunWriter> create_run(const pipeline::Plan& plan, const RunMeta& meta) = 0;
    // Takes over an interrupted run. Throws conflict when its process lives (with its pid) or the run is final.
    virtual std::unique_ptr<RunWriter> reopen_run(const std::string& id) = 0;

    // Newest first. Ids only: reading a run costs, listing does not.
    virtual std::vector<std::string> run_ids() const = 0;
    // Not final and without a living owner.
    virtual std::vector<std::string> interrupted_runs() const = 0;
    // Final, but for what note_leftovers() says.
    virtual std::vector<std::string> unclean_runs() const = 0;
    // What a run left behind is gone: neither of the two lists it any longer. reopen_run() still takes an interrupted one.
    virtual void set_aside(const std::string& id) = 0;
    virtual bool is_alive(const std::string& id) const = 0;
    // Process id of the owner, if it lives.
    virtual std::optional<int> owner(const std::string& id) const = 0;

    // Each throws not_found with the nearest ids as the hint. "latest" is an id, too.
    virtual std::string resolve_id(const std::string& id) const = 0;
    virtual pipeline::Plan plan(const std::string& id) const = 0;
    virtual RunMeta meta(const std::string& id) const = 0;
    virtual std::vector<RunEvent> events(const std::string& id) const = 0;
    virtual RunSummary summary(const std::string& id) const = 0;

    // Reads a log from `offset` on, at most `limit_bytes`; returns the bytes. attempt 0: the last.
    virtual std::string read_log(const std::string& id, const StepKey& step, std::uint64_t offset,
                                 std::size_t limit_bytes) const = 0;
    virtual std::uint64_t log_size(const std::string& id, const StepKey& step) const = 0;
    // With times and streams.
    virtual std::vector<LogPiece> read_log_pieces(const std::string& id, const StepKey& step, std::uint64_t offset,
                                                  std::size_t limit_bytes) const = 0;
    // The last `lines` lines.
    virtual std::string tail_log(const std::string& id, const StepKey& step, int lines) const = 0;
    // Asks the owner of a running run to cancel it: leaves the request and sends SIGINT. Throws conflict when it is final
    // or its owner died.
    virtual void request_cancel(const std::string& id, const CancelRequest& request) = 0;
    // Throws conflict while its process lives, or somebody else holds it.
    virtual std::unique_ptr<HeldRun> hold_run(const std::string& id) = 0;
};

// Store::meta(); nothing where that is damaged, as of a run that began just before a power loss.
std::optional<RunMeta> find_meta(const Store& store, const std::string& id);

// Opens or creates the folder (mode 0700). Throws denied, no_space, …
std::unique_ptr<Store> open_store(const std::string& folder);

} // namespace gantry::runner
