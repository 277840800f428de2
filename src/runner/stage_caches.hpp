#pragma once

#include "base/clock.hpp"
#include "cache/store.hpp"
#include "engine/engine.hpp"
#include "pipeline/plan.hpp"
#include "runner/cache_volumes.hpp"
#include "runner/concurrency_groups.hpp"
#include "runner/lower_caches.hpp"
#include "runner/objects.hpp"
#include "runner/report.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

// The caches of a run's stages. Stages are named by their position in the plan.
//
// A stage gets a private clone of what is kept, and whatever it does to it stays with it. When it has passed, what it changed
// becomes one more layer of a new entry, and the record of that takes the place of the old one in one step. So stages and runs
// that use a cache at the same time never see each other's halves.

namespace gantry::runner {

class StageCaches {
public:
    // Its stage is -1 for what concerns none.
    using Tell = std::function<void(RunEvent event, int stage)>;
    // Waits for the only place in a group; returns without one when none is wanted any more.
    using Enter = std::function<awaitable<void>(std::string group, int stage, ConcurrencyGroups::Place&)>;
    struct Parts {
        const pipeline::Plan& plan;
        engine::Engine& engine;
        Clock& clock;
        Objects& objects;
        cache::Store* store = nullptr;  // none: stages go without their caches
        std::string engine_id;          // EngineInfo::id; empty: it is asked for when it is needed
        std::string scope;              // whose caches: the repository
        bool keeps_failed = false;      // containers of stages that failed may stay, and need their volumes
        std::function<Owner(int stage)> owner_of;
        std::function<bool()> mounts;   // the engine mounts overlays for us; known once a workspace is open
        Tell tell;
        Enter enter;
    };
    // What `parts` refers to outlives it.
    StageCaches(Parts parts, asio::any_io_executor executor);
    ~StageCaches();

    // Makes the clones; the stage's workspace is open. Waits for stages that this one needs to save theirs. Throws bad_input for
    // caches that cannot be, and what the engine throws; close() removes what was made.
    awaitable<void> open(int stage, pipeline::RuntimeFacts facts);
    // For each container of the stage.
    std::vector<engine::Mount> mounts(int stage) const;
    // Its containers are gone. Saves what it changed, if it `passed`. What goes wrong is told as a warning: what a stage did is
    // done. Every stage that was opened is closed.
    awaitable<void> close(int stage, bool passed);

private:
    struct Clone;
    struct OpenStage;

    awaitable<void> wait_for_needed(int stage);
    awaitable<void> take_turns(int stage, OpenStage& here);
    void choose(OpenStage& here);
    std::optional<cache::Entry> choose(cache::Session& session, const Clone& clone) const;
    awaitable<void> restore(int stage, OpenStage& here, Clone& clone);
    awaitable<bool> restore_base(int stage, OpenStage& here, Clone& clone);
    void lose_base(OpenStage& here, Clone& clone, const std::string& why);
    void tell_restored(int stage, const Clone& clone) const;

    awaitable<void> save(int stage, OpenStage& here, Clone& clone);
    awaitable<std::optional<cache::Entry>> make_entry(int stage, Clone& clone);
    awaitable<void> flatten_if_needed(int stage, Clone& clone, cache::Entry& entry);
    void publish(int stage, OpenStage& here, const Clone& clone, cache::Entry entry);
    awaitable<void> remove_unused(OpenStage& here);

    CacheVolumes volumes_of(int stage, const Clone& clone) const;
    std::uint64_t entry_limit_bytes() const;
    void tell(int stage, const std::string& message) const;
    void warn(int stage, const std::string& what, const std::string& hint) const;

    Parts parts_;
    std::map<int, std::unique_ptr<OpenStage>> open_;
    Signal closed_;
};

// Removes what processes that died had made for caches at this engine and no record names; never what one that lives uses.
// Returns how many. Costs one look into a folder when there is nothing to do.
awaitable<int> remove_cache_leftovers(engine::Engine& engine, cache::Store& store, const std::string& instance);

// Removes those of `candidates` (volumes) that no record names and no living process but the one that has `own` uses, and ends
// `own`. What cannot be removed now is left to remove_cache_leftovers().
using RemoveVolume = std::function<awaitable<void>(std::string)>;
awaitable<void> remove_unused_volumes(cache::Store& store, cache::Pin own, std::string engine_id,
                                      std::set<std::string> candidates, RemoveVolume remove);

// Removes those of the entries that are at this engine and were not replaced or used since; whoever looks from then on finds a
// miss. Volumes that a run still uses go with that run.
struct RemovedCaches {
    std::size_t entries = 0;
    std::uint64_t size_bytes = 0; // of layers that no other entry has
};
awaitable<RemovedCaches> remove_cache_entries(engine::Engine& engine, cache::Store& store, std::vector<cache::Used> entries);

} // namespace gantry::runner
