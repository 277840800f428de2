#include "engine/docker/answers.hpp"

#include "base/format.hpp"
#include "base/image_reference.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <tuple>

namespace gantry::engine::docker {

namespace {

std::chrono::system_clock::time_point time_of(const std::string& text)
{
    return parse_time(text).value_or(std::chrono::system_clock::time_point{});
}

void sort_by_name(std::vector<Object>& objects)
{
    std::sort(objects.begin(), objects.end(), [](const Object& a, const Object& b) { return a.name < b.name; });
}

// "repo" of "host:5000/repo:tag@digest".
std::string_view repository_of(std::string_view image)
{
    image = image.substr(0, image.find('@'));
    const auto slash = image.rfind('/');
    const auto colon = image.rfind(':');
    if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash))
        image = image.substr(0, colon);
    return image;
}

std::string digest_for(const std::vector<std::string>& digests, const std::string& image)
{
    const auto repository = repository_of(image);
    for (const auto& digest : digests) {
        const auto candidate = std::string_view(digest).substr(0, digest.find('@'));
        const bool same = candidate == repository || (candidate.size() > repository.size() && candidate.ends_with(repository) &&
                                                      candidate[candidate.size() - repository.size() - 1] == '/');
        if (same)
            return digest;
    }
    return digests.empty() ? std::string() : digests.front();
}

ContainerState state_of(const std::string& status)
{
    if (status == "created" || status == "configured" || status == "initialized")
        return ContainerState::created;
    if (status == "running" || status == "paused" || status == "restarting" || status == "stopping")
        return ContainerState::running;
    return ContainerState::exited;
}

std::string address_of(const Json& settings)
{
    const auto& networks = field(settings, "Networks");
    if (networks.is_object())
        for (const auto& network : networks)
            if (const auto address = text_field(network, "IPAddress"); !address.empty())
                return address;
    return text_field(settings, "IPAddress");
}

std::uint16_t port_number(const std::string& text)
{
    return static_cast<std::uint16_t>(std::strtoul(text.c_str(), nullptr, 10));
}

// {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}], "81/tcp": null}
std::vector<Port> ports_of(const Json& bindings)
{
    std::vector<Port> ports;
    if (!bindings.is_object())
        return ports;
    for (const auto& item : bindings.items()) {
        if (!item.value().is_array())
            continue;
        for (const auto& binding : item.value()) {
            Port port;
            const auto slash = item.key().find('/');
            port.container_port = port_number(item.key());
            if (slash != std::string::npos)
                port.protocol = item.key().substr(slash + 1);
            port.host_ip = text_field(binding, "HostIp");
            port.host_port = port_number(text_field(binding, "HostPort"));
            ports.push_back(std::move(port));
        }
    }
    return ports;
}

const Json& health_in(const Json& state) // Podman has "Healthcheck", too
{
    return field(state, "Health").is_null() ? field(state, "Healthcheck") : field(state, "Health");
}

std::string health_of(const Json& state)
{
    auto status = text_field(health_in(state), "Status");
    return status == "none" ? std::string() : status;
}

std::optional<ContainerStatus::Probe> last_probe_of(const Json& state)
{
    std::optional<ContainerStatus::Probe> last;
    for (const auto& probe : items_of(field(health_in(state), "Log")))
        last = ContainerStatus::Probe{static_cast<int>(number_field(probe, "ExitCode")), text_field(probe, "Output")};
    return last;
}

std::chrono::system_clock::time_point seconds_of(const Json& object, const char* name)
{
    // Images that say nothing of it were made in the year 1, which no system clock reaches.
    constexpr std::int64_t k_end = 9'000'000'000;
    const auto seconds = number_field(object, name);
    return std::chrono::system_clock::time_point(std::chrono::seconds(seconds > 0 && seconds < k_end ? seconds : 0));
}

// One item of each list that the daemon gives.

Object container_object(const Json& item)
{
    const auto names = list_field(item, "Names");
    auto name = names.empty() ? std::string() : names.front();
    if (name.rfind('/', 0) == 0)
        name.erase(0, 1);
    return Object{ObjectKind::container, text_field(item, "Id"), name, map_field(item, "Labels")};
}

Object network_object(const Json& item)
{
    return Object{ObjectKind::network, text_field(item, "Id"), text_field(item, "Name"), map_field(item, "Labels")};
}

Object volume_object(const Json& item)
{
    const auto name = text_field(item, "Name");
    return Object{ObjectKind::volume, name, name, map_field(item, "Labels")};
}

