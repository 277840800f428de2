#include "engine/docker/api.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <cstdlib>

namespace gantry::engine::docker {

namespace {

constexpr int k_newest_minor = 47;
constexpr int k_oldest_minor = 41;
constexpr std::size_t k_answer_limit_bytes = 64 * 1024 * 1024;
constexpr auto k_version_limit = 10s;

// The N of "1.N"; 0 for anything else.
int minor_of(const std::string& version)
{
    return version.rfind("1.", 0) == 0 ? std::atoi(version.c_str() + 2) : 0;
}

awaitable<Answer> read_whole(std::shared_ptr<HttpClient> client, const Request& request)
{
    auto answer = co_await client->open(request);
    Answer whole;
    whole.status = answer->status();
    whole.body = co_await answer->read_all(k_answer_limit_bytes);
    co_return whole;
}

std::string name_of(const Request& request)
{
    return fmt::format("container engine: {} {}", request.method, request.target.substr(0, request.target.find('?')));
}

bool is_podman(const Json& version)
{
    for (const auto& component : items_of(field(version, "Components")))
        if (text_field(component, "Name").find("Podman") != std::string::npos)
            return true;
    return false;
}

} // namespace

int negotiate_api_minor(const Json& version)
{
    const auto newest = text_field(version, "ApiVersion");
    const auto oldest = text_field(version, "MinAPIVersion");
    const auto name = fmt::format("the container engine (version {}) speaks API {}", text_field(version, "Version"),
                                  oldest.empty() ? newest : oldest + " to " + newest);
    if (minor_of(newest) < k_oldest_minor)
        throw Error(Errc::unsupported, fmt::format("{}, and gantry needs 1.{}", name, k_oldest_minor),
                    "update it: Docker 20.10 or later");
    if (minor_of(oldest) > k_newest_minor)
        throw Error(Errc::unsupported, fmt::format("{}, and gantry knows up to 1.{}", name, k_newest_minor),
                    "update gantry");
    return std::min(minor_of(newest), k_newest_minor);
}

Api::Api(asio::thread_pool& pool, DockerOptions options) : pool_(pool), options_(std::move(options)) {}

awaitable<Answer> Api::call(Request request, std::chrono::nanoseconds limit)
{
    co_await connect();
    auto name = name_of(request);
    request.target = fmt::format("/v1.{}{}", negotiated_.api_minor, request.target);
    co_return co_await with_deadline(limit, std::move(name), read_whole(client_, request));
}

awaitable<Json> Api::json(Request request, std::chrono::nanoseconds limit)
{
    const auto answer = co_await call(std::move(request), limit);
    check(answer);
    co_return answer.body.empty() ? Json() : parse_json(answer.body);
}

awaitable<void> Api::send(Request request, std::chrono::nanoseconds limit)
{
    const auto answer = co_await call(std::move(request), limit);
    check(answer);
}

awaitable<std::unique_ptr<Exchange>> Api::open_any(Request request, std::chrono::nanoseconds limit)
{
    co_await connect();
    auto name = name_of(request);
    request.target = fmt::format("/v1.{}{}", negotiated_.api_minor, request.target);
    const auto client = client_;
    if (request.stream)
        co_return co_await client->open(request);
    co_return co_await with_deadline(limit, std::move(name), client->open(request));
}

awaitable<std::unique_ptr<Exchange>> Api::open(Request request, std::chrono::nanoseconds limit)
{
    auto name = name_of(request);
    auto answer = co_await open_any(std::move(request), limit);
    if (answer->status() >= 400) {
        const auto body = co_await with_deadline(limit, std::move(name), answer->read_all(k_answer_limit_bytes));
        throw refused(answer->status(), body);
    }
    co_return answer;
}

awaitable<void> Api::ping()
{
    const Request request("GET", "/_ping");
    const auto answer = co_await with_deadline(k_version_limit, name_of(request), read_whole(client_, request));
    check(answer);
}

awaitable<void> Api::connect()
{
    while (!client_) {
        if (connecting_) {
            const auto other = connecting_;
            co_await other->wait();
            continue;
        }
        connecting_ = std::make_shared<Signal>(co_await asio::this_coro::executor);
        std::exception_ptr failure;
        try {
            co_await find_daemon();
        } catch (...) {
            failure = std::current_exception();
        }
        const auto done = std::exchange(connecting_, nullptr);
        done->notify_all();
        if (failure)
            std::rethrow_exception(failure);
    }
}

awaitable<void> Api::find_daemon()
{
    std::optional<Error> failure;
    for (const auto& endpoint : docker_endpoints(options_)) {
        auto client = std::make_shared<HttpClient>(std::make_unique<Connector>(endpoint, pool_));
        const Request request("GET", "/version");
        try {
            const auto answer = co_await with_deadline(k_version_limit, name_of(request), read_whole(client, request));
            check(answer);
            Negotiated found;
            found.version = parse_json(answer.body);
            found.api_minor = negotiate_api_minor(found.version);
            found.podman = is_podman(found.version);
            negotiated_ = std::move(found);
            client_ = std::move(client);
            co_return;
        } catch (const Error& error) {
            if (error.code() != Errc::unavailable && error.code() != Errc::timed_out)
                throw;
            if (!failure)
                failure = error;
        }
    }
    if (!failure)
        throw Error(Errc::unavailable, "no place to look for a container engine is known");
    throw Error(*failure);
}

} // namespace gantry::engine::docker
