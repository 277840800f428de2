#pragma once

#include "base/file.hpp"
#include "engine/engine.hpp"
#include "runner/layer_changes.hpp"

#include <set>
#include <string>

namespace gantry::runner {

// Writes the same archive, from where its file stands, with its first folder called `name`, and leaves both files at their ends.
// Throws bad_input for a damaged one, no_space. Blocks.
void rename_top(const Fd& from, const Fd& to, const std::string& name);
// Writes it with these folders, by their paths in the layer, marked as what hides all that lower layers have in them; else as above.
void mark_opaque(const Fd& from, const Fd& to, const std::set<std::string>& folders);

// Reads the layer at `path` of a container that was created for it. The archive goes through a file in `spool_folder`, so
// that memory does not grow with it.
awaitable<LayerChanges> read_changes(engine::Engine& engine, asio::thread_pool& pool, const std::string& container,
                                     const std::string& path, const std::string& spool_folder);

// Copies the contents of the folder `from` of a container to the folder `name` (of that name in it) under `to`.
awaitable<void> copy_in_container(engine::Engine& engine, asio::thread_pool& pool, const std::string& container,
                                  const std::string& from, const std::string& to, const std::string& name,
                                  const std::string& spool_folder);

} // namespace gantry::runner
