#pragma once

#include "engine/engine.hpp"

#include <string>
#include <vector>

namespace gantry::runner {

engine::Mount volume_mount(const std::string& volume, const std::string& target);

// A container that is created and never started, to reach into volumes by upload() and download(). Throws unsupported
// where there is no holder image for the engine's processor.
awaitable<void> create_carrier(engine::Engine& engine, std::string name, engine::Labels labels,
                               std::vector<engine::Mount> mounts);

} // namespace gantry::runner
