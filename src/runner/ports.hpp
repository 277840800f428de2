#pragma once

#include "engine/spec.hpp"

#include <map>
#include <string>

// The ports that the engine has published of a running container. They travel as outputs, under names that no line of CI_OUTPUT
// can have (pipeline::is_port()): "80/tcp", with the port of the engine's host as value.

namespace gantry::runner {

// Of several addresses of a port the first that is IPv4's; without those that are not published.
std::map<std::string, std::string> published_ports(const engine::ContainerStatus& status);

// "80/tcp at port 49153, 53/udp at port 49154" for those of `outputs` that are ports; empty: none is.
std::string describe_ports(const std::map<std::string, std::string>& outputs);

} // namespace gantry::runner
