#include "engine/docker/api.hpp"

#include "support/catch.hpp"

#include <nlohmann/json.hpp>

// What engines answer, in their words (dockerd 20.10 to 28, Podman 4 and 5), and what we make of it.

using namespace gantry;
using namespace gantry::engine::docker;

namespace {

struct Row {
    int status;
    std::string words; // of the engine
    Errc code;
    std::string hint;  // a part of ours; empty: there is none
};

Error told(const Row& row)
{
    const nlohmann::json body{{"message", row.words}};
    return refused(row.status, body.dump());
}

void check_rows(const std::vector<Row>& rows)
{
    for (const auto& row : rows) {
        INFO(row.words);
        const auto error = told(row);
        CHECK(error.code() == row.code);
        CHECK(error.hint().empty() == row.hint.empty());
        CHECK_THAT(error.hint(), ContainsSubstring(row.hint));
    }
}

} // namespace

TEST_CASE("docker's words: what a file asks for and the engine's host does not have", "[engine]")
{
    check_rows({
        {404, R"(create v: error looking up volume plugin nfs2: plugin "nfs2" not found)", Errc::bad_input, "volumes: the engine has no such driver"},
        {404, "error looking up logging plugin loki: plugin \"loki\" not found", Errc::bad_input, "logging: the engine has no such driver"},
        {400, "logger: no log driver named 'loki' is registered", Errc::bad_input, "logging: the engine has no such driver"},
        {400, "unknown log opt 'max-sizes' for json-file log driver", Errc::bad_input, "no such option"},
        {500, "failed to initialize logging driver: dial unix /nowhere: no such file or directory", Errc::bad_input, "logging:"},
        {500, "Address 10.1.0.9 does not belong to any of this network's subnets", Errc::bad_input, "an address of the network's subnet"},
        {500, "failed to create endpoint a on network n: operation not supported", Errc::internal, "a restart of it may help"},
        {500, "failed to parse com.docker.network.bridge.enable_icc value", Errc::bad_input, "driver_opts"},
        {403, "This node is not a swarm manager. Use \"docker swarm init\"", Errc::bad_input, "needs a swarm"},
        {500, "error while mounting volume '/v': failed to mount local volume: mount /nowhere:/v: no such device", Errc::bad_input, "driver_opts"},
        {403, "Pool overlaps with other one on this address space", Errc::bad_input, "another subnet"},
        {404, "plugin \"weave\" not found", Errc::bad_input, "networks: the engine has no such driver"},
        {400, "invalid subnet 10.0.0.1/24: it should be 10.0.0.0/24", Errc::bad_input, "10.8.0.0/24"},
        {500, "failed to allocate gateway (10.9.0.1): No matching IP address pool", Errc::bad_input, "gateway"},
        {403, "Address already in use", Errc::bad_input, "something on the engine's host has it already"},
        {400, "user specified IP address is supported only when connecting to networks with user configured subnets", Errc::bad_input, "ipam:"},
        {500, "no configured subnet or ip-range contain the IP address 10.1.0.9", Errc::bad_input, "an address of the network's subnet"},
        {500, "could not find an available, non-overlapping IPv4 address pool among the defaults", Errc::unavailable, "docker network prune"},
        {500, "driver failed programming external connectivity on endpoint a: Bind for 0.0.0.0:80 failed: port is already allocated", Errc::bad_input,
         "something on the engine's host has it already"},
        {403, "only one instance of \"host\" network is allowed", Errc::bad_input, "network_mode: host"},
        {400, "OCI runtime create failed: path /h is mounted on / but it is not a shared or slave mount", Errc::bad_input, "propagation"},
        {400, "OCI runtime create failed: unable to start container process: unable to apply caps: operation not permitted", Errc::bad_input, "cap_add"},
        {500, "stat /dev/sdz: no such file or directory", Errc::bad_input, "device_read_iops"},
        {500, "unable to setup user: stat /dev/null: no such file or directory", Errc::bad_input, "another target"},
        {400, "must specify a value for log opt 'awslogs-group'", Errc::bad_input, "needs that option"},
        {500, "Missing logentries token", Errc::bad_input, "needs that option"},
        {500, "driver failed programming external connectivity: listen tcp4 10.1.2.3:80: bind: cannot assign requested address", Errc::bad_input,
         "no such address"},
        {500, "failed to initialize logging driver: dial tcp [::1]:24224: connect: cannot assign requested address", Errc::bad_input, "logging:"},
        {500, "failed to allocate gateway (): No available addresses on this pool", Errc::bad_input, "a larger subnet"},
        {500, "could not find an available, non-overlapping IPv6 address pool among the defaults", Errc::bad_input, "of IPv6"},
        {500, "invalid option: \"bogus\"", Errc::bad_input, "no such option"},
        {500, "quota size requested but no quota support", Errc::bad_input, "no quotas"},
        {400, "failed to write \"1:3 1\": write /sys/fs/cgroup/blkio/x: no such device", Errc::bad_input, "does not take this value"},
        {400, "failed to write 4711: write /sys/fs/cgroup/x/cgroup.procs: operation not supported", Errc::internal, "control groups"},
        {400, "can't get final child's PID from pipe: EOF", Errc::bad_input, "oom_score_adj"},
        {500, "error gathering device information while adding custom device \"/dev/kvm2\": no such file or directory", Errc::bad_input, "devices:"},
        {400, "invalid mount config for type \"bind\": bind source path does not exist: /nowhere", Errc::bad_input, "create the folder"},
        {400, "Unknown runtime specified kata", Errc::bad_input, "runtime:"},
        {400, "unknown or invalid runtime name: kata", Errc::bad_input, "runtime:"},
        {400, "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available", Errc::bad_input, "in that range"},
        {400, "Minimum memory limit allowed is 6MB", Errc::bad_input, "at least that much memory"},
        {400, "Invalid signal: SIGFOO", Errc::bad_input, "stop_signal:"},
        {400, "invalid --security-opt 2: \"foo\"", Errc::bad_input, "security_opt:"},
        {500, "invalid CapAdd: unknown capability: \"CAP_ALL_OF_IT\"", Errc::bad_input, "cap_add:"},
    });
}

