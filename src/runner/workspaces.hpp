#pragma once

#include "base/log.hpp"
#include "engine/engine.hpp"
#include "runner/snapshot.hpp"
#include "runner/workspace.hpp"

#include <memory>
#include <string>

namespace gantry::runner {

struct WorkspacesOptions {
    SourceOptions source;
    engine::EngineInfo info;  // what the engine says of itself
    std::string cache_folder; // where the verdict about each engine is kept
    std::string instance;
    std::string run; // that what the probe makes belongs to, so that whoever cleans up after the run finds it; may be empty
};

// How an engine gets our files, in the order that is tried.
enum class WorkspaceKind {
    overlay, // it mounts our snapshot below a volume of its own: constant time, whatever the size
    copy,    // the snapshot is sent into a volume: an engine on another host, or one that cannot mount
};
std::string_view to_string(WorkspaceKind kind);

// Tries it out on the engine (two volumes and a container that is never started), once for each engine: the verdict is kept in
// cache_folder. `again` asks anew, for `gantry doctor`.
awaitable<WorkspaceKind> probe_workspaces(engine::Engine& engine, const WorkspacesOptions& options, Intend intend, bool again = false);

// `pool` does the work on our disk.
std::unique_ptr<WorkspaceProvider> make_workspaces(engine::Engine& engine, asio::thread_pool& pool, Log log,
                                                   WorkspacesOptions options);

// Volumes without files, for engines that run nothing.
std::unique_ptr<WorkspaceProvider> make_empty_workspaces(engine::Engine& engine);

} // namespace gantry::runner
