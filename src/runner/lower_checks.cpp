// What reaches the host and needs consent, and what no engine of ours does.
#include "runner/lower_container.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "pipeline/container_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace gantry::runner {

namespace {

// Beyond the usual ones, those that act inside of the container's own namespaces and limits.
bool stays_inside(const std::string& capability)
{
    static const std::set<std::string> k_inside = {"AUDIT_WRITE", "IPC_LOCK", "IPC_OWNER",     "MKNOD",     "NET_ADMIN",
                                                   "NET_RAW",     "SYS_NICE", "NET_BROADCAST", "SYS_PTRACE"};
    const auto& usual = engine::default_capabilities();
    return k_inside.contains(capability) || std::find(usual.begin(), usual.end(), capability) != usual.end();
}

Obstacle needs(const char* key, std::string what, const char* consent)
{
    return {key, fmt::format("{} reaches the engine's host and needs your consent", what), consent};
}

Obstacle cannot(const char* key, const char* what)
{
    return {key, fmt::format("{}: {} cannot be done by this engine yet", key, what), {}};
}

void add_host_obstacles(const pipeline::Container& container, std::vector<Obstacle>& found)
{
    if (container.privileged.value_or(false))
        found.push_back(needs("privileged", "privileged", "privileged"));
    for (const auto& capability : container.cap_add)
        if (!stays_inside(capability_name(capability)))
            found.push_back(needs("cap_add", "the capability " + terminal_safe(capability), "privileged"));
    for (const auto& volume : container.volumes)
        if (volume.type == pipeline::VolumeMount::Type::bind)
            found.push_back(needs("volumes", "the host path " + terminal_safe(volume.source.source()), "host-paths"));
    if (!container.devices.empty())
        found.push_back(needs("devices", "devices", "devices"));
    if (container.network_mode == "host")
        found.push_back(needs("network_mode", "network_mode: host", "host-namespaces"));
    const auto name_of = [](const std::string& option) { return terminal_safe(option.substr(0, option.find("={"))); }; // of a profile
    for (const auto& option : container.security_opt)
        if (option != "no-new-privileges" && option != "no-new-privileges:true" && option != "no-new-privileges=true")
            found.push_back(needs("security_opt", "security_opt " + name_of(option), "security-opt"));
}

// What only a file system in memory understands. With `bind` the kernel would ignore its type and show a folder of the host.
bool is_of_memory(const std::string& option)
{
    static const std::set<std::string_view> k_keys = {"size", "mode",    "uid",    "gid",     "nr_inodes", "nr_blocks", "ro",
                                                      "rw",   "noexec",  "exec",   "nosuid",  "suid",      "nodev",     "noatime",
                                                      "sync", "relatime"};
    const auto written = split(option, ',');
    return std::all_of(written.begin(), written.end(), [](std::string_view one) { return k_keys.contains(one.substr(0, one.find('='))); });
}

bool stays_in_memory(const pipeline::VolumeDeclaration& volume)
{
    const auto& options = volume.driver_opts;
    const auto type = options.find("type"), words = options.find("o");
    return type != options.end() && type->second == "tmpfs" && (words == options.end() || is_of_memory(words->second));
}

std::vector<Obstacle> obstacles_of_external(const std::string& name)
{
    if (!is_object_name(name))
        return {};
    return {{"external", fmt::format("'{}' is Gantry's own, of one run or of the cache of one repository", terminal_safe(name)), {}}};
}

void add_limits_of_ours(const pipeline::Container& container, std::vector<Obstacle>& found)
{
    const auto& mode = container.network_mode;
    if (mode && !mode->empty() && !pipeline::k_network_mode_rule.fits(*mode))
        found.push_back(cannot("network_mode", "sharing the network of a container that is no service"));
    for (const auto& from : container.volumes_from)
        if (from.starts_with("container:"))
            found.push_back(cannot("volumes_from", "taking the volumes of a container that is no service"));
}

struct Place {
    std::string path, name;
    pipeline::Mark mark;
};

void check(const std::vector<Obstacle>& obstacles, const std::map<std::string, pipeline::Mark>& marks, const Place& place,
           const Consent& consent, pipeline::Diagnostics& diagnostics)
{
    for (const auto& obstacle : obstacles) {
        if (!obstacle.consent.empty() && consents(consent, obstacle.consent))
            continue;
        const auto mark = marks.find(obstacle.key);
        pipeline::Diagnostic diagnostic;
        diagnostic.code = obstacle.consent.empty() ? "unsupported" : "needs-consent";
        diagnostic.message = fmt::format("{}: {}", place.name, obstacle.message);
        diagnostic.mark = mark == marks.end() ? place.mark : mark->second;
        diagnostic.length = mark == marks.end() ? 1 : obstacle.key.size();
        diagnostic.path = place.path + "." + obstacle.key;
        diagnostic.hint = obstacle.consent.empty() ? "" : consent_hint(obstacle.consent);
        diagnostics.push_back(std::move(diagnostic));
    }
}

void check_build(const std::optional<pipeline::Build>& build, const Place& place, const Consent& consent, pipeline::Diagnostics& diagnostics)
{
    if (build)
        check(obstacles_of(*build), {{"build", build->mark}}, place, consent, diagnostics);
}

void refuse(const std::vector<Obstacle>& obstacles, const Consent& consent)
{
    for (const auto& obstacle : obstacles) {
        if (obstacle.consent.empty())
            throw Error(Errc::unsupported, obstacle.message);
        if (!consents(consent, obstacle.consent))
            throw Error(Errc::bad_input, obstacle.message, consent_hint(obstacle.consent));
    }
}

} // namespace