TEST_CASE("docker's words: what the image does not have", "[engine]")
{
    const std::string task = "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: ";
    const std::string start = task + "unable to start container process: ";
    check_rows({
        {400, start + "exec: \"nope\": executable file not found in $PATH: unknown", Errc::bad_input, "no such program"},
        {127, "crun: executable file `nope` not found in $PATH: OCI runtime attempted to invoke a command that was not found", Errc::bad_input,
         "no such program"},
        {400, "unable to find user nobody2: no matching entries in passwd file", Errc::bad_input, "user:"},
        {400, "unable to find group staff2: no matching entries in group file", Errc::bad_input, "user:"},
        {500, "cannot mkdir: /etc/passwd is not a directory", Errc::bad_input, "working_dir:"},
        {500, "source \"/v\" is not directory", Errc::bad_input, "another target"},
        {400, task + "sysctl \"kernel.pid_max\" is not in a separate kernel namespace: unknown", Errc::bad_input, "sysctls:"},
        {400, start + "error during container init: open /proc/sys/net/nope: no such file or directory", Errc::bad_input, "sysctls:"},
        {400, start + "error during container init: open sysctl net.nope: no such file", Errc::bad_input, "sysctls:"},
        {400, start + "error during container init: open /proc/sys/net/core/rmem_max: permission denied", Errc::bad_input, "does not let a container"},
        {400, start + "error during container init: write /proc/sys/net/ipv4/ip_forward: invalid argument", Errc::bad_input, "does not take this value"},
        {400, task + "sysctl \"kernel.hostname\" is not allowed as it conflicts with the OCI \"hostname\" field", Errc::bad_input, "hostname: NAME"},
        {400, "\"/m/merged/proc\" cannot be mounted because it is not of type proc", Errc::bad_input, "outside of /proc"},
        {500, "lstat /m/merged/etc/passwd/x: not a directory", Errc::bad_input, "working_dir, volumes:"},
        {500, "uids and gids must be in range 0-2147483647", Errc::bad_input, "user:"},
        {400, task + "wrong rlimit value: RLIMIT_NOPE", Errc::bad_input, "ulimits:"},
        {400, start + "error during container init: error setting rlimit type 7: operation not permitted", Errc::bad_input, "ulimits:"},
        {500, start + "exec /a: exec format error", Errc::bad_input, "another architecture"},
        {500, "OCI runtime create failed: container_linux.go:380: starting container process caused: something new", Errc::bad_input, ""},
        {500, start + "something new", Errc::bad_input, ""},
    });
    CHECK(told({400, start + "exec: \"nope\": executable file not found in $PATH: unknown", {}, {}}).what() ==
          std::string("exec: \"nope\": executable file not found in $PATH"));
}

TEST_CASE("docker's words: builds", "[engine]")
{
    check_rows({
        {400, "dockerfile parse error line 3: unknown instruction: RUNN", Errc::bad_input, "that line"},
        {400, "failed to reach build target nope in Dockerfile", Errc::bad_input, "AS NAME"},
        {400, "target stage \"nope\" could not be found", Errc::bad_input, "AS NAME"},
        {500, "stage nope was not found in the provided Dockerfile", Errc::bad_input, "AS NAME"},
        {500, "Cannot locate specified Dockerfile: nope", Errc::bad_input, "build: { dockerfile: PATH }"},
        {500, "stat /var/tmp/libpod_builder123/build/nope: no such file or directory", Errc::bad_input, "build: { dockerfile: PATH }"},
        {500, "failed to init repo at /tmp: exec: \"git\": executable file not found in $PATH", Errc::unsupported, "needs git"},
    });
}

