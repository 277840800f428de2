#pragma once

#include "runner/stage_caches.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

// What StageCaches knows of a stage that is open.

namespace gantry::runner {

struct StageCaches::Clone {
    CacheRequest request;
    cache::Place place;
    int position = 0;
    std::string upper, flat;            // volumes, that may come to be
    std::optional<cache::Entry> base;
    std::optional<ArchiveSize> copied;  // from the base, where the engine mounts nothing
    bool is_copy = false;               // `upper` has all there is, not only what changed
    std::string mounted;                // volume; empty: not there yet
    ConcurrencyGroups::Place turn;      // of a locked one
    bool has_turn = true;

    bool is_hit() const { return base && base->key == request.key; }
};

struct StageCaches::OpenStage {
    std::vector<Clone> clones;
    std::optional<cache::Pin> pin;
    std::set<std::string> pinned;     // volumes
    std::set<std::string> replaced;   // volumes of entries that went
    bool is_closed = false;
};

} // namespace gantry::runner
