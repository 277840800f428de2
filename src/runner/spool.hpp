#pragma once

#include "base/file.hpp"
#include "engine/engine.hpp"

#include <string>

// Archives that pass through a file of ours, so that memory does not grow with them. `name` is for errors.

namespace gantry::runner {

// A file without a name in `folder`: gone with its descriptor, also after a crash.
Fd spool_file(const std::string& folder);

// `file` outlives what is returned; bytes go to, or come from, where it stands.
engine::WritePiece write_to(const Fd& file, std::string name);
engine::ReadPiece read_from(const Fd& file, std::string name);

} // namespace gantry::runner
