#pragma once

#include "base/log.hpp"
#include "cache/artifact_store.hpp"
#include "cache/store.hpp"
#include "engine/engine.hpp"
#include "pipeline/plan.hpp"
#include "runner/concurrency_groups.hpp"
#include "runner/disk_budget.hpp"
#include "runner/lower.hpp"
#include "runner/masker.hpp"
#include "runner/report.hpp"
#include "runner/report_summary.hpp"
#include "runner/saved_layers.hpp"
#include "runner/schedule.hpp"
#include "runner/store.hpp"
#include "runner/workspace.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

// Executes a Plan on an engine: the thin shell around Schedule.

namespace gantry::runner {

struct RunDeps {
    engine::Engine& engine;
    Clock& clock;
    asio::thread_pool* pool;  // for what would hold up the loop; only workspaces with a shared_folder() and write_back need it
    RunWriter& writer;        // the journal comes first: an event is on disk before anyone sees it
    WorkspaceProvider& workspaces;
    Log log;
    std::vector<RunObserver*> observers;
    ConcurrencyGroups* groups = nullptr; // none: `concurrency:` holds nobody up
    cache::Store* caches = nullptr;      // none: stages go without their caches
    const DiskBudget* disks = nullptr;   // none: the run goes on until a disk is full to the last byte
    cache::ArtifactStore* artifacts = nullptr; // none: nothing is kept
    // What the reports of a stage said in an earlier run, to compare with; may be empty.
    std::function<std::optional<StageResults>(const std::string& stage)> find_earlier_results;
};

struct RunOptions {
    std::string instance;
    std::string scope; // of concurrency groups and caches: the repository
    std::string engine_id; // EngineInfo::id; empty: caches ask the engine
    cache::ArtifactLimits artifact_limits;
    int slots = 8;
    Consent consent;
    std::map<std::string, Secret> secrets; // by name
    std::string write_back;                // folder that gets what the stages changed; empty: none does
    bool keep_failed = false;      // leave the container of a step that failed or timed out for `gantry shell`
    engine::PullPolicy pull = engine::PullPolicy::missing; // default of steps that set none
    std::map<std::string, ScheduleOptions::Kept> kept;
    std::map<std::string, std::map<std::string, int>> attempts; // ScheduleOptions::attempts
    bool resumed = false;          // goes on in the journal that another process began
    std::map<std::string, SavedLayer> kept_files; // of kept stages that others need, and with write_back of all
    std::map<std::string, std::string> details; // for run_started
    std::chrono::nanoseconds grace = std::chrono::seconds(10);
};

struct RunResult {
    State state = State::success;
    Cause cause = Cause::ok;
    bool is_written_back = true; // false: not all that the stages changed is in RunOptions::write_back, as a warning tells
};

class Run {
public:
    Run(const pipeline::Plan& plan, RunDeps deps, RunOptions options);
    ~Run();

    // Executes to the end and removes everything it made. Throws only when it could not do its job at all (a full disk
    // under the journal); a step that fails is a result.
    awaitable<RunResult> execute();

    // From a signal or `gantry cancel`, on the loop. First: grace; second, or hard: at once.
    void cancel(const std::string& by, bool hard);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// What became of a run's leftovers.
struct Leftovers {
    std::set<std::string> removed; // their names
    // The first conflict, if any: it stays, in use by what is not ours, or by what the engine makes and does not list yet.
    std::exception_ptr in_use;
};

// Removes all that carries this instance's label and the run's. For runs whose process died.
awaitable<Leftovers> remove_leftovers(engine::Engine& engine, const std::string& instance, const std::string& run);

} // namespace gantry::runner
