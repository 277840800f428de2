#pragma once

#include "base/file.hpp"
#include "engine/engine.hpp"

#include <map>
#include <optional>
#include <string>

namespace gantry::runner {

// What one layer changed: for each path that is no folder, a digest of what it is now. A deletion is a digest of its own.
using LayerChanges = std::map<std::string, std::string>;

// Of the archive of a layer's folder, from where the file stands; the folder's own name, which every name begins with, is not in
// the paths. Throws bad_input for a damaged one. Blocks.
LayerChanges changes_of(const Fd& archive);
// Writes the same archive with its first folder called `name`, and leaves both files at their ends. Throws bad_input for a
// damaged one, no_space. Blocks.
void rename_top(const Fd& from, const Fd& to, const std::string& name);

// Reads the layer at `path` of a container that was created for it. The archive goes through a file in `spool_folder`, so
// that memory does not grow with it.
awaitable<LayerChanges> read_changes(engine::Engine& engine, asio::thread_pool& pool, const std::string& container,
                                     const std::string& path, const std::string& spool_folder);

// The first path that both changed, each in its own way.
std::optional<std::string> first_conflict(const LayerChanges& one, const LayerChanges& other);

// Copies the contents of the folder `from` of a container to the folder `name` (of that name in it) under `to`.
awaitable<void> copy_in_container(engine::Engine& engine, asio::thread_pool& pool, const std::string& container,
                                  const std::string& from, const std::string& to, const std::string& name,
                                  const std::string& spool_folder);

} // namespace gantry::runner
