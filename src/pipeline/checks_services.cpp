#include "pipeline/checks_internal.hpp"

#include "pipeline/container_path.hpp"
#include "pipeline/subnet.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <unordered_map>

namespace gantry::pipeline {

namespace {

template <typename Declarations>
std::vector<std::string> names_in(const Declarations& declarations)
{
    std::vector<std::string> names;
    for (const auto& declaration : declarations)
        names.push_back(declaration.name);
    return names;
}

constexpr const char* k_one_meaning_hint = "in a stage a name means the same to all";

// What a container names: volumes and networks of the file, services of its stage.
class ContainerChecker {
public:
    ContainerChecker(const DeclaredNames& names, const Container& container, const MakePath& path, Mark fallback, Diagnostics& out)
        : names_(names), container_(container), path_(path), fallback_(fallback), out_(out)
    {
    }

    void check()
    {
        for (const auto& mount : container_.volumes)
            check_volume(mount);
        for (const auto& network : container_.networks)
            check_network(network);
        if (container_.network_mode && !container_.networks.empty())
            out_.push_back(error_at(container_.networks.front().mark, "conflict",
                                    "'network_mode' and 'networks' cannot stand together", path_() + ".networks",
                                    "keep one of them"));
        check_ports();
        if (!names_.stage())
            return;
        if (const auto service = network_service(container_))
            check_service({}, "network_mode", std::string(*service));
        for (const auto& from : container_.volumes_from)
            if (!from.starts_with("container:"))
                check_service({}, "volumes_from", from.substr(0, from.find(':')));
        for (const auto& dependency : container_.depends_on)
            if (dependency.required)
                check_service(dependency.mark, "depends_on", dependency.service);
        for (const auto& link : container_.links)
            check_link(link);
    }

private:
    template <typename Declarations>
    void report(Mark mark, const char* key, const char* code, const char* kind, const std::string& name,
                const Declarations& declarations)
    {
        if (!mark.known())
            mark = mark_of(container_.marks, key, fallback_);
        auto hint = hint_from(name, out_, [&] { return names_in(declarations); });
        if (hint.empty() && std::string_view(kind) != "service")
            hint = fmt::format("declare it at the top: {}s: {{ {}: {{}} }}", kind, terminal_safe(name));
        // What one entry of a map says wrong is no reason for what is said of another.
        const bool has_entries = std::string_view(key) == "depends_on" || std::string_view(key) == "networks";
        out_.push_back(error_at(mark, code, fmt::format("there is no {} '{}'", kind, terminal_safe(name)),
                                path_() + "." + key + (has_entries ? "." + name : ""), std::move(hint)));
    }

    void check_network(const NetworkAttachment& attachment)
    {
        static const NetworkDeclaration own; // the stage's
        const auto* const found = names_.find_network(attachment.name);
        if (attachment.name != "default" && !found)
            return report(attachment.mark, "networks", "unknown-network", "network", attachment.name, names_.definition().networks);
        for (const auto& address : {attachment.ipv4_address, attachment.ipv6_address})
            if (!address.empty())
                check_address(attachment, address, attachment.name == "default" ? own : *found);
    }

    // An engine gives fixed addresses only in subnets that were asked for.
    void check_address(const NetworkAttachment& attachment, const std::string& address, const NetworkDeclaration& network)
    {
        if (network.external)
            return;
        std::vector<std::string> subnets; // of its family
        for (const auto& config : network.ipam) {
            const auto subnet = parse_subnet(config.subnet);
            if (subnet && subnet->contains(address))
                return;
            if (subnet && subnet->is_v6 == (address.find(':') != std::string::npos))
                subnets.push_back(config.subnet);
        }
        const auto name = terminal_safe(attachment.name);
        std::string hint = fmt::format("give it one: networks: {{ {}: {{ ipam: {{ config: [{{ subnet: … }}] }} }} }}", name);
        if (!subnets.empty())
            hint = "write one of " + join(subnets, ", ");
        else if (attachment.name == "default")
            hint = "only networks that are declared at the top, with a subnet, have fixed addresses";
        out_.push_back(error_at(attachment.mark.known() ? attachment.mark : fallback_, "bad-value",
                                fmt::format("'{}' is in no subnet of the network '{}'", address, name),
                                path_() + ".networks." + attachment.name, std::move(hint)));
    }