ImageEntry image_entry(const Json& item)
{
    ImageEntry image;
    image.id = text_field(item, "Id");
    for (const auto& tag : list_field(item, "RepoTags"))
        if (tag.find("<none>") == std::string::npos)
            image.tags.push_back(familiar_name(tag)); // Podman has whole ones
    image.labels = map_field(item, "Labels");
    image.size_bytes = count_field(item, "Size");
    image.created = seconds_of(item, "Created");
    return image;
}

std::optional<HealthcheckSpec> healthcheck_of(const Json& config)
{
    HealthcheckSpec check;
    check.test = list_field(config, "Test");
    if (check.test.empty() || check.test.front() == "NONE")
        return std::nullopt;
    const auto time = [&config](const char* name) {
        return std::chrono::nanoseconds(std::max<std::int64_t>(0, number_field(config, name)));
    };
    check.interval = time("Interval");
    check.timeout = time("Timeout");
    check.start_period = time("StartPeriod");
    check.retries = static_cast<int>(std::clamp<std::int64_t>(number_field(config, "Retries"), 0, 1'000'000));
    return check;
}

} // namespace

EngineInfo engine_info(const Json& version, const Json& info)
{
    EngineInfo result;
    result.name = "docker";
    result.version = text_field(version, "Version");
    result.version = result.version.substr(0, result.version.find('+')); // without the distribution's own suffix
    result.id = text_field(info, "ID");
    result.os = text_field(version, "Os");
    result.architecture = text_field(version, "Arch");
    result.root_dir = text_field(info, "DockerRootDir");
    result.cgroup_version = text_field(info, "CgroupVersion");
    result.storage_driver = text_field(info, "Driver");
    result.cpus = static_cast<int>(number_field(info, "NCPU"));
    result.memory_bytes = count_field(info, "MemTotal");
    result.live_restore = flag_field(info, "LiveRestoreEnabled");
    result.time = parse_time(text_field(info, "SystemTime"));
    result.rootless = flag_field(info, "Rootless");
    for (const auto& option : list_field(info, "SecurityOptions"))
        if (option.find("name=rootless") != std::string::npos)
            result.rootless = true;
    result.warnings = list_field(info, "Warnings");
    return result;
}

std::string whole_image_id(const std::string& id)
{
    return id.empty() || id.find(':') != std::string::npos ? id : "sha256:" + id;
}

ImageInfo image_info(const Json& answer, const std::string& image)
{
    const auto& config = field(answer, "Config");
    ImageInfo info;
    info.id = whole_image_id(text_field(answer, "Id"));
    info.digest = digest_for(list_field(answer, "RepoDigests"), image);
    info.entrypoint = list_field(config, "Entrypoint");
    info.shell = list_field(config, "Shell");
    info.command = list_field(config, "Cmd");
    info.environment = list_field(config, "Env");
    info.user = text_field(config, "User");
    info.working_dir = text_field(config, "WorkingDir");
    info.stop_signal = text_field(config, "StopSignal");
    info.os = text_field(answer, "Os");
    info.architecture = text_field(answer, "Architecture");
    info.healthcheck = healthcheck_of(field(config, "Healthcheck"));
    info.layers = list_field(field(answer, "RootFS"), "Layers");
    info.size_bytes = count_field(answer, "Size");
    return info;
}

ContainerStatus container_status(const Json& answer)
{
    const auto& state = field(answer, "State");
    const auto& settings = field(answer, "NetworkSettings");
    ContainerStatus status;
    status.state = state_of(text_field(state, "Status"));
    status.health = health_of(state);
    status.last_probe = last_probe_of(state);
    status.exit.exit_code = static_cast<int>(number_field(state, "ExitCode"));
    status.exit.oom_killed = flag_field(state, "OOMKilled");
    status.exit.error = text_field(state, "Error");
    status.started = time_of(text_field(state, "StartedAt"));
    status.finished = time_of(text_field(state, "FinishedAt"));
    status.ip_address = address_of(settings);
    status.ports = ports_of(field(settings, "Ports"));
    return status;
}

std::vector<Object> containers_of(const Json& answer)
{
    std::vector<Object> objects;
    for (const auto& item : items_of(answer))
        objects.push_back(container_object(item));
    sort_by_name(objects);
    return objects;
}

std::vector<Object> networks_of(const Json& answer)
{
    std::vector<Object> objects;
    for (const auto& item : items_of(answer))
        objects.push_back(network_object(item));
    sort_by_name(objects);
    return objects;
}

std::vector<Object> volumes_of(const Json& answer)
{
    std::vector<Object> objects;
    for (const auto& item : items_of(field(answer, "Volumes")))
        objects.push_back(volume_object(item));
    sort_by_name(objects);
    return objects;
}

