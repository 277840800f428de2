#pragma once

#include "cache/entry.hpp"
#include "engine/engine.hpp"
#include "runner/archive_measure.hpp"
#include "runner/lower.hpp"
#include "runner/workspace.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

// The volumes of one cache of one stage. A layer is a volume that outlives runs: it carries the instance, the cache and the
// store, but not gantry.run, so that neither a run's clean-up nor the reaper of runs takes it.

namespace gantry::runner {

inline constexpr const char* k_cache_label = "gantry.cache";
inline constexpr const char* k_cache_run_label = "gantry.cache.run";     // that made it
inline constexpr const char* k_cache_top = "/cache";
inline constexpr const char* k_cache_store_label = "gantry.cache.store"; // cache::Store::id()

struct CacheOwner {
    Owner stage;          // of what goes with the run
    bool of_cache = false; // nothing goes with a run: the carriers carry what layers carry
    std::string store;    // cache::Store::id()
    std::string cache;    // its name
    int position = 0;     // among the caches of the stage
};

// "gantry-1f2e-cache-<random>": unique, since a run that is resumed may find the first one's published.
std::string new_layer_name(const std::string& instance);

// Where the containers of the stage write: a volume `upper` of its own, above the layers of an entry.
class CacheVolumes {
public:
    // `intend` is called with each object before it is created.
    CacheVolumes(engine::Engine& engine, CacheOwner owner, Intend intend);

    // The paths of the layers on the engine's host; nothing when one of them is gone.
    awaitable<std::optional<std::vector<std::string>>> find_layers(std::vector<cache::Layer> layers);

    // By mount, in constant time. Returns the volume for the containers: the upper one itself where there are no layers.
    awaitable<std::string> mount_above(std::vector<std::string> layer_paths, std::string upper);
    // By copy, for engines that mount nothing for us: `upper` gets all that the layer has. Returns what was copied; its digest is
    // another than the layer's when the layer was damaged.
    awaitable<ArchiveSize> copy_of(std::string layer, std::string upper);
    awaitable<void> create_empty(std::string upper);

    // All names that there may be but those of layers, for a Pin.
    std::set<std::string> names() const;
    // A container that is never started, with the volume at k_cache_top: so that an archive of one is an archive for another.
    awaitable<std::string> carrier(std::string volume, std::string role);

    // What a volume holds; reads it once. Nothing may write to it meanwhile.
    awaitable<ArchiveSize> measure(std::string volume);
    // One volume `into` with all that `merged` shows.
    awaitable<ArchiveSize> flatten(std::string merged, std::string into);

private:
    awaitable<engine::VolumeInfo> create_layer(std::string name);
    awaitable<engine::VolumeInfo> create_of_run(std::string role);
    awaitable<ArchiveSize> copy(std::string from, std::string to);
    std::string name_of(const std::string& role) const;
    engine::Labels labels() const;

    engine::Engine& engine_;
    CacheOwner owner_;
    Intend intend_;
};

} // namespace gantry::runner
