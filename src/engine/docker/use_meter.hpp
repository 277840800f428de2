#pragma once

#include "engine/docker/json.hpp"
#include "engine/spec.hpp"

#include <optional>

namespace gantry::engine::docker {

// Reads the statistics of one container, message by message (Engine API, GET /containers/{id}/stats).
//
// The peak is the kernel's where it counts one (cgroups v1), else the highest that was seen. The kernel's includes the
// pages of files that it would give back before it kills anybody: the most of these that was seen is taken off, so that a
// step which writes a large file is not told to need that much memory.
class UseMeter {
public:
    // Nothing for a container that does not run: all of it is zero then.
    std::optional<ResourceUse> add(const Json& message);

private:
    std::uint64_t peak_bytes_ = 0, most_idle_bytes_ = 0;
};

} // namespace gantry::engine::docker
