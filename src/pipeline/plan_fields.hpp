#pragma once

#include "pipeline/plan.hpp"

#include <array>
#include <concepts>
#include <string_view>
#include <type_traits>

// The members of everything that a plan is made of, named as in the file, once for all who walk them: the JSON writer
// and reader, the search for expressions, the measure of its size and the random plans of the tests.
//
// A walker is called as walk(name, member) and, where the value of a new object is not the type's empty one, as
// walk(name, member, default). Members that say where something stands are `mark`.

namespace gantry::pipeline {

template <typename T, typename U>
concept Like = std::same_as<std::remove_const_t<T>, U>;

template <typename E>
inline constexpr std::array<std::string_view, 0> k_enum_names{};
template <>
inline constexpr std::array<std::string_view, 3> k_enum_names<VolumeMount::Type>{"volume", "bind", "tmpfs"};
template <>
inline constexpr std::array<std::string_view, 3> k_enum_names<Condition>{"service_started", "service_healthy",
                                                                         "service_completed_successfully"};
template <>
inline constexpr std::array<std::string_view, 2> k_enum_names<WorkspaceStart>{"inherit", "clean"};
template <>
inline constexpr std::array<std::string_view, 2> k_enum_names<OnConflict>{"stop", "last"};
template <>
inline constexpr std::array<std::string_view, 2> k_enum_names<DeclarationScope>{"run", "stage"};
template <>
inline constexpr std::array<std::string_view, 5> k_enum_names<Event::Kind>{"push", "pull_request", "tag", "schedule",
                                                                           "manual"};

template <typename W, Like<PortMapping> T>
void fields(W& walk, T& o)
{
    walk("host_ip", o.host_ip);
    walk("published", o.published);
    walk("target", o.target);
    walk("protocol", o.protocol, std::string("tcp"));
    walk("mark", o.mark);
}

template <typename W, Like<VolumeMount> T>
void fields(W& walk, T& o)
{
    walk("type", o.type);
    walk("source", o.source);
    walk("target", o.target);
    walk("read_only", o.read_only);
    walk("nocopy", o.nocopy);
    walk("subpath", o.subpath);
    walk("propagation", o.propagation);
    walk("create_host_path", o.create_host_path);
    walk("tmpfs_size", o.tmpfs_size_bytes);
    walk("tmpfs_mode", o.tmpfs_mode);
    walk("mark", o.mark);
}

template <typename W, Like<NetworkAttachment> T>
void fields(W& walk, T& o)
{
    walk("name", o.name);
    walk("aliases", o.aliases);
    walk("ipv4_address", o.ipv4_address);
    walk("ipv6_address", o.ipv6_address);
    walk("mark", o.mark);
}

template <typename W, Like<Healthcheck> T>
void fields(W& walk, T& o)
{
    walk("test", o.test);
    walk("interval", o.interval);
    walk("timeout", o.timeout);
    walk("start_period", o.start_period);
    walk("start_interval", o.start_interval);
    walk("retries", o.retries);
    walk("disable", o.disable);
    walk("mark", o.mark);
}

template <typename W, Like<Ulimit> T>
void fields(W& walk, T& o)
{
    walk("soft", o.soft);
    walk("hard", o.hard);
}

template <typename W, Like<DeviceRate> T>
void fields(W& walk, T& o)
{
    walk("path", o.path);
    walk("rate", o.rate);
}

template <typename W, Like<Logging> T>
void fields(W& walk, T& o)
{
    walk("driver", o.driver);
    walk("options", o.options);
}

template <typename W, Like<Dependency> T>
void fields(W& walk, T& o)
{
    walk("service", o.service);
    walk("condition", o.condition);
    walk("required", o.required, true);
    walk("mark", o.mark);
}

template <typename W, Like<Link> T> void fields(W& walk, T& o)
{
    walk("service", o.service);
    walk("name", o.name);
    walk("mark", o.mark);
}

template <typename W, Like<EnvFileEntry> T>
void fields(W& walk, T& o)
{
    walk("path", o.path);
    walk("required", o.required, true);
    walk("raw", o.raw);
    walk("mark", o.mark);
}

template <typename W, Like<Container> T>
void fields(W& walk, T& o)
{
    walk("image", o.image);
    walk("pull_policy", o.pull_policy);
    walk("entrypoint", o.entrypoint);
    walk("command", o.command);
    walk("environment", o.environment);
    walk("env_file", o.env_file);
    walk("user", o.user);
    walk("working_dir", o.working_dir);
    walk("hostname", o.hostname);
    walk("extra_hosts", o.extra_hosts);
    walk("dns", o.dns);
    walk("dns_search", o.dns_search);
    walk("dns_opt", o.dns_opt);
    walk("networks", o.networks);
    walk("network_mode", o.network_mode);
    walk("links", o.links);
    walk("ports", o.ports);
    walk("volumes", o.volumes);
    walk("volumes_from", o.volumes_from);
    walk("tmpfs", o.tmpfs);
    walk("shm_size", o.shm_size_bytes);
    walk("read_only", o.read_only);
    walk("init", o.init);
    walk("privileged", o.privileged);
    walk("cap_add", o.cap_add);
    walk("cap_drop", o.cap_drop);
    walk("security_opt", o.security_opt);
    walk("ulimits", o.ulimits);
    walk("devices", o.devices);
    walk("device_read_iops", o.device_read_iops);
    walk("device_write_iops", o.device_write_iops);
    walk("cpu_shares", o.cpu_shares);
    walk("cpus", o.cpus);
    walk("mem_limit", o.memory_bytes);
    walk("pids_limit", o.pids_limit);
    walk("oom_kill_disable", o.oom_kill_disable);
    walk("oom_score_adj", o.oom_score_adj);
    walk("logging", o.logging);
    walk("stop_signal", o.stop_signal);
    walk("stop_grace_period", o.stop_grace_period);
    walk("labels", o.labels);
    walk("healthcheck", o.healthcheck);
    walk("depends_on", o.depends_on);
    walk("platform", o.platform);
    walk("sysctls", o.sysctls);
    walk("runtime", o.runtime);
    walk("marks", o.marks);
}

template <typename W, Like<Concurrency> T>
void fields(W& walk, T& o)
{
    walk("group", o.group);
    walk("limit", o.limit, 1);
    walk("cancel_in_progress", o.cancel_in_progress);
    walk("mark", o.mark);
}

template <typename W, Like<Retry> T>
void fields(W& walk, T& o)
{
    walk("max", o.max);
    walk("when", o.when);
    walk("exit_codes", o.exit_codes);
    walk("backoff", o.backoff);
    walk("mark", o.mark);
}

template <typename W, Like<Build> T>
void fields(W& walk, T& o)
{
    walk("context", o.context, Text("."));
    walk("dockerfile", o.dockerfile);
    walk("dockerfile_inline", o.dockerfile_inline);
    walk("target", o.target);
    walk("args", o.args);
    walk("tags", o.tags);
    walk("cache_from", o.cache_from);
    walk("cache_to", o.cache_to);
    walk("labels", o.labels);
    walk("network", o.network);
    walk("extra_hosts", o.extra_hosts);
    walk("platforms", o.platforms);
    walk("secrets", o.secrets);
    walk("ssh", o.ssh);
    walk("pull", o.pull);
    walk("no_cache", o.no_cache);
    walk("shm_size", o.shm_size_bytes);
    walk("mark", o.mark);
    walk("marks", o.marks);
}

template <typename W, Like<Push> T>
void fields(W& walk, T& o)
{
    walk("all_tags", o.all_tags);
    walk("tags", o.tags);
    walk("image", o.image);
    walk("mark", o.mark);
}

template <typename W, Like<Cache> T>
void fields(W& walk, T& o)
{
    walk("name", o.name);
    walk("path", o.path);
    walk("key", o.key);
    walk("key_files", o.key_files);
    walk("fallback_keys", o.fallback_keys);
    walk("mode", o.mode, std::string("shared"));
    walk("policy", o.policy, std::string("pull-push"));
    walk("mark", o.mark);
}

template <typename W, Like<Artifacts> T>
void fields(W& walk, T& o)
{
    walk("paths", o.paths);
    walk("exclude", o.exclude);
    walk("when", o.when, std::string("on_success"));
    walk("expire_in", o.expire_in);
    walk("reports", o.reports);
    walk("mark", o.mark);
}

template <typename W, Like<Ready> T>
void fields(W& walk, T& o)
{
    walk("tcp", o.tcp);
    walk("http", o.http);
    walk("log", o.log);
    walk("mark", o.mark);
}

template <typename W, Like<ContainerFile> T>
void fields(W& walk, T& o)
{
    walk("target", o.target);
    walk("source", o.source);
    walk("content", o.content);
    walk("mode", o.mode);
    walk("uid", o.uid);
    walk("gid", o.gid);
    walk("mark", o.mark);
}

template <typename W, Like<Service> T>
void fields(W& walk, T& o)
{
    walk("name", o.name);
    walk("container", o.container);
    walk("build", o.build);
    walk("files", o.files);
    walk("ready", o.ready);
    walk("probe", o.probe);
    walk("mark", o.mark);
}

template <typename W, Like<Approval> T>
void fields(W& walk, T& o)
{
    walk("message", o.message);
    walk("allowed", o.allowed);
    walk("mark", o.mark);
}

template <typename W, Like<Workspace> T>
void fields(W& walk, T& o)
{
    walk("start", o.start);
    walk("on_conflict", o.on_conflict);
}

template <typename W, Like<VolumeDeclaration> T>
void fields(W& walk, T& o)
{
    walk("name", o.name);
    walk("external_name", o.external_name);
    walk("driver", o.driver);
    walk("driver_opts", o.driver_opts);
    walk("labels", o.labels);
    walk("external", o.external);
    walk("scope", o.scope);
    walk("mark", o.mark);
}

template <typename W, Like<NetworkDeclaration::Subnet> T>
void fields(W& walk, T& o)
{
    walk("subnet", o.subnet);
    walk("gateway", o.gateway);
    walk("ip_range", o.ip_range);
}

template <typename W, Like<NetworkDeclaration> T>
void fields(W& walk, T& o)
{
    walk("name", o.name);
    walk("external_name", o.external_name);
    walk("driver", o.driver);
    walk("driver_opts", o.driver_opts);
    walk("labels", o.labels);
    walk("internal", o.internal);
    walk("attachable", o.attachable);
    walk("external", o.external);
    walk("enable_ipv6", o.enable_ipv6);
    walk("ipam", o.ipam);
    walk("scope", o.scope);
    walk("mark", o.mark);
}

template <typename W, Like<Event::PullRequest> T>
void fields(W& walk, T& o)
{
    walk("number", o.number);
    walk("title", o.title);
    walk("source_branch", o.source_branch);
    walk("target_branch", o.target_branch);
}

template <typename W, Like<Event> T>
void fields(W& walk, T& o)
{
    walk("kind", o.kind, Event::Kind::manual);
    walk("branch", o.branch);
    walk("tag", o.tag);
    walk("ref", o.ref);
    walk("sha", o.sha);
    walk("before_sha", o.before_sha);
    walk("message", o.message);
    walk("author", o.author);
    walk("author_email", o.author_email);
    walk("repo", o.repo);
    walk("repo_url", o.repo_url);
    walk("default_branch", o.default_branch);
    walk("dirty", o.dirty);
    walk("trusted", o.trusted, true);
    walk("commit_time", o.commit_time);
    walk("pull_request", o.pull_request);
    walk("changed_files", o.changed_files);
    walk("inputs", o.inputs);
}

template <typename W, Like<PlanStep> T>
void fields(W& walk, T& o)
{
    walk("id", o.id);
    walk("group", o.group);
    walk("finally", o.in_finally);
    walk("if", o.condition);
    walk("skip_reason", o.skip_reason);
    walk("container", o.container);
    walk("shell", o.shell);
    walk("run", o.run);
    walk("settings", o.settings);
    walk("build", o.build);
    walk("push", o.push);
    walk("secrets", o.secrets);
    walk("secret_files", o.secret_files);
    walk("retry", o.retry);
    walk("timeout", o.timeout);
    walk("idle_timeout", o.idle_timeout);
    walk("allow_failure", o.allow_failure);
    walk("mark", o.mark);
}

template <typename W, Like<PlanStage> T>
void fields(W& walk, T& o)
{
    walk("id", o.id);
    walk("name", o.name);
    walk("matrix", o.matrix);
    walk("needs", o.needs);
    walk("if", o.condition);
    walk("skip_reason", o.skip_reason);
    walk("runs_on", o.runs_on);
    walk("services", o.services);
    walk("caches", o.caches);
    walk("steps", o.steps);
    walk("artifacts", o.artifacts);
    walk("approval", o.approval);
    walk("concurrency", o.concurrency);
    walk("timeout", o.timeout);
    walk("allow_failure", o.allow_failure);
    walk("workspace", o.workspace);
    walk("place", o.place);
    walk("mark", o.mark);
}

template <typename W, Like<Plan> T>
void fields(W& walk, T& o)
{
    walk("version", o.version);
    walk("pipeline", o.pipeline);
    walk("event", o.event);
    walk("skip_reason", o.skip_reason);
    walk("concurrency", o.concurrency);
    walk("timeout", o.timeout);
    walk("volumes", o.volumes);
    walk("networks", o.networks);
    walk("stages", o.stages);
}

} // namespace gantry::pipeline
