#pragma once

#include "cache/artifact_store.hpp"
#include "cache/removal.hpp"
#include "engine/spec.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

// What there is of ours at an engine and on our disk, and which of it goes, and why. Pure: housekeeping_facts.hpp finds it out,
// housekeeping_apply.hpp removes it.

namespace gantry::runner {

using WallTime = std::chrono::system_clock::time_point;

// In the order in which they are removed: what holds something goes before it.
enum class Kept { containers, networks, volumes, images, caches, artifacts, logs };

struct KeptKind {
    Kept kind;
    const char* name; // as people write it
    const char* about;
    bool at_engine;   // nothing of it can be known where the engine does not answer
    std::chrono::hours limit; // of age, unless a person names another
};
std::span<const KeptKind> kept_kinds();
const KeptKind& kept_kind(Kept kind);
// Throws bad_input with what there is; the singular is taken, too.
Kept parse_kept(const std::string& name);

// ---- what there is

struct KnownRun {
    enum class State { living, interrupted, ended } state = State::ended;
    std::string id;
    WallTime last{};              // it wrote its journal
    std::uint64_t size_bytes = 0; // of its folder
    std::set<std::string> images; // that its steps ran, built or pushed, as they name them; of the newest runs only
};

// The files of one repository that workspaces are made of; see source_cache.hpp.
struct KnownSource {
    std::string folder; // the cache's own
    WallTime used{};
    std::uint64_t size_bytes = 0;
    bool in_use = false;
};

struct HousekeepingFacts {
    WallTime now{};
    std::string cache_store;                    // cache::Store::id()
    std::vector<engine::StoredObject> objects;  // with our instance's label
    std::vector<cache::Used> caches;            // at this engine
    std::set<std::string> pinned;               // volumes of caches that living processes use
    std::vector<KnownSource> sources;
    std::vector<cache::StoredArtifacts> artifacts;
    std::vector<KnownRun> runs; // the newest first; read after `objects` and `artifacts`, so that none of theirs is missing
};

// ---- what goes

struct HousekeepingRules {
    std::optional<std::chrono::nanoseconds> older_than; // instead of each kind's own limit
    std::size_t keep = 10; // so many of the newest runs stay, with the images that they used or made
    bool all = false;      // whatever its age
    std::set<Kept> kinds;  // of these alone anything goes; empty: of all
};

struct HousekeepingItem {
    Kept kind = Kept::containers;
    std::string name;  // to remove it by: an object's, a run's id, a path; of a cache: for people
    std::string about; // for people, where the name is no help
    std::string why;   // it goes, or stays
    std::uint64_t size_bytes = 0;
    WallTime since{}; // its age counts from then; the epoch: not known
    bool goes = false;
    std::string run;                  // whose object it is, if it is one's
    std::string id;                   // of an image
    std::vector<std::string> tags;    // of an image: it is gone when all of them are
    std::optional<cache::Used> cache; // of one that is an entry
};

// Everything there is, kind after kind. What belongs to other installations is in none of it, and does not go.
std::vector<HousekeepingItem> judge(const HousekeepingFacts& facts, const HousekeepingRules& rules);

struct HousekeepingSum {
    std::size_t count = 0, going = 0;
    std::uint64_t size_bytes = 0;
    // At most: images and artifacts may share with what stays.
    std::uint64_t frees_bytes = 0;
};
HousekeepingSum sum_of(const std::vector<HousekeepingItem>& items, Kept kind);
std::uint64_t frees_bytes_of(const std::vector<HousekeepingItem>& items);

} // namespace gantry::runner
