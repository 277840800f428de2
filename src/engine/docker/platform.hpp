#pragma once

#include "engine/spec.hpp"

#include <string>

namespace gantry::engine::docker {

// Whether `image` has the system and the architecture that `asked` names: "linux/arm64/v8", "linux/aarch64", "arm64" or "linux", as
// containerd reads platforms. Variants are not compared; what the image does not tell is taken as right.
bool is_of_platform(const ImageInfo& image, const std::string& asked);

} // namespace gantry::engine::docker
