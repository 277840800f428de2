#include "pipeline/checks_internal.hpp"

#include "pipeline/subnet.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

// What two containers, or two networks, cannot have at the same time: ports of the host, fixed addresses, subnets.

namespace gantry::pipeline {

namespace {

// With how many before it each is compared. Files with more are no people's, and must not take long.
constexpr std::size_t k_max_compared = 500;
constexpr std::size_t k_max_steps_of_search = 1'000'000;

// ---- ports

struct PortRange {
    int first = 0, last = 0;
    int count() const { return last - first + 1; }
};

std::optional<PortRange> parse_ports(std::string_view text)
{
    const auto number = [](std::string_view digits, int& value) {
        const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        return status == std::errc() && end == digits.data() + digits.size();
    };
    const auto dash = text.find('-');
    PortRange range;
    if (!number(text.substr(0, dash), range.first) || !number(dash == std::string_view::npos ? text : text.substr(dash + 1), range.last))
        return std::nullopt;
    return range;
}

// Which ports of the host it takes; nothing where the engine picks one.
std::optional<PortRange> fixed_ports(const PortMapping& mapping)
{
    const auto inside = parse_ports(mapping.target), outside = parse_ports(mapping.published);
    return inside && outside && inside->count() == outside->count() ? outside : std::nullopt;
}

// Without an address a port is published on all, of IPv4 and IPv6.
bool meet_at_host(const std::optional<Address>& one, const std::optional<Address>& other)
{
    if (!one || !other)
        return true;
    return one->is_v6 == other->is_v6 && (*one == *other || one->is_any() || other->is_any());
}

// ---- services of a stage

// Which services run at the same time.
class Lifetimes {
public:
    explicit Lifetimes(const Stage& stage) : stage_(stage)
    {
        for (std::size_t i = 0; i < stage.services.size(); ++i)
            by_name_.emplace(stage.services[i].name, i);
    }

    bool meet(std::size_t a, std::size_t b) { return a == b || (!ends_before(a, b) && !ends_before(b, a)); }

private:
    // Also true when looking has taken too long: then nothing is known.
    bool ends_before(std::size_t ended, std::size_t begins)
    {
        std::set<std::size_t> seen{begins};
        std::vector<std::size_t> left{begins};
        while (!left.empty()) {
            const auto& container = stage_.services[left.back()].container;
            left.pop_back();
            for (const auto& dependency : dependencies_of(container)) {
                const auto found = by_name_.find(dependency.service);
                if (found == by_name_.end())
                    continue;
                if (++steps_ > k_max_steps_of_search ||
                    (found->second == ended && dependency.condition == Condition::service_completed_successfully))
                    return true;
                if (seen.insert(found->second).second)
                    left.push_back(found->second);
            }
        }
        return false;
    }

    const Stage& stage_;
    std::unordered_map<std::string_view, std::size_t> by_name_;
    std::size_t steps_ = 0;
};

class ClaimChecker {
public:
    ClaimChecker(const Definition& definition, const Stage& stage, std::size_t index, Diagnostics& out)
        : stage_(stage), index_(index), out_(out), lifetimes_(stage)
    {
        for (const auto& network : definition.networks)
            if (network.internal)
                internal_.insert(network.name);
    }

    void check()
    {
        for (std::size_t i = 0; i < stage_.services.size(); ++i) {
            const auto& container = stage_.services[i].container;
            if (container.network_mode && *container.network_mode != "bridge" && *container.network_mode != "default")
                continue; // it has no ports and addresses of its own
            if (!is_all_internal(container))
                for (const auto& mapping : container.ports)
                    claim_ports(i, mapping);
            for (const auto& attachment : container.networks)
                for (const auto* written : {&attachment.ipv4_address, &attachment.ipv6_address})
                    if (const auto address = parse_address(*written))
                        claim_address(i, attachment, *address);
        }
    }

private:
    struct PortClaim {
        std::size_t service;
        PortRange ports;
        std::optional<Address> host;
        const PortMapping* mapping;
    };

