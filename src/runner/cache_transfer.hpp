#pragma once

#include "base/file.hpp"
#include "cache/store.hpp"
#include "engine/engine.hpp"

#include <string>
#include <vector>

// An entry of a cache as one tar archive (POSIX.1-2001 pax): gantry-cache.json, which names cache and key and
// the branch of a private one, then the folder `cache` with all that a stage would find.

namespace gantry::runner {

struct CacheTransfer {
    engine::Engine& engine;
    cache::Store& store;
    std::string instance;
};

// Throws not_found when a volume of it is gone, and unsupported where it has several layers and the engine mounts nothing for us.
awaitable<void> export_cache(CacheTransfer with, cache::Entry entry, engine::WritePiece write);

struct ImportedCache {
    cache::Entry entry;
    std::vector<cache::Entry> dropped; // the limits were reached, and they were used least recently
};

// Keeps what is in such a file as an entry of `repository`; it takes the place of one of that key. `archive` can be read twice and
// outlives the call; `file` is its name for errors. Throws bad_input for what is no such archive, holds devices or names that lead
// elsewhere, or is larger than a cache may be. Nothing is kept then.
awaitable<ImportedCache> import_cache(CacheTransfer with, const Fd& archive, std::string file, std::string repository);

} // namespace gantry::runner
