#pragma once

#include "base/clock.hpp"
#include "cache/store.hpp"
#include "engine/engine.hpp"
#include "runner/housekeeping.hpp"
#include "runner/store.hpp"

#include <string>

namespace gantry::runner {

struct HousekeepingSources {
    engine::Engine& engine;
    Store& runs;
    cache::Store& caches;
    cache::ArtifactStore& artifacts;
    std::string cache_folder; // of copies of repositories: see source_cache.hpp
    Clock& clock;
};

// Looks at everything; takes as long as the engine needs to measure what it has. The images of the newest `keep` runs are looked up.
// Throws what the engine throws; with AskEngine::no only what lies on our disk is looked at, without entries of caches.
enum class AskEngine { yes, no };
awaitable<HousekeepingFacts> collect_facts(const HousekeepingSources& from, std::size_t keep, AskEngine ask = AskEngine::yes);

// All runs, the newest first. Blocking.
std::vector<KnownRun> known_runs(const Store& store, std::size_t keep);

} // namespace gantry::runner
