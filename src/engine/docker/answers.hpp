#pragma once

#include "engine/docker/json.hpp"
#include "engine/spec.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The daemon's answers as values; pure, and total: whatever is missing stays empty.

namespace gantry::engine::docker {

EngineInfo engine_info(const Json& version, const Json& info);
// Podman leaves out in some answers how it came to an id.
std::string whole_image_id(const std::string& id);
// `image` as it was asked for, to choose among the digests.
ImageInfo image_info(const Json& answer, const std::string& image);
ContainerStatus container_status(const Json& answer);
// Sorted by name.
std::vector<Object> containers_of(const Json& answer);
std::vector<Object> networks_of(const Json& answer);
std::vector<Object> volumes_of(const Json& answer);
// By their first tag; "<none>:<none>" is no tag.
std::vector<ImageEntry> images_of(const Json& answer);
// The answers of /system/df, and of what it leaves out: /containers/json with the networks of those that run (Podman's), /networks,
// and /volumes with those that have options of their driver, such as overlays.
struct StoredAnswers {
    Json usage, running, networks, volumes;
};
// By kind and name.
std::vector<StoredObject> stored_objects(const StoredAnswers& answers);
// Nothing for the events that nobody asked for.
std::optional<EngineEvent> engine_event(const Json& message);

} // namespace gantry::engine::docker