    // Engines publish nothing of an internal network, and say nothing.
    void check_ports()
    {
        const auto is_internal = [&](const NetworkAttachment& attachment) {
            const auto* const found = names_.find_network(attachment.name);
            return found && found->internal;
        };
        const auto& networks = container_.networks;
        if (container_.ports.empty() || networks.empty() || !std::all_of(networks.begin(), networks.end(), is_internal))
            return;
        auto warning = error_at(mark_of(container_.marks, "ports", fallback_), "no-effect",
                                "no port is published: all networks of this container are internal", path_() + ".ports",
                                "add a network that is not, or take 'ports' out");
        warning.severity = Severity::warning;
        out_.push_back(std::move(warning));
    }

    void check_volume(const VolumeMount& mount)
    {
        if (mount.target.is_literal() && !mount.target.empty())
            check_target(mount);
        if (mount.type == VolumeMount::Type::bind && mount.source.is_literal() && !mount.source.literal().starts_with('/'))
            out_.push_back(error_at(mount.mark.known() ? mount.mark : fallback_, "bad-path",
                                    fmt::format("'{}' is not a path from the root of the engine's host", terminal_safe(mount.source.literal())),
                                    path_() + ".volumes",
                                    fmt::format("steps have the repository at {}; a service is given copies: files: [{{ source: …, target: … }}]",
                                                k_workspace_folder)));
        if (mount.type != VolumeMount::Type::volume || mount.source.empty() || !mount.source.is_literal())
            return;
        const auto name = mount.source.literal();
        if (!names_.has_volume(name))
            report(mount.mark, "volumes", "unknown-volume", "volume", name, names_.definition().volumes);
    }

    void check_target(const VolumeMount& mount)
    {
        auto target = mount_target(mount.target.literal());
        if (!target.problem.empty())
            out_.push_back(error_at(mount.mark.known() ? mount.mark : fallback_, "bad-path", std::move(target.problem), path_() + ".volumes",
                                    std::move(target.hint)));
    }

    void check_service(Mark mark, const char* key, const std::string& name)
    {
        if (!names_.find_service(name))
            report(mark, key, "unknown-service", "service", name, names_.stage()->services);
    }

    void check_link(const Link& link)
    {
        check_service(link.mark, "links", link.service);
        const auto refuse_link = [&](std::string message, std::string hint) {
            out_.push_back(error_at(link.mark, "conflict", std::move(message), path_() + ".links", std::move(hint)));
        };
        if (link.name != link.service && names_.find_service(link.name))
            refuse_link(fmt::format("'{}' is the name of another service", terminal_safe(link.name)), k_one_meaning_hint);
        if (const auto* const service = names_.find_service(link.service); service && service->container.network_mode)
            refuse_link(fmt::format("service '{}' has no name in the network of the stage", terminal_safe(link.service)),
                        "take its 'network_mode' away");
    }

    const DeclaredNames& names_;
    const Container& container_;
    const MakePath& path_;
    Mark fallback_;
    Diagnostics& out_;
};

void check_service_cycles(const Stage& stage, std::size_t index, Diagnostics& out)
{
    std::unordered_map<std::string_view, std::size_t> by_name;
    for (std::size_t i = 0; i < stage.services.size(); ++i)
        by_name.emplace(stage.services[i].name, i);
    std::vector<std::vector<std::size_t>> needs(stage.services.size());
    for (std::size_t i = 0; i < stage.services.size(); ++i) {
        const auto& container = stage.services[i].container;
        for (const auto& dependency : dependencies_of(container))
            if (const auto found = by_name.find(dependency.service); found != by_name.end())
                needs[i].push_back(found->second);
    }
    for (const auto& cycle : find_cycles(needs)) {
        const auto text = text_of_circle(cycle, "waits for", [&](std::size_t service) -> const std::string& { return stage.services[service].name; });
        const auto& first = stage.services[cycle.front()];
        out.push_back(error_at(first.mark, "cycle", "services wait for each other in a circle: " + text,
                               fmt::format("stages[{}].services.{}.depends_on", index, first.name)));
    }
}

// Further names that steps and services of a stage give its services.
class LinkNames {
public:
    LinkNames(std::size_t stage, Diagnostics& out) : stage_(stage), out_(out) {}

