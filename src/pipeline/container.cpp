#include "pipeline/container.hpp"

namespace gantry::pipeline {

std::optional<std::string_view> network_service(const Container& container)
{
    constexpr std::string_view k_prefix = "service:";
    if (!container.network_mode || !container.network_mode->starts_with(k_prefix))
        return std::nullopt;
    return std::string_view(*container.network_mode).substr(k_prefix.size());
}

bool shares_with_service(const Container& container)
{
    return !container.volumes_from.empty() || network_service(container);
}

std::vector<Dependency> dependencies_of(const Container& container)
{
    auto result = container.depends_on;
    const auto add = [&result](std::string_view name) {
        Dependency dependency;
        dependency.service = name;
        result.push_back(std::move(dependency));
    };
    if (const auto service = network_service(container))
        add(*service);
    for (const auto& from : container.volumes_from)
        add(std::string_view(from).substr(0, from.find(':')));
    for (const auto& link : container.links)
        add(link.service);
    return result;
}

} // namespace gantry::pipeline