std::vector<Obstacle> obstacles_of(const pipeline::Container& container)
{
    std::vector<Obstacle> found;
    add_host_obstacles(container, found);
    add_limits_of_ours(container, found);
    return found;
}

std::vector<Obstacle> obstacles_of(const pipeline::VolumeDeclaration& volume)
{
    if (volume.external)
        return obstacles_of_external(volume_name(volume, {}));
    if (volume.driver_opts.empty() || stays_in_memory(volume))
        return {};
    return {needs("driver_opts", "a volume with options of its driver", "host-paths")};
}

std::vector<Obstacle> obstacles_of(const pipeline::NetworkDeclaration& network)
{
    if (network.external && network_name(network, {}) == "host")
        return {needs("external", "the network 'host'", "host-namespaces")};
    if (network.external)
        return obstacles_of_external(network_name(network, {}));
    if (network.driver == "macvlan" || network.driver == "ipvlan")
        return {needs("driver", "the driver " + network.driver, "host-namespaces")};
    // The bridge driver joins one of the host's that has this name.
    const auto bridge = network.driver_opts.find("com.docker.network.bridge.name");
    if (bridge != network.driver_opts.end() && bridge->second == "docker0")
        return {{"driver_opts", "docker0 is the bridge of the engine's own network, which would be lost", {}}};
    if (bridge != network.driver_opts.end())
        return {needs("driver_opts", "a bridge by its name on the host", "host-namespaces")};
    return {};
}

std::vector<Obstacle> obstacles_of(const pipeline::Build& build)
{
    if (build.network == "host")
        return {needs("build", "build.network: host", "host-namespaces")};
    return {};
}

bool consents(const Consent& consent, const std::string& what)
{
    return consent.contains(what) || consent.contains("all");
}

void refuse_obstacles(const pipeline::Container& container, const Consent& consent)
{
    refuse(obstacles_of(container), consent);
}

void refuse_obstacles(const pipeline::VolumeDeclaration& volume, const Consent& consent)
{
    refuse(obstacles_of(volume), consent);
}

void refuse_obstacles(const pipeline::NetworkDeclaration& network, const Consent& consent)
{
    refuse(obstacles_of(network), consent);
}

void refuse_obstacles(const pipeline::Build& build, const Consent& consent)
{
    refuse(obstacles_of(build), consent);
}

std::string consent_hint(const std::string& what)
{
    return "if you trust this pipeline: --allow " + what;
}

pipeline::Diagnostics check_consent(const pipeline::Plan& plan, const Consent& consent)
{
    pipeline::Diagnostics diagnostics;
    for (const auto& stage : plan.stages) {
        if (stage.skip_reason)
            continue;
        for (const auto& step : stage.steps) {
            if (step.skip_reason)
                continue;
            const Place place{fmt::format("stages.{}.steps.{}", stage.id, step.id), stage.id + "/" + step.id, step.mark};
            check(obstacles_of(step.container), step.container.marks, place, consent, diagnostics);
            check_build(step.build, place, consent, diagnostics);
        }
        for (const auto& service : stage.services) {
            const Place place{fmt::format("stages.{}.services.{}", stage.id, service.name), stage.id + "/" + service.name, service.mark};
            check(obstacles_of(service.container), service.container.marks, place, consent, diagnostics);
            check_build(service.build, place, consent, diagnostics);
        }
    }
    for (const auto& volume : plan.volumes)
        check(obstacles_of(volume), {}, {"volumes." + volume.name, "volumes." + volume.name, volume.mark}, consent, diagnostics);
    for (const auto& network : plan.networks)
        check(obstacles_of(network), {}, {"networks." + network.name, "networks." + network.name, network.mark}, consent, diagnostics);
    pipeline::sort_by_position(diagnostics);
    return diagnostics;
}

} // namespace gantry::runner