    void check(const Stage& stage)
    {
        for (const auto& service : stage.services)
            for (const auto& link : service.container.links)
                check(link, [&] { return fmt::format("stages[{}].services.{}.links", stage_, service.name); });
        for (const auto& placed : placed_steps(stage))
            for (const auto& link : placed.step->container.links)
                check(link, [&] { return path_of(stage_, placed) + ".links"; });
    }

private:
    void check(const Link& link, const MakePath& path)
    {
        if (link.name == link.service)
            return;
        const auto [first, is_new] = meant_.emplace(link.name, link.service);
        if (!is_new && first->second != link.service)
            out_.push_back(error_at(link.mark, "conflict",
                                    fmt::format("'{}' is a further name of the service '{}', too", terminal_safe(link.name), terminal_safe(first->second)),
                                    path(), k_one_meaning_hint));
    }

    std::size_t stage_;
    Diagnostics& out_;
    std::unordered_map<std::string_view, std::string_view> meant_; // service by name
};

// A step's may start at the workspace; a service has none.
void check_working_dir(const Service& service, const std::string& path, Diagnostics& out)
{
    const auto& folder = service.container.working_dir;
    if (!folder || folder->empty() || !folder->is_literal() || folder->literal().starts_with('/'))
        return;
    out.push_back(error_at(mark_of(service.container.marks, "working_dir", service.mark), "bad-path",
                           fmt::format("'{}' is not a path from the root", terminal_safe(folder->literal())), path + ".working_dir",
                           "write the path in the service's image, such as /app"));
}

// Our own probes are faster than any start_interval; those of engines that we speak to know none.
void check_start_interval(const Service& service, const std::string& path, Diagnostics& out)
{
    const auto& healthcheck = service.container.healthcheck;
    if (service.probe != "declared" || !healthcheck || !healthcheck->start_interval)
        return;
    auto warning = error_at(mark_of(service.container.marks, "healthcheck", service.mark), "no-effect",
                            "with 'probe: declared' a start_interval has no effect: the engine looks once each interval",
                            path + ".healthcheck", "without 'probe: declared' the first look is at once, then every 20 to 500 ms");
    warning.severity = Severity::warning;
    out.push_back(std::move(warning));
}

} // namespace

DeclaredNames::DeclaredNames(const Definition& definition) : definition_(definition)
{
    for (const auto& volume : definition.volumes)
        volumes_.insert(volume.name);
    for (const auto& network : definition.networks)
        networks_.emplace(network.name, &network);
}

void DeclaredNames::enter(const Stage& stage)
{
    stage_ = &stage;
    services_.clear();
    for (const auto& service : stage.services)
        services_.emplace(service.name, &service);
}

const NetworkDeclaration* DeclaredNames::find_network(std::string_view name) const
{
    const auto found = networks_.find(name);
    return found == networks_.end() ? nullptr : found->second;
}

const Service* DeclaredNames::find_service(std::string_view name) const
{
    const auto found = services_.find(name);
    return found == services_.end() ? nullptr : found->second;
}

void check_container(const DeclaredNames& names, const Container& container, const MakePath& path, Mark fallback, Diagnostics& out)
{
    ContainerChecker(names, container, path, fallback, out).check();
}

void check_services(const Stage& stage, std::size_t index, Diagnostics& out)
{
    std::unordered_map<std::string_view, int> names;
    for (const auto& service : stage.services) {
        const auto path = fmt::format("stages[{}].services.{}", index, service.name);
        if (++names[service.name] == 2)
            out.push_back(error_at(service.mark, "duplicate-name",
                                   fmt::format("there is another service '{}'", terminal_safe(service.name)), path));
        if (!service.container.image && !service.build)
            out.push_back(error_at(service.mark, "no-image",
                                   fmt::format("service '{}' has neither an image nor a build", terminal_safe(service.name)),
                                   path));
        check_working_dir(service, path, out);
        check_start_interval(service, path, out);
    }
    LinkNames(index, out).check(stage);
    check_service_cycles(stage, index, out);
}

} // namespace gantry::pipeline
