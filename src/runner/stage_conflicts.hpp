#pragma once

#include "engine/engine.hpp"
#include "runner/workspace.hpp"

#include <string>

namespace gantry::runner {

struct ConflictSearch {
    WorkspaceRequest request;
    Intend intend;
    std::string cache_folder;     // archives pass through a file in it
    bool mounts_overlays = false; // the engine does, also of folders in cache_folder
};

// Throws conflict, with both stages and the path, when two layers of the stack that do not build on each other changed one path
// differently: also when one has something in, or in the place of, what the other removed, replaced or made anew.
awaitable<void> refuse_conflicts(engine::Engine& engine, asio::thread_pool& pool, const ConflictSearch& search);

// `upper` was made with `lower` below it.
bool is_stacked_on(const StageLayer& upper, const StageLayer& lower);

} // namespace gantry::runner
