#include "engine/docker/api.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace gantry::engine::docker {

namespace {

Errc code_of(int status)
{
    switch (status) {
    case 400:
    case 406:
    case 411:
    case 413:
        return Errc::bad_input;
    case 401:
    case 403:
        return Errc::denied;
    case 404:
        return Errc::not_found;
    case 405:
    case 501:
        return Errc::unsupported;
    case 408:
    case 429:
    case 502:
    case 503:
    case 504:
        return Errc::unavailable;
    case 409:
        return Errc::conflict;
    default:
        return Errc::internal;
    }
}

struct Situation {
    std::string_view text; // in lower case
    Errc code;
    std::string_view hint;
    std::string_view then = {}; // has to come somewhere behind it

    bool is_told_by(std::string_view lower) const
    {
        const auto found = lower.find(text);
        return found != std::string_view::npos && lower.find(then, found) != std::string_view::npos;
    }
};

constexpr std::string_view k_rate_hint = "the registry limits how often one may ask: sign in (docker login), or wait";

constexpr std::string_view k_taken_hint =
    "something on the engine's host has it already: choose another, or leave it out and the engine picks one";

constexpr std::string_view k_sign_in_hint = "sign in: docker login REGISTRY";

constexpr std::string_view k_name_hint = "check the name and the tag";

constexpr std::string_view k_registry_down_hint = "the registry is in trouble: try again later, or ask those who run it";

constexpr std::string_view k_registry_key_hint =
    "the engine's key for this registry: client.cert and client.key in /etc/docker/certs.d/HOST:PORT on its host have to be a pair";

constexpr std::string_view k_log_driver_hint = "logging: the engine has no such driver; docker info lists those that it has";

constexpr std::string_view k_program_hint = "the image has no such program: see entrypoint, command and shell";

constexpr std::string_view k_user_hint =
    "user: the image's /etc/passwd and /etc/group do not have this name; a number needs no entry there";

constexpr std::string_view k_subnet_hint = "networks: choose an address of the network's subnet, or leave it out and the engine picks one";

constexpr std::string_view k_runtime_hint = "runtime: docker info lists those that the engine has";

constexpr std::string_view k_no_sysctl_hint = "sysctls: the kernel of the engine's host has no such setting";

constexpr std::string_view k_no_address_hint = "ports: the engine's host has no such address";

constexpr std::string_view k_folder_hint = "working_dir: choose a folder; the image has a file there";

constexpr std::string_view k_limit_hint = "resources, pids_limit, device_…: the kernel of the engine's host does not take this value, or not for this device";

constexpr std::string_view k_log_options_hint = "logging: this driver needs that option";

constexpr std::string_view k_dockerfile_hint = "name it: build: { dockerfile: PATH }, from the context";

constexpr std::string_view k_repository_ref_hint = "build.context: the repository has no such branch or tag; write URL#REF:FOLDER";

constexpr std::string_view k_repository_folder_hint = "build.context: FOLDER of URL#REF:FOLDER has to be a folder of the repository";

constexpr std::string_view k_repository_address_hint =
    "build.context: check the address; one that needs credentials is for an earlier step to clone: name the folder then";

constexpr std::string_view k_layers_hint =
    "the image has more layers than the engine can stack (some 125): a last stage of FROM scratch and COPY --from makes one of them";

constexpr std::string_view k_target_hint = "target: it has to be the NAME of a FROM … AS NAME";

constexpr std::array k_situations = {
    Situation{"failed to update store", Errc::unavailable, "the engine is being stopped"},
    Situation{"error downloading remote context", Errc::bad_input, "build.context: see that the engine gets this address"},
    Situation{"no space left on device", Errc::no_space, "make room: gantry prune, or docker system prune"},
    Situation{"disk quota exceeded", Errc::no_space, ""},
    Situation{"http request to an https server", Errc::bad_input, "set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"},
    Situation{"pull access denied", Errc::denied, "if the image exists, sign in: docker login REGISTRY"},
    Situation{"unauthorized", Errc::denied, k_sign_in_hint},
    Situation{"no basic auth credentials", Errc::denied, k_sign_in_hint},
    Situation{"access to the resource is denied", Errc::denied, k_sign_in_hint},
    Situation{"manifest unknown", Errc::not_found, k_name_hint},
    Situation{"no matching manifest for", Errc::not_found, "the image has no variant for this platform"},
    Situation{"max depth exceeded", Errc::bad_input, k_layers_hint},
    Situation{"server gave http response to https client", Errc::bad_input,
              "add the registry to 'insecure-registries' in /etc/docker/daemon.json"},
    Situation{"does not exist locally", Errc::not_found, ""},
    Situation{"tag does not exist: ", Errc::not_found, ""},
    Situation{"cannot locate specified dockerfile", Errc::bad_input, k_dockerfile_hint},
    Situation{"unknown authority", Errc::denied,
              "put the registry's CA where the engine looks: /etc/docker/certs.d/HOST:PORT/ca.crt on its host"},
    Situation{"missing key ", Errc::denied, k_registry_key_hint},
    Situation{"missing client certificate ", Errc::denied, k_registry_key_hint},
    Situation{"failed to find any pem data", Errc::denied, k_registry_key_hint},
    Situation{"private key does not match public key", Errc::denied, k_registry_key_hint},
    Situation{"failed to load x509 key pair", Errc::denied, k_registry_key_hint},
    Situation{"remote error: tls: bad certificate", Errc::denied, k_registry_key_hint},
    Situation{"remote error: tls: certificate required", Errc::denied, k_registry_key_hint},
    Situation{"error parsing http 401", Errc::denied, k_sign_in_hint},
    Situation{"error parsing http 403", Errc::denied, k_sign_in_hint},
    Situation{"error parsing http 404", Errc::not_found, k_name_hint},
    Situation{"error parsing http 429", Errc::unavailable, k_rate_hint},
    Situation{"error parsing http 5", Errc::unavailable, k_registry_down_hint},
    // containerd, which has the images of newer engines.
    Situation{"push access denied", Errc::denied, k_sign_in_hint},
    Situation{"failed to resolve reference", Errc::not_found, k_name_hint, ": not found"},
    Situation{"unexpected status from", Errc::denied, k_sign_in_hint, ": 401 "},
    Situation{"unexpected status from", Errc::denied, k_sign_in_hint, ": 403 "},
    Situation{"unexpected status from", Errc::unavailable, k_rate_hint, ": 429 "},
    Situation{"unexpected status from", Errc::unavailable, k_registry_down_hint, ": 5"},
    Situation{"unexpected http status: 429", Errc::unavailable, k_rate_hint},
    Situation{"toomanyrequests", Errc::unavailable, k_rate_hint},
    Situation{"too many requests", Errc::unavailable, k_rate_hint},
    // Podman has the status 500 for nearly everything.
    Situation{"stat /var/tmp/libpod_builder", Errc::bad_input, k_dockerfile_hint},
    Situation{"was not found in the provided dockerfile", Errc::bad_input, k_target_hint},
    Situation{"container state improper", Errc::conflict, ""},
    Situation{"network not found", Errc::bad_input, ""},
    Situation{"name is already in use", Errc::conflict, ""},
    Situation{"already exists", Errc::conflict, ""},
    Situation{"already used on the host", Errc::bad_input, ""},
    Situation{"unsupported driver", Errc::bad_input, ""},
    Situation{"required plugin missing", Errc::bad_input, ""},
    Situation{"exec format error", Errc::bad_input, "the image is for another architecture, or the file has no #! line"},
    Situation{"failed to initialize logging driver", Errc::bad_input, "logging: the driver cannot work as its options say"},
    Situation{"failed to create endpoint", Errc::internal, "the engine's network is not in order: its log says why, a restart of it may help"},
    Situation{"port is already allocated", Errc::bad_input, k_taken_hint},
    Situation{"starting container process caused", Errc::bad_input, ""},
    Situation{"unable to start container process", Errc::bad_input, ""},
    Situation{"runtime create failed", Errc::bad_input, ""},
    Situation{"container-init binary not found", Errc::unsupported, "Podman needs it: sudo apt-get install catatonit"},
    Situation{"invalid reference format", Errc::bad_input, ""},
    Situation{"non-overlapping ipv4 address pool", Errc::unavailable,
              "the engine has no address range left for networks: docker network prune"},
    Situation{"no such host", Errc::unavailable, k_unreachable_hint},
    Situation{"connection refused", Errc::unavailable, k_unreachable_hint},
    Situation{"connection reset by peer", Errc::unavailable, ""},
    Situation{"i/o timeout", Errc::unavailable, k_unreachable_hint},
    Situation{"tls handshake timeout", Errc::unavailable, ""},
    Situation{"unexpected http status: 5", Errc::unavailable, k_registry_down_hint},
    Situation{"unexpected eof", Errc::unavailable, ""},
    Situation{"network is unreachable", Errc::unavailable, k_unreachable_hint},
    Situation{"client.timeout exceeded", Errc::unavailable, k_unreachable_hint},
    Situation{"context deadline exceeded", Errc::timed_out, k_unreachable_hint}, // the engine has tried several times
    Situation{"request canceled", Errc::unavailable, ""},
    Situation{"filesystem layer verification failed", Errc::unavailable, ""},
};

// What asks for something that the engine or the image does not have, whatever the status says: to Docker, an overlapping
// subnet or an address that is taken is forbidden, a missing driver not found, and a wrong working_dir its own failure.
constexpr std::array k_refusals = {
    Situation{"error looking up volume plugin", Errc::bad_input, "volumes: the engine has no such driver: docker info, docker plugin ls"},
    Situation{"error looking up logging plugin", Errc::bad_input, k_log_driver_hint},
    Situation{"no log driver named", Errc::bad_input, k_log_driver_hint},
    Situation{"unknown log opt", Errc::bad_input, "logging: this driver has no such option"},
    Situation{"must specify a value for log opt", Errc::bad_input, k_log_options_hint},
    Situation{"missing logentries token", Errc::bad_input, k_log_options_hint},
    Situation{"failed to parse com.docker.network", Errc::bad_input, "networks: see its driver_opts"},
    Situation{"this node is not a swarm manager", Errc::bad_input, "networks: this driver needs a swarm; leave driver out"},
    Situation{"invalid option: ", Errc::bad_input, "volumes: this driver has no such option in driver_opts"},
    Situation{"quota size requested but no quota support", Errc::bad_input, "volumes: the engine's disk has no quotas; leave size out of driver_opts"},
    Situation{"failed to mount local volume", Errc::bad_input, "volumes: see the driver_opts of this one"},
    Situation{"pool overlaps with other one", Errc::bad_input, "networks: choose another subnet, or leave it out; docker network ls"},
    Situation{"plugin \"", Errc::bad_input, "networks: the engine has no such driver: docker info, docker plugin ls"},
    Situation{"invalid subnet", Errc::bad_input, "networks: write it as 10.8.0.0/24"},
    Situation{"failed to allocate gateway (): ", Errc::bad_input, "networks: choose a larger subnet"},
    Situation{"non-overlapping ipv6 address pool", Errc::bad_input,
              "networks: give it a subnet of IPv6, too: ipam: { config: [{ subnet: \"fd00:8::/64\" }] }"},
    Situation{"failed to allocate gateway", Errc::bad_input, "networks: the gateway has to be an address of the subnet"},
    Situation{"address already in use", Errc::bad_input, k_taken_hint},
    Situation{"listen ", Errc::bad_input, k_no_address_hint, "cannot assign requested address"},
    Situation{"failed to bind host port", Errc::bad_input, k_no_address_hint, "cannot assign requested address"},
    Situation{"does not belong to any of this network's subnets", Errc::bad_input, k_subnet_hint},
    Situation{"no configured subnet or ip-range contain", Errc::bad_input, k_subnet_hint},
    Situation{"networks with user configured subnets", Errc::bad_input,
              "networks: give the network a subnet, ipam: { config: [{ subnet: 10.8.0.0/24 }] }"},
    Situation{"instance of \"host\" network is allowed", Errc::bad_input, "networks: for the host's own write network_mode: host"},
    Situation{"but it is not a shared", Errc::bad_input,
              "volumes: this propagation needs a shared mount on the engine's host: mount --make-rshared"},
    Situation{"unable to apply caps", Errc::bad_input, "privileged, cap_add: the engine itself may not give these capabilities"},
    Situation{"unable to setup user: stat /dev/", Errc::bad_input, "volumes: choose another target; the container needs the /dev that it has"},
    Situation{"stat /dev/", Errc::bad_input, "device_read_iops, device_write_iops: the engine's host has no such device"},
    Situation{"adding custom device", Errc::bad_input, "devices: the engine's host has no such device"},
    Situation{"failed to init repo", Errc::unsupported, "a context that is an address needs git on the engine's host"},
    Situation{"couldn't find remote ref", Errc::bad_input, k_repository_ref_hint},
    Situation{"fatal: remote branch ", Errc::bad_input, k_repository_ref_hint, " not found in upstream"}, // Podman's clone
    Situation{"/docker-build-git", Errc::bad_input, k_repository_folder_hint, ": no such file or directory"},
    Situation{"error setting git context", Errc::bad_input, k_repository_folder_hint},
    Situation{"fatal: repository '", Errc::bad_input, k_repository_address_hint, "' not found"},
    Situation{"fatal: could not read username for", Errc::bad_input, k_repository_address_hint},
    Situation{"fatal: authentication failed for", Errc::bad_input, k_repository_address_hint},
    Situation{"fatal: unable to access '", Errc::unavailable, "build.context: the repository's host limits how often one may ask", "returned error: 429"},
    Situation{"fatal: unable to access '", Errc::bad_input, "build.context: the engine's host does not trust this host's certificate", "certificate"},
    Situation{"fatal: unable to access '", Errc::bad_input, k_repository_address_hint, "returned error: 4"},
    Situation{"fatal: unable to access '", Errc::unavailable, "build.context: can the engine reach the repository's host?"},
    Situation{"forbidden path outside the build context", Errc::bad_input, "build.dockerfile: choose one of the context"},
    Situation{"executable file not found", Errc::bad_input, k_program_hint},
    Situation{"invoke a command that was not found", Errc::bad_input, k_program_hint},
    Situation{"uids and gids must be in range", Errc::bad_input, "user: choose a number in that range"},
    Situation{"unable to find user", Errc::bad_input, k_user_hint},
    Situation{"unable to find group", Errc::bad_input, k_user_hint},
    Situation{"no matching entries in passwd file", Errc::bad_input, k_user_hint},
    Situation{"no matching entries in group file", Errc::bad_input, k_user_hint},
    Situation{"cannot mkdir", Errc::bad_input, k_folder_hint},
    Situation{"lstat /", Errc::bad_input, "working_dir, volumes: choose another folder; the image has a file on the way there", ": not a directory"},
    Situation{"cannot be mounted because it is", Errc::bad_input, "volumes, tmpfs: choose a target outside of /proc"},
    Situation{"is not directory", Errc::bad_input, "volumes: choose another target; the image has a file there"},
    Situation{"bind source path does not exist", Errc::bad_input, "volumes: create the folder on the engine's host first"},
    Situation{"unknown runtime specified", Errc::bad_input, k_runtime_hint},
    Situation{"unknown or invalid runtime name", Errc::bad_input, k_runtime_hint},
    Situation{"is not in a separate kernel namespace", Errc::bad_input,
              "sysctls: a container has net.*, fs.mqueue.*, kernel.msg*, kernel.shm* and kernel.sem for itself; others are the host's"},
    Situation{"conflicts with the oci \"hostname\" field", Errc::bad_input, "sysctls: write hostname: NAME instead"},
    Situation{"open /proc/sys/", Errc::bad_input, "sysctls: the kernel of the engine's host does not let a container set this", "permission denied"},
    Situation{"open /proc/sys/", Errc::bad_input, k_no_sysctl_hint},
    Situation{"container init", Errc::bad_input, "sysctls: the kernel does not take this value", "write /proc/sys/"},
    Situation{"open sysctl ", Errc::bad_input, k_no_sysctl_hint},
    Situation{"failed to write ", Errc::internal, "the engine's control groups are not in order: its log says why", "/cgroup.procs: "},
    Situation{"failed to write ", Errc::bad_input, k_limit_hint, "/sys/fs/cgroup/"},
    Situation{"get final child's pid from pipe", Errc::bad_input,
              "oom_score_adj and others: the engine itself may not do what this container asks for; its log says more"},
    Situation{"wrong rlimit value", Errc::bad_input, "ulimits: nofile, nproc, core and the others of man 2 getrlimit"},
    Situation{"error setting rlimit", Errc::bad_input, "ulimits: the engine itself may not have that much"},
    Situation{"dockerfile parse error", Errc::bad_input, "see that line of the Dockerfile"},
    Situation{"failed to reach build target", Errc::bad_input, k_target_hint},
    Situation{"target stage \"", Errc::bad_input, k_target_hint},
    Situation{"unknown capability", Errc::bad_input, "cap_add: the engine does not know it; man 7 capabilities lists them"},
    Situation{"range of cpus is from", Errc::bad_input, "cpus: choose a number in that range"},
    Situation{"minimum memory limit", Errc::bad_input, "resources: choose at least that much memory, or leave the limit out"},
    Situation{"invalid signal:", Errc::bad_input, "stop_signal: a name such as SIGTERM, or a number"},
    Situation{"invalid --security-opt", Errc::bad_input, "security_opt: seccomp=…, apparmor=…, label=… or no-new-privileges"},
};

// Who passed the words of a runtime or a network on is of no use to their reader. From the outermost.
constexpr std::array k_messengers = {
    std::string_view("unknown: "),
    std::string_view("failed to set up container networking: "),
    std::string_view("failed to create task for container: "),
    std::string_view("failed to create shim task: "),
    std::string_view("OCI runtime create failed: "),
    std::string_view("runc create failed: "),
    std::string_view("unable to start container process: "),
    std::string_view("error during container init: "),
};

// Podman's "preparing container 8d17… for attach: ".
void take_preparing_off(std::string& message)
{
    constexpr std::string_view k_begin = "preparing container ", k_end = " for attach: ";
    if (const auto end = message.find(k_end); message.starts_with(k_begin) && end != std::string::npos)
        message.erase(0, end + k_end.size());
}

std::string without_messengers(std::string message)
{
    take_preparing_off(message);
    const auto whole_bytes = message.size();
    for (const auto messenger : k_messengers)
        if (message.starts_with(messenger))
            message.erase(0, messenger.size());
    constexpr std::string_view k_no_code = ": unknown";
    if (message.size() < whole_bytes && message.ends_with(k_no_code))
        message.resize(message.size() - k_no_code.size());
    return message;
}

// Docker answers {"message": …}, Podman {"cause": …, "message": …}; a proxy in between may answer anything.
std::string message_of(int status, std::string_view body)
{
    constexpr std::size_t k_limit_bytes = 4000;
    auto value = Json::parse(body, nullptr, false);
    std::string message = value.is_discarded() ? std::string(trim(body)) : text_field(value, "message");
    if (message.empty())
        message = fmt::format("the container engine answered with status {}", status);
    if (message.size() > k_limit_bytes)
        message.resize(k_limit_bytes);
    while (!message.empty() && (message.back() == '\n' || message.back() == '\r'))
        message.pop_back();
    std::replace(message.begin(), message.end(), '\n', ' '); // several errors, a line each
    return message;
}

} // namespace

