#pragma once

#include "engine/docker/json.hpp"
#include "engine/spec.hpp"

#include <optional>

namespace gantry::engine::docker {

// Those of an image's labels that were given to it, and not to the image that it was built or committed on: an image takes over
// every label of its base. `history` answers /images/…/history; `base` are the labels of its parent, absent where the engine
// knows of none. A label of which that cannot be told is left out.
Labels own_labels(const Labels& labels, const Json& history, const std::optional<Labels>& base);

} // namespace gantry::engine::docker
