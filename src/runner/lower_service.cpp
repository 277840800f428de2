// A service of a stage → its container.
#include "base/error.hpp"
#include "base/format.hpp"
#include "runner/lower.hpp"
#include "runner/lower_container.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::runner {

namespace {

std::vector<std::string> texts(const std::vector<pipeline::Text>& written, const char* key, const Resolve& resolve)
{
    std::vector<std::string> result;
    for (const auto& text : written)
        result.push_back(resolve(text, key));
    return result;
}

// The names that others of its stage link to it by.
std::vector<std::string> further_names(const pipeline::PlanStage& stage, const std::string& service)
{
    std::vector<std::string> names;
    const auto add = [&](const pipeline::Container& container) {
        for (const auto& link : container.links)
            if (link.service == service && link.name != service)
                names.push_back(link.name);
    };
    for (const auto& other : stage.services)
        add(other.container);
    for (const auto& step : stage.steps)
        add(step.container);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

// Found by its own name on each of its networks, as Compose has it.
void lower_network(const ServiceContext& context, engine::ContainerSpec& spec)
{
    using Network = engine::ContainerSpec::Network;
    const auto& container = context.service->container;
    if (lower_network_mode(container, context.services, spec))
        return;
    spec.network = Network::endpoints;
    const auto links = further_names(*context.stage, context.service->name);
    const auto join = [&](const std::string& network, const pipeline::NetworkAttachment& as) {
        engine::Endpoint endpoint{network, {context.service->name}, as.ipv4_address, as.ipv6_address};
        endpoint.aliases.insert(endpoint.aliases.end(), as.aliases.begin(), as.aliases.end());
        endpoint.aliases.insert(endpoint.aliases.end(), links.begin(), links.end());
        spec.endpoints.push_back(std::move(endpoint));
    };
    for (const auto& attachment : container.networks)
        join(network_by_key(*context.plan, context.owner, context.network, attachment.name), attachment);
    if (container.networks.empty())
        join(context.network, {});
}

} // namespace

std::string service_key(const std::string& name) { return "services/" + name; }

std::string image_of(const pipeline::Plan& plan, const pipeline::PlanStage& stage, const pipeline::Service& service,
                     const pipeline::RuntimeFacts& facts)
{
    if (!service.container.image)
        throw Error(Errc::bad_input, fmt::format("service '{}' has no image", terminal_safe(service.name)),
                    "give it one");
    const auto& text = *service.container.image;
    const auto image = std::string(trim(compute(text, "image", make_scope(plan.event, stage, &facts))));
    if (image.empty())
        throw Error(Errc::bad_input, fmt::format("image: '{}' gives no name", terminal_safe(text.source())));
    return image;
}

engine::ContainerSpec lower_service(const ServiceContext& context)
{
    const auto& container = context.service->container;
    refuse_obstacles(container, context.consent);
    const auto scope = make_scope(context.plan->event, *context.stage, &context.facts);
    const Resolve resolve = [&scope](const pipeline::Text& text, const std::string& what) {
        return compute(text, what, scope);
    };
    engine::ContainerSpec spec;
    lower_container(container, {*context.plan, context.owner, resolve}, spec);
    spec.name = object_name(context.owner);
    for (const auto& [key, value] : labels_of(context.owner))
        spec.labels[key] = value;
    spec.image = context.image;
    for (const auto& [name, value] : container.environment)
        spec.environment.emplace_back(name, resolve(value, "environment"));
    if (container.entrypoint)
        spec.entrypoint = texts(*container.entrypoint, "entrypoint", resolve);
    if (container.command)
        spec.command = texts(*container.command, "command", resolve);
    else if (spec.entrypoint)
        spec.command = std::vector<std::string>(); // Compose: an entrypoint drops the image's command
    lower_network(context, spec);
    spec.volumes_from = shared_volumes(container, context.services);
    return spec;
}

} // namespace gantry::runner
