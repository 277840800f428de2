#pragma once

#include "engine/docker/json.hpp"
#include "engine/spec.hpp"

#include <string>
#include <vector>

// Specs as the request bodies of the Engine API; pure.

namespace gantry::engine::docker {

struct Dialect {
    int api_minor = 41;
    bool podman = false;
};

// The body of POST /containers/create. Throws bad_input for a spec that contradicts itself, unsupported (with the name of the
// key) for what this daemon cannot do.
Json container_body(const ContainerSpec& spec, const Dialect& dialect);
// Whether further networks are part of the body (1.44 and later) or are connected after the creation.
bool takes_all_endpoints(const Dialect& dialect);
// One place in a network, for container_body() and POST /networks/{id}/connect.
Json endpoint_body(const Endpoint& endpoint);

Json network_body(const NetworkSpec& spec);
Json volume_body(const VolumeSpec& spec);

// {"label": ["a=b", "c"]} for ?filters=: an empty value matches any.
Json label_filter(const Labels& labels);
// A Dockerfile's LABEL line for ?changes=; throws bad_input for a value with a line end.
std::string label_change(const std::string& key, const std::string& value);

// The body's text; throws bad_input if a string in it is not UTF-8.
std::string dump(const Json& body);

} // namespace gantry::engine::docker
