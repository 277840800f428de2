#include "engine/docker/bodies.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <fmt/format.h>

#include <cmath>

namespace gantry::engine::docker {

namespace {

constexpr int k_all_endpoints_minor = 44;
constexpr int k_subpath_minor = 45;

template <typename Value>
void set_if(Json& object, const char* key, const Value& value)
{
    if (!value.empty())
        object[key] = value;
}

std::string mount_type(Mount::Type type)
{
    switch (type) {
    case Mount::Type::volume:
        return "volume";
    case Mount::Type::bind:
        return "bind";
    case Mount::Type::tmpfs:
        return "tmpfs";
    }
    return {};
}

Json mount_body(const Mount& mount, const Labels& labels, const Dialect& dialect)
{
    Json body = {{"Type", mount_type(mount.type)}, {"Target", mount.target}, {"ReadOnly", mount.read_only}};
    set_if(body, "Source", mount.source);
    if (mount.type == Mount::Type::volume) {
        // Of one that has no name, or was removed meanwhile and is made anew.
        if (!labels.empty())
            body["VolumeOptions"]["Labels"] = labels;
        if (mount.no_copy)
            body["VolumeOptions"]["NoCopy"] = true;
        if (!mount.subpath.empty()) {
            if (dialect.api_minor < k_subpath_minor || dialect.podman)
                throw Error(Errc::unsupported, fmt::format("mount {}: 'subpath' is not supported by this engine", mount.target),
                            "Docker 26 or later has it");
            body["VolumeOptions"]["Subpath"] = mount.subpath;
        }
    } else if (!mount.subpath.empty() || mount.no_copy) {
        throw Error(Errc::bad_input, fmt::format("mount {}: only volumes have a subpath or no_copy", mount.target));
    }
    if (mount.type == Mount::Type::bind) {
        if (!mount.propagation.empty())
            body["BindOptions"]["Propagation"] = mount.propagation;
        if (mount.create_host_path) // engines that do not know it say that the folder is missing
            body["BindOptions"]["CreateMountpoint"] = true;
    }
    return body;
}

// As mount(8) has it.
std::string tmpfs_text(const Mount& mount)
{
    std::string text = mount.read_only ? "ro" : "rw";
    if (mount.tmpfs_size_bytes)
        text += fmt::format(",size={}", *mount.tmpfs_size_bytes);
    if (mount.tmpfs_mode)
        text += fmt::format(",mode={:o}", *mount.tmpfs_mode);
    for (const auto& option : mount.tmpfs_options)
        text += "," + option;
    return text;
}

// Not as one of the mounts, which have no words for an owner before API 1.46, and of which VolumesFrom takes a tmpfs for a volume.
void add_mounts(Json& host, const ContainerSpec& spec, const Dialect& dialect)
{
    for (const auto& mount : spec.mounts)
        if (mount.type == Mount::Type::tmpfs)
            host["Tmpfs"][mount.target] = tmpfs_text(mount);
        else
            host["Mounts"].push_back(mount_body(mount, spec.labels, dialect));
}

// "/dev/x", "/dev/x:/dev/y", "/dev/x:rwm" or "/dev/x:/dev/y:rwm".
Json device_body(const std::string& text)
{
    const auto parts = split(text, ':');
    std::string inside = parts[0], permissions = "rwm";
    if (parts.size() == 2 && parts[1].rfind('/', 0) != 0)
        permissions = parts[1];
    else if (parts.size() >= 2)
        inside = parts[1];
    if (parts.size() == 3)
        permissions = parts[2];
    if (parts[0].empty() || parts.size() > 3)
        throw Error(Errc::bad_input, fmt::format("'{}' is not a device", text), "write /dev/x:/dev/y:rwm");
    return {{"PathOnHost", parts[0]}, {"PathInContainer", inside}, {"CgroupPermissions", permissions}};
}

Json iops_body(const std::vector<std::pair<std::string, std::uint64_t>>& rates)
{
    Json list = Json::array();
    for (const auto& [device, rate] : rates)
        list.push_back({{"Path", device}, {"Rate", rate}});
    return list;
}

void add_limits(Json& host, const Limits& limits)
{
    if (limits.memory_bytes) {
        host["Memory"] = *limits.memory_bytes;
        host["MemorySwap"] = *limits.memory_bytes; // no swap on top: it is the total
    }
    if (limits.cpus)
        host["NanoCpus"] = static_cast<std::int64_t>(std::llround(*limits.cpus * 1e9));
    if (limits.cpu_shares)
        host["CpuShares"] = *limits.cpu_shares;
    if (limits.pids)
        host["PidsLimit"] = *limits.pids;
    if (limits.shm_size_bytes)
        host["ShmSize"] = *limits.shm_size_bytes;
    for (const auto& ulimit : limits.ulimits)
        host["Ulimits"].push_back({{"Name", ulimit.name}, {"Soft", ulimit.soft}, {"Hard", ulimit.hard}});
    if (!limits.device_read_iops.empty())
        host["BlkioDeviceReadIOps"] = iops_body(limits.device_read_iops);
    if (!limits.device_write_iops.empty())
        host["BlkioDeviceWriteIOps"] = iops_body(limits.device_write_iops);
    if (limits.oom_kill_disable)
        host["OomKillDisable"] = true;
    if (limits.oom_score_adj)
        host["OomScoreAdj"] = *limits.oom_score_adj;
}

void add_security(Json& host, const Security& security)
{
    host["Privileged"] = security.privileged;
    host["ReadonlyRootfs"] = security.read_only_root;
    set_if(host, "CapDrop", security.cap_drop);
    set_if(host, "CapAdd", security.cap_add);
    auto options = security.security_opt;
    if (security.no_new_privileges)
        options.push_back("no-new-privileges:true");
    set_if(host, "SecurityOpt", options);
    set_if(host, "Sysctls", security.sysctls);
    for (const auto& device : security.devices)
        host["Devices"].push_back(device_body(device));
}

void add_ports(Json& body, Json& host, const std::vector<Port>& ports)
{
    for (const auto& port : ports) {
        if (port.container_port == 0) { // all that the image exposes
            host["PublishAllPorts"] = true;
            continue;
        }
        const auto key = fmt::format("{}/{}", port.container_port, port.protocol);
        body["ExposedPorts"][key] = Json::object();
        std::string on_host = port.host_port == 0 ? "" : std::to_string(port.host_port);
        if (port.last_host_port != 0)
            on_host += '-' + std::to_string(port.last_host_port);
        Json binding = {{"HostPort", on_host}};
        set_if(binding, "HostIp", port.host_ip);
        host["PortBindings"][key].push_back(binding);
    }
}

void add_network(Json& body, Json& host, const ContainerSpec& spec, const Dialect& dialect)
{
    switch (spec.network) {
    case ContainerSpec::Network::none:
        host["NetworkMode"] = "none";
        break;
    case ContainerSpec::Network::host:
        host["NetworkMode"] = "host";
        break;
    case ContainerSpec::Network::container:
        host["NetworkMode"] = "container:" + spec.network_container;
        break;
    case ContainerSpec::Network::endpoints: {
        if (spec.endpoints.empty())
            throw Error(Errc::bad_input, fmt::format("container {}: no network is named", spec.name));
        host["NetworkMode"] = spec.endpoints.front().network;
        auto& places = body["NetworkingConfig"]["EndpointsConfig"];
        for (const auto& endpoint : spec.endpoints) {
            places[endpoint.network] = endpoint_body(endpoint);
            if (!takes_all_endpoints(dialect))
                break;
        }
        break;
    }
    }
    set_if(host, "ExtraHosts", spec.extra_hosts);
    set_if(host, "Dns", spec.dns);
    set_if(host, "DnsSearch", spec.dns_search);
    set_if(host, "DnsOptions", spec.dns_options);
    add_ports(body, host, spec.ports);
}

// We are attached to every stream before it begins, so what the engine would write down beside it is read by nobody. Podman's
// attach needs a driver that writes. Options alone are for the driver that the engine has by default: an empty type.
void add_log(Json& host, const ContainerSpec& spec, const Dialect& dialect)
{
    auto driver = spec.log_driver;
    auto options = spec.log_options;
    if (driver.empty() && dialect.podman) {
        driver = "k8s-file";
        options.try_emplace("max-size", "16m");
    } else if (driver.empty() && options.empty()) {
        driver = "none";
    }
    host["LogConfig"] = {{"Type", driver}, {"Config", options}};
}

Json healthcheck_body(const HealthcheckSpec& check)
{
    return {{"Test", check.test},
            {"Interval", check.interval.count()},
            {"Timeout", check.timeout.count()},
            {"StartPeriod", check.start_period.count()},
            {"Retries", check.retries}};
}

Json host_body(const ContainerSpec& spec, const Dialect& dialect)
{
    Json host;
    host["Init"] = spec.init;
    add_mounts(host, spec, dialect);
    set_if(host, "VolumesFrom", spec.volumes_from);
    set_if(host, "Runtime", spec.runtime);
    add_limits(host, spec.limits);
    add_security(host, spec.security);
    add_log(host, spec, dialect);
    return host;
}

} // namespace

bool takes_all_endpoints(const Dialect& dialect)
{
    return dialect.api_minor >= k_all_endpoints_minor || dialect.podman;
}

Json endpoint_body(const Endpoint& endpoint)
{
    Json body = Json::object();
    set_if(body, "Aliases", endpoint.aliases);
    if (!endpoint.ipv4_address.empty())
        body["IPAMConfig"]["IPv4Address"] = endpoint.ipv4_address;
    if (!endpoint.ipv6_address.empty())
        body["IPAMConfig"]["IPv6Address"] = endpoint.ipv6_address;
    return body;
}

Json container_body(const ContainerSpec& spec, const Dialect& dialect)
{
    Json body = {{"Image", spec.image},      {"Labels", spec.labels},        {"Tty", spec.tty},
                 {"AttachStdout", true},     {"AttachStderr", true},         {"AttachStdin", spec.open_stdin},
                 {"OpenStdin", spec.open_stdin}, {"StdinOnce", spec.open_stdin}};
    if (spec.entrypoint)
        body["Entrypoint"] = *spec.entrypoint;
    if (spec.command)
        body["Cmd"] = *spec.command;
    for (const auto& [name, value] : spec.environment)
        body["Env"].push_back(name + "=" + value);
    set_if(body, "User", spec.user);
    set_if(body, "WorkingDir", spec.working_dir);
    set_if(body, "Hostname", spec.hostname);
    set_if(body, "StopSignal", spec.stop_signal);
    if (spec.healthcheck)
        body["Healthcheck"] = healthcheck_body(*spec.healthcheck);
    Json host = host_body(spec, dialect);
    add_network(body, host, spec, dialect);
    body["HostConfig"] = std::move(host);
    return body;
}

Json network_body(const NetworkSpec& spec)
{
    Json body = {{"Name", spec.name},         {"CheckDuplicate", true},         {"Labels", spec.labels},
                 {"Driver", spec.driver},     {"Options", spec.options},        {"Internal", spec.internal},
                 {"Attachable", spec.attachable}, {"EnableIPv6", spec.ipv6}};
    for (const auto& subnet : spec.subnets) {
        Json item = {{"Subnet", subnet.subnet}};
        set_if(item, "Gateway", subnet.gateway);
        set_if(item, "IPRange", subnet.ip_range);
        body["IPAM"]["Config"].push_back(item);
    }
    return body;
}

Json volume_body(const VolumeSpec& spec)
{
    return {{"Name", spec.name}, {"Labels", spec.labels}, {"Driver", spec.driver}, {"DriverOpts", spec.options}};
}

Json label_filter(const Labels& labels)
{
    Json list = Json::array();
    for (const auto& [key, value] : labels)
        list.push_back(value.empty() ? key : key + "=" + value);
    Json filter = Json::object();
    if (!list.empty())
        filter["label"] = std::move(list);
    return filter;
}

std::string label_change(const std::string& key, const std::string& value)
{
    const auto quoted = [](const std::string& text) {
        std::string out = "\"";
        for (const char character : text) {
            if (character == '\n' || character == '\r')
                throw Error(Errc::bad_input, "a label of an image cannot contain a line end");
            if (character == '"' || character == '\\' || character == '$')
                out += '\\';
            out += character;
        }
        return out + "\"";
    };
    return fmt::format("LABEL {}={}", quoted(key), quoted(value));
}

std::string dump(const Json& body)
{
    try {
        return body.dump();
    } catch (const Json::type_error&) {
        throw Error(Errc::bad_input, "a value that goes to the container engine is not valid UTF-8");
    }
}

} // namespace gantry::engine::docker