Error refused(int status, std::string_view body)
{
    const auto message = message_of(status, body);
    const auto lower = to_lower(message);
    for (const auto& refusal : k_refusals)
        if (refusal.is_told_by(lower))
            return Error(refusal.code, without_messengers(message), std::string(refusal.hint));
    // Other statuses say it all, and their messages carry names that users chose.
    const bool ambiguous = status == 500 || (status == 400 && message.find("HTTPS server") != std::string::npos);
    return ambiguous ? engine_error(message, code_of(status)) : Error(code_of(status), without_messengers(message));
}

Error engine_error(const std::string& message, Errc otherwise)
{
    const auto lower = to_lower(message);
    for (const auto& situation : k_situations)
        if (situation.is_told_by(lower))
            return Error(situation.code, without_messengers(message), std::string(situation.hint));
    return Error(otherwise, without_messengers(message));
}

bool limits_rate(const Error& error)
{
    return error.hint() == k_rate_hint;
}

Error pull_refused(int status, std::string_view body)
{
    const auto message = message_of(status, body);
    // Codes of the distribution specification; of an answer without words of its own nothing else is left.
    if (message == "denied" || message.starts_with("denied: "))
        return Error(Errc::denied, message, std::string(k_sign_in_hint));
    if (message == "name unknown" || message.starts_with("name unknown: "))
        return Error(Errc::not_found, message, std::string(k_name_hint));
    return engine_error(message, code_of(status));
}

void check(const Answer& answer)
{
    if (!answer.ok())
        throw refused(answer.status, answer.body);
}

} // namespace gantry::engine::docker