std::vector<ImageEntry> images_of(const Json& answer)
{
    std::vector<ImageEntry> images;
    for (const auto& item : items_of(answer))
        images.push_back(image_entry(item));
    std::sort(images.begin(), images.end(),
              [](const ImageEntry& a, const ImageEntry& b) { return std::tie(a.tags, a.id) < std::tie(b.tags, b.id); });
    return images;
}

namespace {

std::set<std::string> mounted_volumes(const Json& containers)
{
    std::set<std::string> names;
    for (const auto& container : items_of(containers))
        for (const auto& mount : items_of(field(container, "Mounts")))
            names.insert(text_field(mount, "Name"));
    return names;
}

std::set<std::string> joined_networks(const Json& containers)
{
    std::set<std::string> names;
    for (const auto& container : items_of(containers))
        for (const auto& network : field(field(container, "NetworkSettings"), "Networks").items())
            names.insert(network.key());
    return names;
}

} // namespace

std::vector<StoredObject> stored_objects(const StoredAnswers& answers)
{
    const auto& usage = answers.usage;
    std::vector<StoredObject> all;
    const auto mounted = mounted_volumes(field(usage, "Containers"));
    for (const auto& item : items_of(field(usage, "Containers"))) {
        StoredObject stored;
        stored.object = container_object(item);
        stored.size_bytes = count_field(item, "SizeRw");
        stored.created = seconds_of(item, "Created");
        stored.in_use = text_field(item, "State") == "running";
        all.push_back(std::move(stored));
    }
    const auto joined = joined_networks(answers.running);
    for (const auto& item : items_of(answers.networks)) {
        StoredObject stored;
        stored.object = network_object(item);
        stored.in_use = joined.contains(stored.object.name);
        stored.created = time_of(text_field(item, "Created"));
        all.push_back(std::move(stored));
    }
    std::map<std::string, Json> volumes_by_name;
    for (const auto* answer : {&answers.volumes, &usage}) // what the second says of one is more
        for (const auto& item : items_of(field(*answer, "Volumes")))
            volumes_by_name[text_field(item, "Name")] = item;
    for (const auto& [name, item] : volumes_by_name) {
        const auto& data = field(item, "UsageData");
        StoredObject stored;
        stored.object = volume_object(item);
        stored.size_bytes = count_field(data, "Size");
        stored.created = time_of(text_field(item, "CreatedAt"));
        stored.in_use = number_field(data, "RefCount") > 0 || mounted.contains(name);
        all.push_back(std::move(stored));
    }
    for (const auto& item : items_of(field(usage, "Images"))) {
        const auto image = image_entry(item);
        StoredObject stored;
        stored.object =
            Object{ObjectKind::image, image.id, image.tags.empty() ? image.id : image.tags.front(), image.labels};
        stored.tags = image.tags;
        stored.size_bytes = image.size_bytes;
        stored.created = image.created;
        stored.in_use = number_field(item, "Containers") > 0;
        all.push_back(std::move(stored));
    }
    std::sort(all.begin(), all.end(), [](const StoredObject& a, const StoredObject& b) {
        return std::tie(a.object.kind, a.object.name) < std::tie(b.object.kind, b.object.name);
    });
    return all;
}

std::optional<EngineEvent> engine_event(const Json& message)
{
    constexpr std::string_view k_health = "health_status";
    if (text_field(message, "Type") != "container")
        return std::nullopt;
    EngineEvent event;
    const auto action = text_field(message, "Action");
    const auto& actor = field(message, "Actor");
    event.labels = map_field(actor, "Attributes");
    event.container = event.labels["name"];
    if (action == "start")
        event.kind = EngineEvent::Kind::started;
    else if (action == "die" || action == "died")
        event.kind = EngineEvent::Kind::died;
    else if (action == "oom")
        event.kind = EngineEvent::Kind::oom;
    else if (action == "destroy" || action == "remove")
        event.kind = EngineEvent::Kind::destroyed;
    else if (action.rfind(k_health, 0) == 0)
        event.kind = EngineEvent::Kind::health;
    else
        return std::nullopt;
    if (event.kind == EngineEvent::Kind::health && action.size() > k_health.size() + 2)
        event.health = action.substr(k_health.size() + 2);
    else if (event.kind == EngineEvent::Kind::health)
        event.health = text_field(message, "HealthStatus"); // Podman
    for (const auto* key : {"exitCode", "containerExitCode"})
        if (const auto found = event.labels.find(key); found != event.labels.end())
            event.exit_code = std::atoi(found->second.c_str());
    for (const auto* key : {"name", "image", "exitCode", "containerExitCode", "execDuration", "signal"})
        event.labels.erase(key);
    event.time = std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::nanoseconds(number_field(message, "timeNano"))));
    return event;
}

} // namespace gantry::engine::docker
