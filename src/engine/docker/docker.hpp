#pragma once

#include "engine/engine.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gantry::engine {

// Where a Docker-compatible daemon is asked for. Empty fields mean "not given".
struct DockerOptions {
    std::string host;        // unix:///path, tcp://host:port, http(s)://…; from --engine-host
    std::string docker_host; // $DOCKER_HOST
    std::string tls_verify;  // $DOCKER_TLS_VERIFY
    std::string cert_path;   // $DOCKER_CERT_PATH
    std::string context;     // $DOCKER_CONTEXT
    std::string config_dir;  // $DOCKER_CONFIG or ~/.docker: config.json (contexts, credentials)
    std::string runtime_dir; // $XDG_RUNTIME_DIR, for rootless sockets
    std::chrono::milliseconds retry_delay{500}; // before the second try of a pull or push; doubles with each further one
    std::chrono::milliseconds silence_limit{120'000}; // how long a pull or push may say nothing
    std::chrono::milliseconds creation_limit{60'000}; // how long it may take to create a container, a network or a volume
};
DockerOptions docker_options_from_environment();

// The places that are tried, in order: host, DOCKER_HOST, the current context, the default sockets of Docker, of rootless
// Docker and of Podman (only the first group that is given counts). For messages and `gantry doctor`. Throws bad_input for a
// context that does not exist.
struct DockerEndpoint {
    std::string url;
    std::string source; // "--engine-host", "DOCKER_HOST", "context 'remote'", "default"
    std::string ca_file, cert_file, key_file; // TLS
    bool tls = false;
    bool verify = true; // the daemon's certificate; false only by a context's SkipTLSVerify
};
std::vector<DockerEndpoint> docker_endpoints(const DockerOptions& options);

// The Docker Engine API, 1.41 or later, over a unix socket, TCP or TCP with TLS; also Podman's service. Connects lazily:
// the first call tries the endpoints. `pool` runs credential helpers and looks up names.
std::unique_ptr<Engine> make_docker(asio::thread_pool& pool, DockerOptions options);

} // namespace gantry::engine
