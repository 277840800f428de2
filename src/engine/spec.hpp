#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What the runner asks an engine for: plain, complete values with every default filled in. An engine honours all of a
// spec or throws unsupported; it never leaves a part out. Names follow the OCI runtime and Compose specifications.

namespace gantry::engine {

// On everything that is created. `gantry.instance`, `.run`, `.stage`, `.step`, `.attempt`; see labels_of() in runner/lower.
using Labels = std::map<std::string, std::string>;
// All of `wanted` are among `labels`; an empty value matches any.
bool carries(const Labels& labels, const Labels& wanted);

enum class ObjectKind { container, network, volume, image };
std::string_view to_string(ObjectKind kind);

struct Object { // as list() finds it
    ObjectKind kind = ObjectKind::container;
    std::string id;
    std::string name;
    Labels labels;
    friend bool operator==(const Object&, const Object&) = default;
};

struct EngineInfo {
    std::string name;        // "docker", "podman", "fake"
    std::string version;     // "20.10.24"
    std::string api_version; // the one in use: "1.41"
    std::string id;          // stable for this daemon's storage
    std::string endpoint;    // "unix:///var/run/docker.sock"
    std::string os, architecture;
    std::string root_dir;    // where it keeps its data, on its own host
    std::string cgroup_version;
    std::string storage_driver;
    int cpus = 0;
    std::uint64_t memory_bytes = 0;
    bool rootless = false;
    bool local = false;         // reached through a unix socket of this machine
    bool live_restore = false;  // running containers outlive a restart of the engine
    std::optional<std::chrono::system_clock::time_point> time; // of its clock, as it answered
    std::vector<std::string> warnings; // the daemon's own
};

// ---- images

enum class PullPolicy { missing, always, never };

struct PullProgress {
    std::string image;
    int layers_total = 0, layers_done = 0;
    std::uint64_t bytes_total = 0, bytes_done = 0; // of the layers whose size is known
};

// How an engine finds out whether a container's process does its work (Docker's HEALTHCHECK).
struct HealthcheckSpec {
    std::vector<std::string> test; // {"NONE"}, {"CMD", …}, {"CMD-SHELL", …}; empty: the image's, with the times below
    std::chrono::nanoseconds interval{0}, timeout{0}, start_period{0}; // 0: the engine's default
    int retries = 0;                                                   // 0: the engine's default
    friend bool operator==(const HealthcheckSpec&, const HealthcheckSpec&) = default;
};

struct ImageInfo {
    std::string id;      // sha256:…
    std::string digest;  // of the manifest at the registry, "name@sha256:…"; empty for local images
    std::vector<std::string> entrypoint, command, environment; // environment as KEY=value
    std::vector<std::string> shell; // of its SHELL instruction, for commands in shell form; empty: the engine's
    std::string user, working_dir;
    std::string stop_signal;
    std::string os, architecture; // "linux", "amd64"; empty: it does not tell
    std::optional<HealthcheckSpec> healthcheck; // absent: none, or NONE
    std::vector<std::string> layers; // digests of their uncompressed tar archives, "sha256:…", the lowest first
    std::uint64_t size_bytes = 0;
};

struct ImageEntry { // as list_images() finds it
    std::string id;
    std::vector<std::string> tags; // none: nothing names it any more
    Labels labels;
    std::uint64_t size_bytes = 0;
    std::chrono::system_clock::time_point created{};
};

// Compose specification, "build". The context comes beside it, as a tar archive, unless it is remote.
struct BuildSpec {
    std::string remote;                    // a git repository that the engine clones: "https://…/x.git#ref:folder"
    std::vector<std::string> tags;         // names of the image; may be empty
    std::string dockerfile = "Dockerfile"; // its path in the archive
    std::string target;                    // stage of the Dockerfile; empty: the last
    std::string platform;                  // empty: the engine's
    std::vector<std::pair<std::string, std::string>> args;
    Labels labels;
    std::vector<std::string> cache_from; // images that are here: the builder takes layers of these and of nothing else; empty: of all
    std::string network_mode; // of RUN: "", "none", "host"
    std::vector<std::string> extra_hosts;
    std::optional<std::uint64_t> shm_size_bytes;
    bool pull = false, no_cache = false;
};

// What is at the engine, with what it takes there.
struct StoredObject {
    Object object;                 // of an image `name` is its first tag, or its id where nothing names it
    std::vector<std::string> tags; // of an image
    std::uint64_t size_bytes = 0; // a container's own layer; an image with all that it shares with others; 0: not known
    std::chrono::system_clock::time_point created{}; // the epoch: not known
    bool in_use = false; // a container that runs, an image or volume that a container has, a network that one that runs is in
};

struct BuildResult {
    std::optional<ImageInfo> image; // absent: an instruction failed, and
    int step = 0;                   // which one, from 1; 0 when that is not known
    int exit_code = 0;              // of its command; 1 where there is none
    std::string error;              // the builder's words
};

struct PushProgress {
    std::string image;
    int layers_total = 0, layers_done = 0;
    int layers_there = 0; // of those done: the registry had them
    std::uint64_t bytes_total = 0, bytes_done = 0; // of the layers that are sent
};

struct Pushed {
    std::string digest; // of the manifest: "sha256:…"
    int layers = 0, layers_there = 0;
};

// ---- networks and volumes

struct NetworkSpec {
    std::string name;
    Labels labels;
    std::string driver = "bridge";
    std::map<std::string, std::string> options;
    bool internal = false, attachable = false, ipv6 = false;
    struct Subnet {
        std::string subnet, gateway, ip_range;
    };
    std::vector<Subnet> subnets;
};

struct VolumeSpec {
    std::string name;
    Labels labels;
    std::string driver = "local";
    std::map<std::string, std::string> options; // of the driver: type, device, o
};

struct NetworkInfo {
    std::string name;
    std::string driver; // "bridge"; "host": no network of its own
};

struct VolumeInfo {
    std::string name;
    std::string mountpoint; // on the engine's host
};

// ---- containers

struct Mount {
    enum class Type { volume, bind, tmpfs } type = Type::volume;
    std::string source; // volume name or host path; empty for tmpfs and anonymous volumes
    std::string target; // absolute
    bool read_only = false;
    bool no_copy = false;
    std::string subpath;
    std::string propagation;       // of a bind: rprivate, rshared, …; empty: the engine's default
    bool create_host_path = false; // of a bind: a folder of the host that is missing is made
    std::optional<std::uint64_t> tmpfs_size_bytes;
    std::optional<std::uint32_t> tmpfs_mode;
    std::vector<std::string> tmpfs_options; // uid=1000, exec, … as mount(8) has them
};

struct Endpoint { // a place in a network
    std::string network;
    std::vector<std::string> aliases;
    std::string ipv4_address, ipv6_address;
};

struct Port {
    std::uint16_t container_port = 0; // 0: all that the image exposes
    std::string protocol = "tcp";
    std::string host_ip;
    std::uint16_t host_port = 0;      // 0: the engine picks one
    std::uint16_t last_host_port = 0; // not 0: the engine picks one from host_port to this
};

struct UlimitSpec {
    std::string name;
    std::int64_t soft = 0, hard = 0;
};

struct Limits { // absent: none
    std::optional<std::uint64_t> memory_bytes;
    std::optional<double> cpus;
    std::optional<std::int64_t> cpu_shares;
    std::optional<std::int64_t> pids;
    std::optional<std::uint64_t> shm_size_bytes;
    std::vector<UlimitSpec> ulimits;
    std::vector<std::pair<std::string, std::uint64_t>> device_read_iops, device_write_iops;
    bool oom_kill_disable = false;
    std::optional<int> oom_score_adj;
};

struct Security {
    bool privileged = false;
    bool no_new_privileges = true;
    bool read_only_root = false;
    std::vector<std::string> cap_drop = {"ALL"};
    std::vector<std::string> cap_add; // default_capabilities() and what the step adds
    std::vector<std::string> security_opt;
    std::map<std::string, std::string> sysctls;
    std::vector<std::string> devices; // "/dev/x:/dev/y:rwm"
};

// The capabilities that a step keeps (docs/security.md): Docker's default set without NET_RAW, MKNOD and AUDIT_WRITE.
const std::vector<std::string>& default_capabilities();

struct ContainerSpec {
    std::string name; // deterministic and unique at the engine
    Labels labels;
    std::string image;
    std::string platform;
    std::optional<std::vector<std::string>> entrypoint; // absent: the image's; empty: none
    std::optional<std::vector<std::string>> command;    // absent: the image's
    std::vector<std::pair<std::string, std::string>> environment;
    std::string user, working_dir, hostname; // empty: the image's, the engine's
    std::vector<std::string> extra_hosts, dns, dns_search, dns_options;

