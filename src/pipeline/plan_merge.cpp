#include "pipeline/plan_merge.hpp"

namespace gantry::pipeline {

namespace {

template <typename T>
void replace(std::optional<T>& outer, const std::optional<T>& inner)
{
    if (inner)
        outer = inner;
}

template <typename T>
void merge(std::map<std::string, T>& outer, const std::map<std::string, T>& inner)
{
    for (const auto& [key, value] : inner)
        outer.insert_or_assign(key, value);
}

void overlay_scalars(Container& outer, const Container& inner)
{
    replace(outer.image, inner.image);
    replace(outer.pull_policy, inner.pull_policy);
    replace(outer.entrypoint, inner.entrypoint);
    replace(outer.command, inner.command);
    replace(outer.user, inner.user);
    replace(outer.working_dir, inner.working_dir);
    replace(outer.hostname, inner.hostname);
    replace(outer.network_mode, inner.network_mode);
    replace(outer.shm_size_bytes, inner.shm_size_bytes);
    replace(outer.read_only, inner.read_only);
    replace(outer.init, inner.init);
    replace(outer.privileged, inner.privileged);
    replace(outer.cpu_shares, inner.cpu_shares);
    replace(outer.cpus, inner.cpus);
    replace(outer.memory_bytes, inner.memory_bytes);
    replace(outer.pids_limit, inner.pids_limit);
    replace(outer.oom_kill_disable, inner.oom_kill_disable);
    replace(outer.oom_score_adj, inner.oom_score_adj);
    replace(outer.logging, inner.logging);
    replace(outer.stop_signal, inner.stop_signal);
    replace(outer.stop_grace_period, inner.stop_grace_period);
    replace(outer.healthcheck, inner.healthcheck);
    replace(outer.platform, inner.platform);
    replace(outer.runtime, inner.runtime);
}

void overlay_lists(Container& outer, const Container& inner)
{
    const auto replace_list = [&](const char* key, auto& to, const auto& from) {
        if (!from.empty() || inner.marks.contains(key))
            to = from;
    };
    replace_list("extra_hosts", outer.extra_hosts, inner.extra_hosts);
    replace_list("dns", outer.dns, inner.dns);
    replace_list("dns_search", outer.dns_search, inner.dns_search);
    replace_list("dns_opt", outer.dns_opt, inner.dns_opt);
    replace_list("networks", outer.networks, inner.networks);
    replace_list("links", outer.links, inner.links);
    replace_list("ports", outer.ports, inner.ports);
    replace_list("volumes", outer.volumes, inner.volumes);
    replace_list("volumes_from", outer.volumes_from, inner.volumes_from);
    replace_list("tmpfs", outer.tmpfs, inner.tmpfs);
    replace_list("cap_add", outer.cap_add, inner.cap_add);
    replace_list("cap_drop", outer.cap_drop, inner.cap_drop);
    replace_list("security_opt", outer.security_opt, inner.security_opt);
    replace_list("devices", outer.devices, inner.devices);
    replace_list("device_read_iops", outer.device_read_iops, inner.device_read_iops);
    replace_list("device_write_iops", outer.device_write_iops, inner.device_write_iops);
    replace_list("depends_on", outer.depends_on, inner.depends_on);
}

} // namespace

void overlay(Container& outer, const Container& inner)
{
    // The two are ways to say one thing.
    if (inner.network_mode)
        outer.networks.clear();
    else if (!inner.networks.empty())
        outer.network_mode.reset();
    overlay_scalars(outer, inner);
    overlay_lists(outer, inner);
    merge(outer.labels, inner.labels);
    merge(outer.ulimits, inner.ulimits);
    merge(outer.sysctls, inner.sysctls);
    merge(outer.marks, inner.marks);
}

} // namespace gantry::pipeline
