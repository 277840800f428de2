#include "runner/lower_container.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "pipeline/container_path.hpp"
#include "pipeline/container_values.hpp"
#include "pipeline/host_name.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

namespace gantry::runner {

namespace {

constexpr std::int64_t k_default_pids = 4096;

[[noreturn]] void refuse(std::string what, std::string hint = {})
{
    throw Error(Errc::bad_input, std::move(what), std::move(hint));
}

// ---- volumes

const pipeline::VolumeDeclaration* find_volume(const pipeline::Plan& plan, const std::string& name)
{
    const auto found = std::find_if(plan.volumes.begin(), plan.volumes.end(),
                                    [&](const pipeline::VolumeDeclaration& volume) { return volume.name == name; });
    return found == plan.volumes.end() ? nullptr : &*found;
}

std::string checked_target(std::string_view written, const char* key)
{
    auto target = pipeline::mount_target(written);
    if (!target.problem.empty())
        refuse(fmt::format("{}: {}", key, target.problem), target.hint);
    return std::move(target.path);
}

engine::Mount lower_volume(const pipeline::VolumeMount& volume, const ContainerScope& scope)
{
    using Type = pipeline::VolumeMount::Type;
    engine::Mount mount;
    mount.target = checked_target(scope.resolve(volume.target, "volumes"), "volumes");
    mount.read_only = volume.read_only;
    mount.no_copy = volume.nocopy;
    mount.subpath = volume.subpath;
    if (volume.type == Type::tmpfs) {
        mount.type = engine::Mount::Type::tmpfs;
        mount.tmpfs_size_bytes = volume.tmpfs_size_bytes;
        mount.tmpfs_mode = volume.tmpfs_mode;
        return mount;
    }
    const auto source = scope.resolve(volume.source, "volumes");
    if (volume.type == Type::bind) {
        mount.type = engine::Mount::Type::bind;
        mount.source = source;
        mount.propagation = volume.propagation;
        mount.create_host_path = volume.create_host_path;
        if (source.empty() || source[0] != '/')
            refuse(fmt::format("volumes: '{}' is not a path from the root of the engine's host", terminal_safe(source)),
                   fmt::format("the repository is at {} in every step", k_workspace));
        return mount;
    }
    if (source.empty())
        return mount; // anonymous: goes with the container
    const auto* declared = find_volume(scope.plan, source);
    if (!declared)
        refuse(fmt::format("volumes: there is no volume '{}'", terminal_safe(source)),
               "declare it under 'volumes:' at the top of the file");
    mount.source = volume_name(*declared, scope.run);
    return mount;
}

engine::Mount lower_tmpfs(const std::string& written)
{
    const auto tmpfs = pipeline::parse_tmpfs(written);
    if (!tmpfs.problem.empty())
        throw Error(tmpfs.is_unsupported ? Errc::unsupported : Errc::bad_input, "tmpfs: " + tmpfs.problem, tmpfs.hint);
    engine::Mount mount;
    mount.type = engine::Mount::Type::tmpfs;
    mount.target = tmpfs.target;
    mount.tmpfs_size_bytes = tmpfs.size_bytes;
    mount.tmpfs_mode = tmpfs.mode;
    mount.tmpfs_options = tmpfs.options;
    mount.read_only = tmpfs.read_only;
    return mount;
}

// ---- ports

struct PortRange {
    int first = 0, last = 0;
    int size() const { return last - first + 1; }
};

PortRange parse_range(const std::string& text)
{
    const auto read = [&](const std::string& part) {
        int port = 0;
        const auto* end = part.data() + part.size();
        const auto [stop, problem] = std::from_chars(part.data(), end, port);
        if (problem != std::errc() || stop != end || port < 1 || port > 65535)
            refuse(fmt::format("ports: '{}' is not a port", terminal_safe(text)), "write 8080:80 or 8000-8010:80-90");
        return port;
    };
    const auto dash = text.find('-');
    const int first = read(text.substr(0, dash));
    const int last = dash == std::string::npos ? first : read(text.substr(dash + 1));
    if (last < first)
        refuse(fmt::format("ports: '{}' ends before it begins", terminal_safe(text)));
    return {first, last};
}

// ---- security

std::string full_device(const std::string& written)
{
    const auto& rule = pipeline::k_device_rule;
    const auto device = pipeline::parse_device(written);
    if (!device)
        refuse(fmt::format("devices: '{}' is not {}", terminal_safe(written), rule.what), rule.hint);
    return device->source + ':' + device->target + ':' + device->permissions;
}

void lower_capabilities(const pipeline::Container& container, engine::Security& security)
{
    std::set<std::string> dropped, added;
    for (const auto& name : container.cap_drop)
        dropped.insert(capability_name(name));
    for (const auto& name : container.cap_add)
        added.insert(capability_name(name));
    if (added.contains("ALL")) {
        security.cap_drop.assign(dropped.begin(), dropped.end());
        security.cap_add = {"ALL"};
        return;
    }
    if (!dropped.contains("ALL"))
        for (const auto& name : engine::default_capabilities())
            if (!dropped.contains(name) && !added.contains(name))
                security.cap_add.push_back(name);
    security.cap_add.insert(security.cap_add.end(), added.begin(), added.end());
}

} // namespace

std::string capability_name(const std::string& written)
{
    std::string name = written;
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c); });
    return name.starts_with("CAP_") ? name.substr(4) : name;
}

