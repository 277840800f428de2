#include "engine/docker/docker.hpp"

#include "engine/docker/answers.hpp"
#include "engine/docker/docker_engine.hpp"
#include "engine/docker/pull.hpp" // PullInFlight is complete in the destructor

#include <fmt/format.h>

namespace gantry::engine {

namespace docker {

DockerEngine::DockerEngine(asio::thread_pool& pool, DockerOptions options)
    : api_(std::make_shared<Api>(pool, std::move(options)))
{
}

DockerEngine::~DockerEngine() = default;

Dialect DockerEngine::dialect() const
{
    Dialect dialect;
    dialect.api_minor = api_->negotiated().api_minor;
    dialect.podman = api_->negotiated().podman;
    return dialect;
}

awaitable<EngineInfo> DockerEngine::probe()
{
    constexpr auto k_probe_limit = 10s;
    const Request info_request("GET", "/info");
    const auto info = co_await api_->json(info_request, k_probe_limit);
    auto result = engine_info(api_->negotiated().version, info);
    if (api_->negotiated().podman) {
        result.name = "podman";
        result.id = fmt::format("podman:{}:{}", text_field(info, "Name"), result.root_dir); // its own is another one each time
        result.live_restore = true; // its containers are no children of its service
    }
    result.api_version = fmt::format("1.{}", api_->negotiated().api_minor);
    result.endpoint = api_->connector().endpoint().url;
    result.local = api_->connector().local();
    co_return result;
}

} // namespace docker

std::unique_ptr<Engine> make_docker(asio::thread_pool& pool, DockerOptions options)
{
    return std::make_unique<docker::DockerEngine>(pool, std::move(options));
}

} // namespace gantry::engine
