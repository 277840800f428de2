#include "pipeline/frontend/container_types.hpp"

// What a step, a service, a stage and `defaults` may say about their container.

namespace gantry::pipeline::native {

namespace {

using OneOrMoreStrings = OneOrListType<StringType>;
using Variables = AssignmentsType;
using Labels = SortedType<FixedLabelsType>;
using Rates = ListType<DeviceRateType>;

const Words k_pull_policies{{"always", "missing", "if_not_present", "never"}, "a pull policy"};

constexpr Key k_cpus = key<CpusType, &Container::cpus>("cpus", "How many CPUs it may use at most, such as 0.5.");
constexpr Key k_memory = key<MemoryType, &Container::memory_bytes>("memory", "How much memory it may use at most: 512m, 1g.");
constexpr Key k_pids = key<IntegerType<std::int64_t, -1>, &Container::pids_limit>("pids", "How many processes it may have; -1 for no limit.");
constexpr Key k_read_iops = key<Rates, &Container::device_read_iops>("device_read_iops", "Reads per second of block devices.");
constexpr Key k_write_iops = key<Rates, &Container::device_write_iops>("device_write_iops", "Writes per second of block devices.");

constexpr std::map<std::string, Mark>* marks_of(void* container) { return &static_cast<Container*>(container)->marks; }

const ObjectKeys& resources_keys()
{
    static const Key rows[] = {k_cpus.as_alias_of("cpus"), k_memory.as_alias_of("mem_limit"), k_pids.as_alias_of("pids_limit")};
    static const ObjectKeys keys{"resources", "resources", {{rows, nullptr, marks_of}}};
    return keys;
}

const ObjectKeys& blkio_keys()
{
    static const Key rows[] = {k_read_iops.as_alias_of("device_read_iops"), k_write_iops.as_alias_of("device_write_iops")};
    static const ObjectKeys keys{"blkio_config", "blkio_config", {{rows, nullptr, marks_of}}};
    return keys;
}

// A section that fills the container it stands in; its values print under their own keys.
template <const ObjectKeys& (*Keys)()> struct InsideType {
    using Value = Container;
    static bool read(Reader& reader, const Node& node, Value& value) { return read_object(reader, node, Keys(), &value); }
    static Out write(const Value&) { return {}; }
    static Out schema(SchemaBuilder& builder) { return builder.ref(Keys()); }
};

constexpr Key named(Key row, const char* name)
{
    row.name = name;
    return row;
}

constexpr unsigned k_own = in_step | in_service; // what a stage's steps cannot share

constexpr Key k_environment = key<Variables, &Container::environment>("environment", "Variables of the container.");

const Key k_container_keys[] = {
    key<ImageType, &Container::image>("image", "The image to run: name:tag or name@digest."),
    key<WordType<k_pull_policies>, &Container::pull_policy>("pull_policy", "When to pull the image."),
    key<CommandType, &Container::entrypoint>("entrypoint", "Replaces the image's entrypoint."),
    key<CommandType, &Container::command>("command", "Replaces the image's command."),
    k_environment,
    named(k_environment, "env").as_alias_of("environment"),
    key<OneOrListType<EnvFileType>, &Container::env_file>("env_file", "Files of the repository with NAME=value lines."),
    key<RuledTextType<k_user_rule>, &Container::user>("user", "User, or user:group, that the process runs as."),
    key<TextType, &Container::working_dir>("working_dir", "Folder that the process starts in; relative to the workspace."),
    key<HostNameType, &Container::hostname>("hostname", "Host name inside the container.").only(k_own),
    key<ExtraHostsType, &Container::extra_hosts>("extra_hosts", "Further lines of /etc/hosts: name:address."),
    key<OneOrListType<AddressType>, &Container::dns>("dns", "Name servers."),
    key<OneOrMoreStrings, &Container::dns_search>("dns_search", "Search domains."),
    key<OneOrMoreStrings, &Container::dns_opt>("dns_opt", "Options of resolv.conf."),
    key<NetworksType, &Container::networks>("networks", "Networks to join, with aliases; 'default' is the stage's own."),
    key<RuledStringType<k_network_mode_rule>, &Container::network_mode>("network_mode", "none, host or service:NAME instead of networks."),
    key<ListType<LinkType>, &Container::links>("links", "Further names of services: service:name.").only(k_own),
    key<ListType<PortType>, &Container::ports>("ports", "Ports that are published on the host.").only(k_own),
    key<ListType<VolumeType>, &Container::volumes>("volumes", "What is mounted: name:/path, /host:/path:ro, or the long form."),
    key<ListType<RuledStringType<k_volumes_from_rule>>, &Container::volumes_from>("volumes_from", "Services whose mounts it takes."),
    key<OneOrListType<TmpfsType>, &Container::tmpfs>("tmpfs", "Paths held in memory: /path or /path:size=64m."),
    key<SizeType, &Container::shm_size_bytes>("shm_size", "Size of /dev/shm."),
    key<BooleanType, &Container::read_only>("read_only", "The container's own files cannot be changed."),
    key<BooleanType, &Container::init>("init", "An init process is PID 1 (default true)."),
    key<BooleanType, &Container::privileged>("privileged", "All rights on the host; needs the operator's consent."),
    key<ListType<CapabilityType>, &Container::cap_add>("cap_add", "Capabilities to add."),
    key<ListType<CapabilityType>, &Container::cap_drop>("cap_drop", "Capabilities to drop."),
    key<ListType<SecurityOptionType>, &Container::security_opt>("security_opt", "Security options; needs the operator's consent."),
    key<UlimitsType, &Container::ulimits>("ulimits", "Limits by name: nofile: 1024 or {soft, hard}."),
    key<ListType<DeviceType>, &Container::devices>("devices", "Devices of the host: /dev/x:/dev/x:rwm; needs the operator's consent."),
    k_read_iops,
    k_write_iops,
    whole<InsideType<blkio_keys>>("blkio_config", "Limits of block devices."),
    key<CpuSharesType, &Container::cpu_shares>("cpu_shares", "Share of CPU time beside others; 1024 is usual."),
    k_cpus,
    named(k_memory, "mem_limit"),
    named(k_pids, "pids_limit"),
    whole<InsideType<resources_keys>>("resources", "Short form of the limits: cpus, memory, pids."),
    key<BooleanType, &Container::oom_kill_disable>("oom_kill_disable", "Out of memory, it waits instead of being killed."),
    key<IntegerType<int, -1000, 1000>, &Container::oom_score_adj>("oom_score_adj", "Who is killed first when the host has no memory left."),
    key<LoggingType, &Container::logging>("logging", "The engine's log driver and its options."),
    key<RuledStringType<k_signal_rule>, &Container::stop_signal>("stop_signal", "Signal that asks it to end."),
    key<DurationType, &Container::stop_grace_period>("stop_grace_period", "How long it may take to end before it is killed."),
    key<Labels, &Container::labels>("labels", "Labels of the container."),
    key<HealthcheckType, &Container::healthcheck>("healthcheck", "How to find out that it is ready.").only(k_own),
    key<DependsOnType, &Container::depends_on>("depends_on", "Services that start before it.").only(k_own),
    key<RuledStringType<k_platform_rule>, &Container::platform>("platform", "Platform of the image: linux/arm64."),
    key<SysctlsType, &Container::sysctls>("sysctls", "Kernel parameters of the container."),
    key<StringType, &Container::runtime>("runtime", "The engine's runtime, by name."),
};

} // namespace

std::span<const Key> container_keys() { return k_container_keys; }

} // namespace gantry::pipeline::native