std::vector<engine::Mount> lower_volumes(const pipeline::Container& container, const ContainerScope& scope)
{
    std::vector<engine::Mount> mounts;
    for (const auto& volume : container.volumes)
        mounts.push_back(lower_volume(volume, scope));
    for (const auto& written : container.tmpfs)
        mounts.push_back(lower_tmpfs(written));
    std::set<std::string> targets;
    for (const auto& mount : mounts)
        if (!targets.insert(mount.target).second)
            refuse("volumes: two of them are at " + terminal_safe(mount.target));
    return mounts;
}

std::vector<engine::Port> lower_ports(const std::vector<pipeline::PortMapping>& ports)
{
    std::vector<engine::Port> result;
    for (const auto& mapping : ports) {
        if (mapping.target == "all") {
            result.push_back({});
            continue;
        }
        const auto target = parse_range(mapping.target);
        const auto published = mapping.published.empty() ? PortRange{} : parse_range(mapping.published);
        const bool picks = target.size() == 1 && published.size() > 1;
        if (!mapping.published.empty() && published.size() != target.size() && !picks)
            refuse(fmt::format("ports: {} and {} differ in length", terminal_safe(mapping.published),
                               terminal_safe(mapping.target)));
        for (int i = 0; i < target.size(); ++i) {
            engine::Port port;
            port.container_port = static_cast<std::uint16_t>(target.first + i);
            port.host_port = mapping.published.empty() ? std::uint16_t{0} : static_cast<std::uint16_t>(published.first + i);
            port.last_host_port = picks ? static_cast<std::uint16_t>(published.last) : std::uint16_t{0};
            port.host_ip = mapping.host_ip;
            port.protocol = mapping.protocol;
            result.push_back(port);
        }
    }
    return result;
}

engine::Security lower_security(const pipeline::Container& container)
{
    engine::Security security;
    security.privileged = container.privileged.value_or(false);
    security.read_only_root = container.read_only.value_or(false);
    security.sysctls = container.sysctls;
    for (const auto& written : container.devices)
        security.devices.push_back(full_device(written));
    for (const auto& option : container.security_opt) {
        if (option == "no-new-privileges" || option == "no-new-privileges:true" || option == "no-new-privileges=true")
            continue;
        if (option == "no-new-privileges:false" || option == "no-new-privileges=false")
            security.no_new_privileges = false;
        else
            security.security_opt.push_back(option);
    }
    if (security.privileged) { // has every capability, and its sudo is expected to work
        security.no_new_privileges = false;
        security.cap_drop.clear();
    } else {
        lower_capabilities(container, security);
    }
    return security;
}

engine::Limits lower_limits(const pipeline::Container& container)
{
    engine::Limits limits;
    limits.memory_bytes = container.memory_bytes;
    limits.cpus = container.cpus;
    limits.cpu_shares = container.cpu_shares;
    limits.pids = container.pids_limit.value_or(k_default_pids);
    if (*limits.pids <= 0) // Compose: -1 is no limit
        limits.pids.reset();
    limits.shm_size_bytes = container.shm_size_bytes;
    for (const auto& [name, ulimit] : container.ulimits)
        limits.ulimits.push_back({name, ulimit.soft, ulimit.hard});
    for (const auto& rate : container.device_read_iops)
        limits.device_read_iops.emplace_back(rate.path, rate.rate);
    for (const auto& rate : container.device_write_iops)
        limits.device_write_iops.emplace_back(rate.path, rate.rate);
    limits.oom_kill_disable = container.oom_kill_disable.value_or(false);
    limits.oom_score_adj = container.oom_score_adj;
    return limits;
}

