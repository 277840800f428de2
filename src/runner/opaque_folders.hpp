#pragma once

#include "engine/engine.hpp"
#include "runner/layer_changes.hpp"
#include "runner/workspace.hpp"

#include <set>
#include <string>

namespace gantry::runner {

// Where to look at a layer.
struct LayerView {
    Owner owner;               // of the stage that asks
    std::string layer;         // its path on the engine's host
    std::string shared_folder; // of ours, which the engine can mount; something in it comes and goes
    Intend intend;
};

// Those of `folders`, all of which the layer has, that are opaque or lie in such a folder. For engines that mount overlays: their
// archives do not say it. Reads of the layer's contents what is small.
awaitable<std::set<std::string>> opaque_folders(engine::Engine& engine, asio::thread_pool& pool, const LayerView& view,
                                                const LayerChanges& changes, const std::set<std::string>& folders);

} // namespace gantry::runner