    // Where it is on the network: exactly one way.
    enum class Network { none, host, endpoints, container } network = Network::none;
    std::vector<Endpoint> endpoints;  // endpoints
    std::string network_container;    // container: shares that one's network namespace
    std::vector<Port> ports;

    std::vector<Mount> mounts;
    std::vector<std::string> volumes_from;
    Limits limits;
    Security security;
    std::optional<HealthcheckSpec> healthcheck;
    std::string log_driver;              // empty: the engine's cheapest that loses nothing we need; with options its default
    std::map<std::string, std::string> log_options;
    std::string stop_signal;
    std::string runtime;
    bool init = true;        // a reaping PID 1 of the engine
    bool tty = false;        // one raw stream instead of two
    bool open_stdin = false; // attach() can write; the process sees end of file when the writer closes
};

// How a container's main process ended, as the engine saw it. Not a verdict: the runner makes the cause.
struct ContainerExit {
    int exit_code = 0;       // 128 + n after signal n, as the engine reports it
    bool oom_killed = false; // something in its cgroup was
    std::string error;       // the engine's own, when the process never ran
    friend bool operator==(const ContainerExit&, const ContainerExit&) = default;
};

enum class ContainerState { created, running, exited, missing };

struct ContainerStatus {
    ContainerState state = ContainerState::missing;
    std::string health; // "", "starting", "healthy", "unhealthy"
    struct Probe {
        int exit_code = 0;
        std::string output; // its first bytes
    };
    std::optional<Probe> last_probe; // the engine's own, by the health check
    ContainerExit exit; // when exited
    std::chrono::system_clock::time_point started{}, finished{};
    std::string ip_address;
    std::vector<Port> ports; // with the host ports that were picked
};

// What a container has used since its start, as the engine counts it. What it does not count is 0.
struct ResourceUse {
    std::uint64_t memory_bytes = 0;                   // now, without what the kernel can take back at once
    std::uint64_t memory_peak_bytes = 0;              // the most that was seen, likewise
    std::uint64_t memory_limit_bytes = 0;             // its own, else the machine's; 0: not known
    std::chrono::nanoseconds cpu{0};                  // of all processors
    std::uint64_t read_bytes = 0, written_bytes = 0;  // block devices
    std::uint64_t received_bytes = 0, sent_bytes = 0; // networks; 0 in another container's network
    std::uint64_t processes = 0;                      // now
    friend bool operator==(const ResourceUse&, const ResourceUse&) = default;
};

// ---- events

struct EngineEvent {
    enum class Kind { started, died, oom, health, destroyed, lost, restored } kind = Kind::started;
    std::string container; // its name; empty for lost (the engine went away) and restored (it is back)
    Labels labels;
    int exit_code = 0;
    std::string health;
    std::chrono::system_clock::time_point time{};
};

} // namespace gantry::engine