std::string network_by_key(const pipeline::Plan& plan, const Owner& run, const std::string& own, const std::string& key)
{
    if (key == "default")
        return own;
    for (const auto& network : plan.networks)
        if (network.name == key)
            return network_name(network, run);
    throw Error(Errc::bad_input, fmt::format("networks: there is no network '{}'", terminal_safe(key)),
                "declare it under 'networks:' at the top of the file");
}

namespace {

const std::string& container_of(const ServiceContainers& services, const std::string& name, const char* key)
{
    const auto found = services.find(name);
    if (found == services.end())
        refuse(fmt::format("{}: there is no service '{}' in this stage", key, terminal_safe(name)));
    return found->second;
}

} // namespace

bool lower_network_mode(const pipeline::Container& container, const ServiceContainers& services, engine::ContainerSpec& spec)
{
    using Network = engine::ContainerSpec::Network;
    const auto mode = container.network_mode.value_or("default");
    if (mode == "none" || mode == "host") {
        spec.network = mode == "none" ? Network::none : Network::host;
        return true;
    }
    const auto service = pipeline::network_service(container);
    if (!service)
        return false;
    spec.network = Network::container;
    spec.network_container = container_of(services, std::string(*service), "network_mode");
    return true;
}

std::vector<std::string> shared_volumes(const pipeline::Container& container, const ServiceContainers& services)
{
    std::vector<std::string> from;
    for (const auto& written : container.volumes_from) {
        const auto colon = written.find(':');
        const auto mode = colon == std::string::npos ? std::string() : written.substr(colon);
        if (mode != "" && mode != ":ro" && mode != ":rw")
            refuse(fmt::format("volumes_from: '{}' is not a service", terminal_safe(written)), "write db or db:ro");
        from.push_back(container_of(services, written.substr(0, colon), "volumes_from") + mode);
    }
    return from;
}

engine::HealthcheckSpec lower_healthcheck(const pipeline::Healthcheck& healthcheck)
{
    engine::HealthcheckSpec spec;
    if (healthcheck.disable) {
        spec.test = {"NONE"};
        return spec;
    }
    const std::chrono::nanoseconds default_time{0};
    spec.test = healthcheck.test;
    spec.interval = healthcheck.interval.value_or(default_time);
    spec.timeout = healthcheck.timeout.value_or(default_time);
    spec.start_period = healthcheck.start_period.value_or(default_time);
    spec.retries = healthcheck.retries.value_or(0);
    return spec;
}

void lower_container(const pipeline::Container& container, const ContainerScope& scope, engine::ContainerSpec& spec)
{
    const auto text = [&](const std::optional<pipeline::Text>& value, const char* key) {
        return value ? scope.resolve(*value, key) : std::string();
    };
    spec.platform = container.platform.value_or("");
    spec.user = text(container.user, "user");
    spec.working_dir = text(container.working_dir, "working_dir");
    spec.hostname = text(container.hostname, "hostname");
    if (!spec.hostname.empty() && !pipeline::is_host_name(spec.hostname)) // it may have been computed
        refuse("hostname: '" + terminal_safe(spec.hostname) + "' is not the name of a host", pipeline::k_host_name_hint);
    spec.extra_hosts = container.extra_hosts;
    spec.dns = container.dns;
    spec.dns_search = container.dns_search;
    spec.dns_options = container.dns_opt;
    spec.ports = lower_ports(container.ports);
    auto mounts = lower_volumes(container, scope);
    spec.mounts.insert(spec.mounts.end(), std::make_move_iterator(mounts.begin()), std::make_move_iterator(mounts.end()));
    spec.limits = lower_limits(container);
    spec.security = lower_security(container);
    if (container.healthcheck)
        spec.healthcheck = lower_healthcheck(*container.healthcheck);
    if (container.logging) {
        spec.log_driver = container.logging->driver;
        spec.log_options = container.logging->options;
    }
    spec.stop_signal = container.stop_signal.value_or("");
    spec.runtime = container.runtime.value_or("");
    spec.init = container.init.value_or(true);
    for (const auto& [key, value] : container.labels) {
        if (key.starts_with("gantry."))
            refuse(fmt::format("labels: '{}' is for gantry's own", terminal_safe(key)), "choose another prefix");
        spec.labels.emplace(key, value);
    }
}

} // namespace gantry::runner