    // Engines publish nothing of these.
    bool is_all_internal(const Container& container) const
    {
        const auto& networks = container.networks;
        return !networks.empty() &&
               std::all_of(networks.begin(), networks.end(), [&](const auto& network) { return internal_.contains(network.name); });
    }

    void claim_ports(std::size_t service, const PortMapping& mapping)
    {
        const auto ports = fixed_ports(mapping);
        if (!ports)
            return;
        const auto host = parse_address(mapping.host_ip);
        const auto meets = [&](const PortClaim& other) {
            return ports->first <= other.ports.last && other.ports.first <= ports->last &&
                   mapping.protocol == other.mapping->protocol &&
                   meet_at_host(host, other.host) && lifetimes_.meet(other.service, service);
        };
        const auto end = ports_.begin() + static_cast<std::ptrdiff_t>(std::min(ports_.size(), k_max_compared));
        if (const auto other = std::find_if(ports_.begin(), end, meets); other != end)
            report(service, "ports", mapping.mark,
                   fmt::format("port {} of the host is published by {}, too", std::max(ports->first, other->ports.first),
                               other->service == service ? "this service" : name_of(other->service)),
                   "leave the port of the host out, and the engine picks one");
        ports_.push_back({service, *ports, host, &mapping});
    }

    void claim_address(std::size_t service, const NetworkAttachment& attachment, const Address& address)
    {
        auto& holders = addresses_[{attachment.name, address}];
        const auto meets = [&](std::size_t other) { return other != service && lifetimes_.meet(other, service); };
        const auto end = holders.begin() + static_cast<std::ptrdiff_t>(std::min(holders.size(), k_max_compared));
        if (const auto other = std::find_if(holders.begin(), end, meets); other != end)
            report(service, "networks." + attachment.name, attachment.mark,
                   fmt::format("'{}' in the network '{}' is the address of {}, too",
                               address.is_v6 ? attachment.ipv6_address : attachment.ipv4_address,
                               terminal_safe(attachment.name), name_of(*other)),
                   "give each its own, or leave it out and the engine picks one");
        holders.push_back(service);
    }

    std::string name_of(std::size_t service) const { return fmt::format("service '{}'", terminal_safe(stage_.services[service].name)); }

    // Replicas stand in one place, and what is wrong with them is told once.
    void report(std::size_t index, const std::string& key, Mark mark, std::string message, std::string hint)
    {
        const auto& service = stage_.services[index];
        if (!mark.known())
            mark = mark_of(service.container.marks, key.substr(0, key.find('.')), service.mark);
        if (!mark.known() || told_.emplace(mark.file, mark.line, mark.column, message).second)
            out_.push_back(error_at(mark, "conflict", std::move(message),
                                    fmt::format("stages[{}].services.{}.{}", index_, service.name, key), std::move(hint)));
    }

    const Stage& stage_;
    std::size_t index_;
    Diagnostics& out_;
    Lifetimes lifetimes_;
    std::set<std::string_view> internal_;
    std::vector<PortClaim> ports_;
    std::map<std::pair<std::string_view, Address>, std::vector<std::size_t>> addresses_;
    std::set<std::tuple<int, int, int, std::string>> told_;
};

// ---- subnets

class SubnetChecker {
public:
    SubnetChecker(const Definition& definition, Diagnostics& out) : definition_(definition), out_(out) {}

    void check()
    {
        for (const auto& network : definition_.networks)
            for (const auto& config : network.ipam)
                if (const auto subnet = network.external ? std::nullopt : parse_subnet(config.subnet)) {
                    check_inside(network, config, *subnet);
                    check_overlaps(network, config, *subnet);
                    seen_.push_back({&network, &config, *subnet});
                }
    }

private:
    using Config = NetworkDeclaration::Subnet;
    struct Seen {
        const NetworkDeclaration* network;
        const Config* config;
        Subnet subnet;
    };

