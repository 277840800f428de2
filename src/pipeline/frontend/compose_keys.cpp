#include "pipeline/frontend/compose_service.hpp"

#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>

// The one table of what becomes of each key (Compose specification, "Services top-level elements").

namespace gantry::pipeline::native {

namespace {

using Fate = ComposeKey::Fate;
constexpr auto same = Fate::same;
constexpr auto lowered = Fate::lowered;
constexpr auto harmless = Fate::harmless;
constexpr auto left_out = Fate::left_out;
constexpr auto refused = Fate::refused;

// Is read by lower_mounts() with the whole service.
void lower_with_mounts(ComposeService&, Node&, Node&) {}

constexpr const char* k_stay_alive = "a command that goes on, such as [sleep, infinity], keeps a service alive";
constexpr const char* k_namespaces = "a service has namespaces of its own";
constexpr const char* k_no_swap = "limit memory with mem_limit";

const ComposeKey k_service_keys[] = {
    {"annotations", refused},
    {"attach", harmless},
    {"blkio_config", same},
    {"build", lowered, "", lower_build},
    {"cap_add", same},
    {"cap_drop", same},
    {"cgroup", refused, k_namespaces, nullptr, "private"},
    {"cgroup_parent", refused},
    {"command", same},
    {"configs", lowered, "", lower_with_mounts},
    {"container_name", lowered, "", lower_container_name},
    {"cpu_count", refused, "limit CPUs with cpus"},
    {"cpu_percent", refused, "limit CPUs with cpus"},
    {"cpu_period", lowered, "", lower_cpu_quota},
    {"cpu_quota", lowered, "", lower_cpu_quota},
    {"cpu_rt_period", refused, "limit CPUs with cpus"},
    {"cpu_rt_runtime", refused, "limit CPUs with cpus"},
    {"cpu_shares", same},
    {"cpus", same},
    {"cpuset", refused, "limit CPUs with cpus"},
    {"credential_spec", refused},
    {"depends_on", same},
    {"deploy", lowered, "", lower_deploy},
    {"develop", harmless},
    {"device_cgroup_rules", refused, "name devices under devices"},
    {"devices", same},
    {"dns", same},
    {"dns_opt", same},
    {"dns_search", same},
    {"domainname", refused, "write the whole name under hostname"},
    {"driver_opts", refused},
    {"entrypoint", same},
    {"env_file", lowered, "", lower_env_file},
    {"environment", lowered, "", lower_environment},
    {"expose", harmless},
    {"extends", harmless},
    {"external_links", refused, "join a network that exists already: networks: { name: { external: true } }"},
    {"extra_hosts", same},
    {"gpus", refused},
    {"group_add", refused, "name the group under user: user:group"},
    {"healthcheck", same},
    {"hostname", same},
    {"image", same},
    {"init", same},
    {"ipc", refused, k_namespaces, nullptr, "private"},
    {"isolation", refused, "", nullptr, "default"},
    {"label_file", refused, "write them under labels"},
    {"labels", same},
    {"links", lowered, "", lower_links},
    {"log_driver", refused, "write logging: { driver: … }"},
    {"log_opt", refused, "write logging: { options: … }"},
    {"logging", same},
    {"mac_address", refused},
    {"mem_limit", same},
    {"mem_reservation", left_out, "mem_limit is a limit"},
    {"mem_swappiness", refused, k_no_swap},
    {"memswap_limit", refused, k_no_swap},
    {"models", refused},
    {"network_mode", lowered, "", lower_network_mode},
    {"networks", lowered, "", lower_networks},
    {"oom_kill_disable", same},
    {"oom_score_adj", same},
    {"pid", refused, k_namespaces, nullptr, "private"},
    {"pids_limit", same},
    {"platform", same},
    {"ports", same},
    {"post_start", refused, "make it a step of the pipeline"},
    {"pre_stop", refused, "make it a step under 'finally'"},
    {"privileged", same},
    {"profiles", harmless},
    {"provider", refused},
    {"pull_policy", lowered, "", lower_pull_policy},
    {"read_only", same},
    {"restart", lowered, "", lower_restart},
    {"runtime", same},
    {"scale", lowered, "", lower_scale},
    {"secrets", lowered, "", lower_with_mounts},
    {"security_opt", same},
    {"shm_size", same},
    {"stdin_open", refused, k_stay_alive, nullptr, "false"},
    {"stop_grace_period", same},
    {"stop_signal", same},
    {"storage_opt", refused},
    {"sysctls", same},
    {"tmpfs", same},
    {"tty", refused, k_stay_alive, nullptr, "false"},
    {"ulimits", same},
    {"use_api_socket", refused, "", nullptr, "false"},
    {"user", same},
    {"userns_mode", refused, k_namespaces},
    {"uts", refused, k_namespaces, nullptr, "private"},
    {"volume_driver", refused, "name the driver where the volume is declared"},
    {"volumes", lowered, "", lower_with_mounts},
    {"volumes_from", same},
    {"working_dir", same},
};

const ComposeKey k_deploy_keys[] = {
    {"endpoint_mode", harmless},
    {"labels", harmless},
    {"mode", refused, "a pipeline starts containers on one machine", nullptr, "replicated global"},
    {"placement", left_out, "a pipeline starts containers on one machine"},
    {"replicas", lowered, "", lower_scale},
    {"resources", lowered, "", lower_resources},
    {"restart_policy", harmless},
    {"rollback_config", harmless},
    {"update_config", harmless},
};

const ComposeKey k_build_keys[] = {
    {"additional_contexts", refused},
    {"args", same},
    {"cache_from", same},
    {"cache_to", same},
    {"context", same},
    {"dockerfile", same},
    {"dockerfile_inline", same},
    {"entitlements", refused},
    {"extra_hosts", same},
    {"isolation", refused, "", nullptr, "default"},
    {"labels", same},
    {"network", same},
    {"no_cache", same},
    {"platforms", same},
    {"privileged", refused, "", nullptr, "false"},
    {"provenance", left_out},
    {"pull", same},
    {"sbom", left_out},
    {"secrets", same},
    {"shm_size", same},
    {"ssh", same},
    {"tags", same},
    {"target", same},
    {"ulimits", refused},
};

std::vector<std::string> names_of(std::span<const ComposeKey> rows)
{
    std::vector<std::string> names;
    for (const auto& row : rows)
        names.push_back(row.name);
    return names;
}

} // namespace

std::span<const ComposeKey> compose_service_keys() { return k_service_keys; }
std::span<const ComposeKey> compose_deploy_keys() { return k_deploy_keys; }
std::span<const ComposeKey> compose_build_keys() { return k_build_keys; }

void report_unknown_key(Reader& reader, const Node& key, const std::vector<std::string>& known, const char* what)
{
    if (reader.is_full())
        return;
    const auto near = key.text.size() <= 40 ? nearest(key.text, known) : std::nullopt;
    reader.error(key, "unknown-key", fmt::format("unknown key '{}' in {}", clip(key.text), what),
                 near ? fmt::format("did you mean '{}'?", *near) : "");
}

namespace {

// Whether a value of a key that is refused changes nothing: it is the default, or a list or map of nothing.
bool is_harmless(const ComposeKey& row, const Node& value)
{
    if (!value.is_scalar())
        return value.items.empty() && !value.is_null();
    const auto word = loose_boolean(value.text) == false ? "false" : to_lower(value.text);
    return is_word_of(row.harmless_values, word);
}

} // namespace

void lower_keys(ComposeService& service, const Node& map, std::span<const ComposeKey> rows, const char* what, Node& to)
{
    auto& reader = service.world.reader;
    for (std::size_t i = 0; i < map.pairs(); ++i) {
        Node& key = map.key(i);
        Node& value = map.value(i);
        if (key.text.starts_with("x-") || value.merge == Node::Merge::reset)
            continue;
        const Reader::Inside inside(reader, key);
        const auto row =
            std::find_if(rows.begin(), rows.end(), [&](const ComposeKey& known) { return key.text == known.name; });
        // A variable without value makes an empty text, which says nothing; but an empty command is one.
        const bool says_nothing =
            value.is_scalar() && value.text.empty() && !is_word_of("command entrypoint", key.text);
        if (row == rows.end())
            report_unknown_key(reader, key, names_of(rows), what);
        else if (says_nothing)
            continue;
        else if (row->fate == Fate::same)
            to.items.insert(to.items.end(), {&key, &value});
        else if (row->fate == Fate::lowered)
            row->lower(service, key, value);
        else if (row->fate == Fate::left_out && !(value.is_scalar() && loose_boolean(value.text) == false))
            reader.warning(key, "no-effect", fmt::format("'{}' of {} has no effect in a pipeline", key.text, what), row->note);
        else if (row->fate == Fate::refused && !reader.is_told(value) && !is_harmless(*row, value))
            reader.error(key, "unsupported",
                         fmt::format("'{}' of {} is not supported in a Compose file", key.text, what), row->note);
    }
}

} // namespace gantry::pipeline::native
