#pragma once

#include "engine/docker/http.hpp"
#include "engine/docker/json.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace gantry::engine::docker {

struct Answer {
    int status = 0;
    std::string body;
    bool ok() const { return status >= 200 && status < 400; }
};

// What the daemon said about itself when the version was negotiated.
struct Negotiated {
    int api_minor = 0;       // the N of "1.N" that we speak
    bool podman = false;
    Json version;            // the answer of GET /version
};

// Of a registry nearly always; whoever is behind a plugin or a log driver is reached, or not, in the same words.
inline constexpr std::string_view k_unreachable_hint = "see that the name and the port are right and that the engine's host gets there";

// The error for a refused request: the daemon's own message, and what the caller can do about it.
Error refused(int status, std::string_view body);
// The same for a message that comes without a status or with one that means nothing (Docker answers 500 for much that is
// no fault of its own): what is known by its text, and `otherwise` for the rest. The one place where text is looked at.
Error engine_error(const std::string& message, Errc otherwise);
// An engine_error() of a registry that wants to be asked less often.
bool limits_rate(const Error& error);
// The error for a refused pull or push: there too the status means little, and the text decides.
Error pull_refused(int status, std::string_view body);
// Throws refused() unless the answer is a success.
void check(const Answer& answer);

// The minor version to speak with a daemon that offers [min, max]; throws unsupported when there is none in common.
int negotiate_api_minor(const Json& version);

// The Engine API of one daemon: finds it at the first call, agrees on a version, and puts that in front of each path.
class Api {
public:
    Api(asio::thread_pool& pool, DockerOptions options);

    // The whole answer, whatever its status.
    awaitable<Answer> call(Request request, std::chrono::nanoseconds limit);
    // The same, but throws refused().
    awaitable<void> send(Request request, std::chrono::nanoseconds limit);
    // The same, and reads the body as JSON (null if there is none).
    awaitable<Json> json(Request request, std::chrono::nanoseconds limit);
    // The header of an answer, whatever its status; its body is read by the caller. A streamed request has no limit but
    // those of HttpClient.
    awaitable<std::unique_ptr<Exchange>> open_any(Request request, std::chrono::nanoseconds limit);
    // The same, but throws refused().
    awaitable<std::unique_ptr<Exchange>> open(Request request, std::chrono::nanoseconds limit);

    // Asks for the version if that has not happened. 10 s per endpoint.
    awaitable<void> connect();
    // After connect().
    const Negotiated& negotiated() const { return negotiated_; }
    const Connector& connector() const { return client_->connector(); }
    asio::thread_pool& pool() { return pool_; }
    const DockerOptions& options() const { return options_; }
    // Whether the daemon that we talk to still answers. Throws unavailable if not.
    awaitable<void> ping();

private:
    awaitable<void> find_daemon();

    asio::thread_pool& pool_;
    DockerOptions options_;
    std::shared_ptr<HttpClient> client_;
    std::shared_ptr<Signal> connecting_;
    Negotiated negotiated_;
};

} // namespace gantry::engine::docker