    void check_inside(const NetworkDeclaration& network, const Config& config, const Subnet& subnet)
    {
        if (is_address(config.gateway) && !subnet.contains(config.gateway))
            report(network, config, "gateway", "bad-value", fmt::format("'{}' is not in the subnet {}", config.gateway, config.subnet),
                   "the gateway is an address of the subnet; left out, the engine picks one");
        if (const auto range = parse_subnet(config.ip_range); range && !subnet.contains(*range))
            report(network, config, "ip_range", "bad-value", fmt::format("'{}' is not in the subnet {}", config.ip_range, config.subnet),
                   "the range is a part of the subnet");
    }

    void check_overlaps(const NetworkDeclaration& network, const Config& config, const Subnet& subnet)
    {
        const auto meets = [&](const Seen& other) { return subnet.overlaps(other.subnet) && are_there_together(network, *other.network); };
        const auto end = seen_.begin() + static_cast<std::ptrdiff_t>(std::min(seen_.size(), k_max_compared));
        const auto other = std::find_if(seen_.begin(), end, meets);
        if (other == end)
            return;
        const auto where = other->network == &network ? std::string("this network")
                                                      : fmt::format("the network '{}'", terminal_safe(other->network->name));
        report(network, config, "subnet", "conflict",
               fmt::format("{} overlaps with {} of {}", config.subnet, other->config->subnet, where),
               "an engine has each address once: choose another subnet, or leave it out");
    }

    // Only of bridges it is known that they share their addresses.
    bool are_there_together(const NetworkDeclaration& one, const NetworkDeclaration& other)
    {
        const auto is_bridge = [](const NetworkDeclaration& network) { return network.driver.empty() || network.driver == "bridge"; };
        if (&one == &other)
            return true;
        if (!is_bridge(one) || !is_bridge(other))
            return false;
        return one.scope == DeclarationScope::run || other.scope == DeclarationScope::run || share_a_stage(one.name, other.name);
    }

    // A network that belongs to stages is there where it is named.
    bool share_a_stage(const std::string& one, const std::string& other)
    {
        if (!is_collected_)
            collect_uses();
        const auto &a = uses_[one], &b = uses_[other];
        return std::any_of(a.begin(), a.end(), [&](std::size_t stage) { return b.contains(stage); });
    }

    void collect_uses()
    {
        is_collected_ = true;
        for (std::size_t i = 0; i < definition_.stages.size(); ++i) {
            const auto add = [&](const Container& container) {
                for (const auto& network : container.networks)
                    uses_[network.name].insert(i);
            };
            const auto& stage = definition_.stages[i];
            add(definition_.defaults.container);
            add(stage.container);
            for (const auto& service : stage.services)
                add(service.container);
            for (const auto* groups : {&stage.steps, &stage.finally_steps})
                for (const auto& group : *groups)
                    for (const auto& step : group.steps)
                        add(step.container);
        }
    }

    void report(const NetworkDeclaration& network, const Config& config, const char* key, const char* code,
                std::string message, std::string hint)
    {
        out_.push_back(error_at(mark_of(config.marks, key, network.mark), code, std::move(message),
                                fmt::format("networks.{}.ipam", network.name), std::move(hint)));
    }

    const Definition& definition_;
    Diagnostics& out_;
    std::vector<Seen> seen_;
    bool is_collected_ = false;
    std::unordered_map<std::string_view, std::set<std::size_t>> uses_; // stages that name a network
};

} // namespace

void check_claims(const Definition& definition, const Stage& stage, std::size_t index, Diagnostics& out)
{
    ClaimChecker(definition, stage, index, out).check();
}

void check_subnets(const Definition& definition, Diagnostics& out) { SubnetChecker(definition, out).check(); }

} // namespace gantry::pipeline
