#include "runner/ports.hpp"

#include "base/format.hpp"
#include "pipeline/scope.hpp"

#include <fmt/format.h>

#include <set>

namespace gantry::runner {

std::map<std::string, std::string> published_ports(const engine::ContainerStatus& status)
{
    std::map<std::string, std::string> ports;
    std::set<std::string> by_ipv4;
    for (const auto& port : status.ports) {
        if (port.host_port == 0)
            continue;
        const auto name = fmt::format("{}/{}", port.container_port, port.protocol);
        const bool is_ipv4 = port.host_ip.find(':') == std::string::npos;
        // Of several the first that was asked for.
        if (!ports.contains(name) || (is_ipv4 && !by_ipv4.contains(name)))
            ports[name] = std::to_string(port.host_port);
        if (is_ipv4)
            by_ipv4.insert(name);
    }
    return ports;
}

std::string describe_ports(const std::map<std::string, std::string>& outputs)
{
    std::string text;
    for (const auto& [name, port] : outputs)
        if (pipeline::is_port(name))
            text += fmt::format("{}{} at port {}", text.empty() ? "" : ", ", terminal_safe(name), terminal_safe(port));
    return text;
}

} // namespace gantry::runner
