#pragma once

#include "pipeline/text.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gantry::pipeline {

using Duration = std::chrono::nanoseconds;
// In the order of the file, so that what people wrote is what they see.
using EnvMap = std::vector<std::pair<std::string, Text>>;
using TextMap = std::vector<std::pair<std::string, Text>>;

// The words below are Compose's (Compose specification, "services"), with Compose's meanings.

struct PortMapping {
    std::string host_ip;
    std::string published; // "", "8080" or "8000-8010"; empty: the engine picks one, a range for one port: of these
    std::string target;    // "80" or "80-90"
    std::string protocol = "tcp";
    Mark mark;
    friend bool operator==(const PortMapping&, const PortMapping&) = default;
};

struct VolumeMount {
    enum class Type { volume, bind, tmpfs } type = Type::volume;
    Text source; // name or host path; empty: anonymous
    Text target;
    bool read_only = false;
    bool nocopy = false;
    std::string subpath;
    std::string propagation;       // of a bind: rprivate, private, rshared, shared, rslave, slave; empty: the engine's
    bool create_host_path = false; // of a bind: the engine makes the folder of its host where there is none
    std::optional<std::uint64_t> tmpfs_size_bytes;
    std::optional<std::uint32_t> tmpfs_mode;
    Mark mark;
    friend bool operator==(const VolumeMount&, const VolumeMount&) = default;
};

struct NetworkAttachment {
    std::string name; // "default" is the stage's own
    std::vector<std::string> aliases;
    std::string ipv4_address;
    std::string ipv6_address;
    Mark mark;
    friend bool operator==(const NetworkAttachment&, const NetworkAttachment&) = default;
};

struct Healthcheck {
    std::vector<std::string> test; // CMD …, CMD-SHELL …, NONE; empty: the image's, with the times below
    std::optional<Duration> interval, timeout, start_period, start_interval;
    std::optional<int> retries;
    bool disable = false;
    Mark mark;
    friend bool operator==(const Healthcheck&, const Healthcheck&) = default;
};

struct Ulimit {
    std::int64_t soft = 0;
    std::int64_t hard = 0;
    friend bool operator==(const Ulimit&, const Ulimit&) = default;
};

struct DeviceRate {
    std::string path;
    std::uint64_t rate = 0; // operations per second
    friend bool operator==(const DeviceRate&, const DeviceRate&) = default;
};

struct Logging {
    std::string driver;
    std::map<std::string, std::string> options;
    friend bool operator==(const Logging&, const Logging&) = default;
};

enum class Condition { service_started, service_healthy, service_completed_successfully };

struct Dependency {
    std::string service;
    Condition condition = Condition::service_started;
    bool required = true;
    Mark mark;
    friend bool operator==(const Dependency&, const Dependency&) = default;
};

struct Link { // a further name of a service, which all of the stage find it under
    std::string service, name;
    Mark mark;
    friend bool operator==(const Link&, const Link&) = default;
};

struct EnvFileEntry {
    std::string path;     // from the root of the repository
    bool required = true; // false: passed over where there is none
    bool raw = false;     // each line is NAME and its value as it stands, quotes included
    Mark mark;
    friend bool operator==(const EnvFileEntry&, const EnvFileEntry&) = default;
};

// What a step, a service and `defaults` may say about their container. Everything may be absent; an absent key takes
// the stage's value, then the defaults', then the engine's.
struct Container {
    std::optional<Text> image;
    std::optional<std::string> pull_policy; // always | missing | if_not_present | never
    std::optional<std::vector<Text>> entrypoint;
    std::optional<std::vector<Text>> command;
    EnvMap environment;
    std::vector<EnvFileEntry> env_file;
    std::optional<Text> user;
    std::optional<Text> working_dir;
    std::optional<Text> hostname;
    std::vector<std::string> extra_hosts; // "name:address"
    std::vector<std::string> dns, dns_search, dns_opt;
    std::vector<NetworkAttachment> networks;
    std::optional<std::string> network_mode; // none | host | service:NAME
    std::vector<Link> links;
    std::vector<PortMapping> ports;
    std::vector<VolumeMount> volumes;
    std::vector<std::string> volumes_from;
    std::vector<std::string> tmpfs;
    std::optional<std::uint64_t> shm_size_bytes;
    std::optional<bool> read_only, init, privileged;
    std::vector<std::string> cap_add, cap_drop, security_opt;
    std::map<std::string, Ulimit> ulimits;
    std::vector<std::string> devices;
    std::vector<DeviceRate> device_read_iops, device_write_iops;
    std::optional<std::int64_t> cpu_shares;
    std::optional<double> cpus;
    std::optional<std::uint64_t> memory_bytes;
    std::optional<std::int64_t> pids_limit;
    std::optional<bool> oom_kill_disable;
    std::optional<int> oom_score_adj;
    std::optional<Logging> logging;
    std::optional<std::string> stop_signal;
    std::optional<Duration> stop_grace_period;
    std::map<std::string, std::string> labels;
    std::optional<Healthcheck> healthcheck;
    std::vector<Dependency> depends_on;
    std::optional<std::string> platform;
    std::map<std::string, std::string> sysctls;
    std::optional<std::string> runtime;
    // Where each key stands, by its name in the file: an engine that cannot honour one says so with its position.
    std::map<std::string, Mark> marks;

    friend bool operator==(const Container&, const Container&) = default;
};

// The service whose network it shares by `network_mode: service:NAME`; valid as long as the container.
std::optional<std::string_view> network_service(const Container& container);
// Whether it shares the network or the volumes of a service, which therefore has to run before it is made.
bool shares_with_service(const Container& container);
// What has to be there before it starts: depends_on, then whom it shares with, then whom it links to.
std::vector<Dependency> dependencies_of(const Container& container);

} // namespace gantry::pipeline
