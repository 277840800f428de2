#pragma once

#include "base/error.hpp"
#include "engine/engine.hpp"

#include <string>

namespace gantry::runner {

// Where `path`, which is in the workspace and normalised, leads if it is a symbolic link; else, and where nothing is, as it is. The
// workspace is mounted in `container`. Links of folders on the way are the engine's to follow. Throws bad_input for a link that
// leads out of the workspace.
awaitable<std::string> follow_in_workspace(engine::Engine& engine, const std::string& container, std::string path);

// Whether a download failed because a file stands on the way to its path. Engines have no code of their own for that.
bool is_behind_a_file(const Error& error);

} // namespace gantry::runner
