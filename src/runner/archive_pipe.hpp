#pragma once

#include "engine/engine.hpp"

#include <functional>
#include <string>

namespace gantry::runner {

// Copies what is below a path of one container to a path of another, as an archive that passes through this process: one
// download and one upload side by side, in constant memory. `seen` gets the bytes as they pass. The engine keeps a container
// to itself while it packs it, so the two are not the same. Throws what the two calls throw; then part of it may be there.
struct ArchivePlace {
    std::string container, path;
};
awaitable<void> copy_archive(engine::Engine& engine, const ArchivePlace& from, const ArchivePlace& to,
                             std::function<void(std::string_view)> seen);

} // namespace gantry::runner
