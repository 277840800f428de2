#pragma once

#include "engine/engine.hpp"

#include <optional>
#include <string>

namespace gantry::runner {

// The image of the container that holds a stage's network: one static program of a few hundred bytes that waits for ever.
inline constexpr const char* k_holder_image = "gantry/holder:1";

// A tar with that program at /hold, for this processor; nothing where we have none (then there are no holders).
std::optional<std::string> holder_tar(const std::string& architecture);

// Its id, by which containers are made: the name may be another image's a moment later. Makes the image if the engine lacks it, or
// has another under its name. Nothing where we have no program for its processor.
awaitable<std::optional<std::string>> holder_image(engine::Engine& engine);

} // namespace gantry::runner