TEST_CASE("docker's words: registries", "[engine]")
{
    check_rows({
        {500, "pull access denied for a, repository does not exist or may require 'docker login'", Errc::denied, "docker login"},
        {500, "no basic auth credentials", Errc::denied, "docker login"},
        {500, "error parsing HTTP 401 response body: no error details found", Errc::denied, "docker login"},
        {500, "error parsing HTTP 403 response body: no error details found", Errc::denied, "docker login"},
        {500, "error parsing HTTP 404 response body: invalid character 'p'", Errc::not_found, "the name and the tag"},
        {500, "error parsing HTTP 429 response body: invalid character 'T'", Errc::unavailable, "limits how often"},
        {500, "error parsing HTTP 502 response body: unexpected end of JSON input", Errc::unavailable, "in trouble"},
        {500, "received unexpected HTTP status: 429 Too Many Requests", Errc::unavailable, "limits how often"},
        {500, "received unexpected HTTP status: 503 Service Unavailable", Errc::unavailable, "in trouble"},
        {500, "Too many requests", Errc::unavailable, "limits how often"},
        {500, "toomanyrequests: You have reached your pull rate limit.", Errc::unavailable, "limits how often"},
        {500, "failed to register layer: max depth exceeded", Errc::bad_input, "more layers than the engine can stack"},
        {500, "no matching manifest for linux/s390x in the manifest list entries", Errc::not_found, "no variant for this platform"},
        {500, "error pulling image configuration: unexpected EOF", Errc::unavailable, ""},
        {500, "tag does not exist: a/b:1", Errc::not_found, ""},
        {500, "missing key client.key for client certificate client.cert", Errc::denied, "client.cert and client.key"},
        {500, "missing client certificate client.cert for key client.key", Errc::denied, "client.cert and client.key"},
        {500, "tls: failed to find any PEM data in certificate input", Errc::denied, "client.cert and client.key"},
        {500, "tls: private key does not match public key", Errc::denied, "client.cert and client.key"},
        {500, "failed to load X509 key pair: open /etc/docker/certs.d/r:1/client.key: no such file", Errc::denied, "client.cert and client.key"},
        {500, "Get \"https://r:1/v2/\": remote error: tls: bad certificate", Errc::denied, "client.cert and client.key"},
        {500, "Get \"https://r:1/v2/\": remote error: tls: certificate required", Errc::denied, "client.cert and client.key"},
        {500, "Get \"https://r:1/v2/\": dial tcp 10.0.0.1:1: i/o timeout", Errc::unavailable, "gets there"},
        {500, "Get \"https://r:1/v2/\": net/http: TLS handshake timeout", Errc::unavailable, ""},
        {500, "Get \"https://r:1/v2/\": dial tcp: lookup r: no such host", Errc::unavailable, "gets there"},
        {500, "Get \"https://r:1/v2/\": dial tcp 10.0.0.1:1: connect: connection refused", Errc::unavailable, "gets there"},
        {500, "Get \"https://r:1/v2/\": dial tcp 10.0.0.1:1: connect: network is unreachable", Errc::unavailable, "gets there"},
        {500, "Get \"https://r:1/v2/\": read tcp 10.0.0.1:1: connection reset by peer", Errc::unavailable, ""},
        {500, "Get \"https://r:1/v2/\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)", Errc::unavailable, "gets there"},
        {500, "Get \"https://r:1/v2/\": net/http: request canceled while waiting for connection", Errc::unavailable, ""},
        {500, "filesystem layer verification failed for digest sha256:ab", Errc::unavailable, ""},
        {500, "invalid reference format", Errc::bad_input, ""},
    });
}

TEST_CASE("docker's words: the disk, the connection, and Podman's 500", "[engine]")
{
    check_rows({
        {500, "write /var/lib/docker/tmp/a: no space left on device", Errc::no_space, "gantry prune"},
        {500, "write /var/lib/docker/tmp/a: disk quota exceeded", Errc::no_space, ""},
        {400, "Client sent an HTTP request to an HTTPS server.", Errc::bad_input, "DOCKER_TLS_VERIFY=1"},
        {500, "container state improper", Errc::conflict, ""},
        {500, "unable to find network with name or ID n: network not found", Errc::bad_input, ""},
        {500, "creating container storage: the container name \"a\" is already in use by b: that name is already in use", Errc::conflict, ""},
        {500, "subnet 10.0.0.0/24 is already used on the host or by another config", Errc::bad_input, ""},
        {500, "unsupported driver weave: invalid argument", Errc::bad_input, ""},
        {500, "no volume plugin with name nfs2: required plugin missing", Errc::bad_input, ""},
        {500, "container-init binary not found on the host: stat /usr/libexec/podman/catatonit", Errc::unsupported, "catatonit"},
    });
}

TEST_CASE("docker's words: what a user named himself is not taken for the engine's", "[engine]")
{
    check_rows({
        {404, "No such image: no-space-left:manifest unknown", Errc::not_found, ""},
        {409, "Conflict. The container name \"/unauthorized\" is in use", Errc::conflict, ""},
    });
}
