// Names and labels of what a run creates.
#include "runner/lower.hpp"

#include "base/format.hpp"

#include <algorithm>

namespace gantry::runner {

namespace {

constexpr std::size_t k_max_name = 63; // a label of a host name, RFC 1123
constexpr std::size_t k_hash = 8;

bool is_plain(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// Letters and digits in small, everything else as '-'.
std::string plain(std::string_view part)
{
    std::string result = to_lower(part);
    std::replace_if(result.begin(), result.end(), [](char c) { return !is_plain(c); }, '-');
    while (!result.empty() && result.back() == '-')
        result.pop_back();
    return result;
}

} // namespace

engine::Labels labels_of(const Owner& owner)
{
    engine::Labels labels = {{"gantry.instance", owner.instance}, {"gantry.run", owner.run}};
    if (!owner.stage.empty())
        labels["gantry.stage"] = owner.stage;
    if (!owner.step.empty())
        labels["gantry.step"] = owner.step;
    if (owner.attempt > 0)
        labels["gantry.attempt"] = std::to_string(owner.attempt);
    return labels;
}

// A part with a '-' of its own gets the hash, too: build + step-1 is not build-step + 1.
std::string object_name(const Owner& owner, std::string_view role)
{
    std::vector<std::string> parts = {owner.instance, owner.run};
    if (!owner.stage.empty())
        parts.push_back(owner.stage);
    if (!owner.step.empty())
        parts.push_back(owner.step);
    if (!owner.step.empty() && owner.attempt > 0)
        parts.push_back(std::to_string(owner.attempt));

    std::string name = "gantry", whole;
    bool changed = false;
    const auto add = [&](char separator, std::string_view part) {
        const auto shown = plain(part);
        changed = changed || shown != part || shown.find('-') != std::string::npos;
        name += separator + shown;
        whole += separator + std::string(part) + '\0';
    };
    for (const auto& part : parts)
        add('-', part);
    if (!role.empty())
        add('.', role);
    if (!changed && name.size() <= k_max_name)
        return name;
    name.resize(std::min(name.size(), k_max_name - k_hash - 1));
    while (!is_plain(name.back()))
        name.pop_back();
    return name + "-" + sha256_hex(whole).substr(0, k_hash);
}

bool is_object_name(std::string_view name)
{
    constexpr std::string_view k_begin = "gantry-";
    constexpr std::size_t k_instance = 8; // hexadecimal digits
    if (!name.starts_with(k_begin))
        return false;
    const auto end = name.find_first_not_of("0123456789abcdef", k_begin.size());
    return end == k_begin.size() + k_instance && name[end] == '-';
}

namespace {

// Whom a declaration belongs to, seen from an object of a stage or of the run.
Owner owner_of(pipeline::DeclarationScope scope, const Owner& seen_from)
{
    return {seen_from.instance, seen_from.run, scope == pipeline::DeclarationScope::stage ? seen_from.stage : ""};
}

bool is_of(const Owner& owner, pipeline::DeclarationScope scope)
{
    return owner.stage.empty() == (scope == pipeline::DeclarationScope::run);
}

template <typename Spec>
void put_labels(Spec& spec, const std::map<std::string, std::string>& declared, const Owner& owner)
{
    spec.labels.insert(declared.begin(), declared.end());
    for (const auto& [key, value] : labels_of({owner.instance, owner.run, owner.stage}))
        spec.labels[key] = value;
}

} // namespace

std::string volume_name(const pipeline::VolumeDeclaration& volume, const Owner& user)
{
    if (volume.external)
        return volume.external_name.empty() ? volume.name : volume.external_name;
    return object_name(owner_of(volume.scope, user), "volume-" + volume.name);
}

std::string network_name(const pipeline::NetworkDeclaration& network, const Owner& user)
{
    if (network.external)
        return network.external_name.empty() ? network.name : network.external_name;
    return object_name(owner_of(network.scope, user), "network-" + network.name);
}

std::vector<engine::VolumeSpec> volumes_of(const pipeline::Plan& plan, const Owner& owner)
{
    std::vector<engine::VolumeSpec> specs;
    for (const auto& volume : plan.volumes) {
        if (volume.external || !is_of(owner, volume.scope))
            continue;
        engine::VolumeSpec spec;
        spec.name = volume_name(volume, owner);
        put_labels(spec, volume.labels, owner);
        if (!volume.driver.empty())
            spec.driver = volume.driver;
        spec.options = volume.driver_opts;
        specs.push_back(std::move(spec));
    }
    return specs;
}

std::vector<engine::NetworkSpec> networks_of(const pipeline::Plan& plan, const Owner& owner)
{
    std::vector<engine::NetworkSpec> specs;
    for (const auto& network : plan.networks) {
        if (network.external || !is_of(owner, network.scope))
            continue;
        engine::NetworkSpec spec;
        spec.name = network_name(network, owner);
        put_labels(spec, network.labels, owner);
        if (!network.driver.empty())
            spec.driver = network.driver;
        spec.options = network.driver_opts;
        spec.internal = network.internal;
        spec.attachable = network.attachable;
        spec.ipv6 = network.enable_ipv6;
        for (const auto& subnet : network.ipam)
            spec.subnets.push_back({subnet.subnet, subnet.gateway, subnet.ip_range});
        specs.push_back(std::move(spec));
    }
    return specs;
}

} // namespace gantry::runner
