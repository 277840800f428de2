#include "engine/docker/docker_engine.hpp"
#include "engine/docker/pull.hpp" // JsonLines
#include "engine/docker/use_meter.hpp"

// What a running container uses.

namespace gantry::engine::docker {

awaitable<void> DockerEngine::watch_use(const std::string& container, std::function<void(const ResourceUse&)> on_use)
{
    Request request("GET", container_path(container, "/stats?stream=1"));
    std::unique_ptr<Exchange> exchange;
    try {
        exchange = co_await api_->open(std::move(request), k_limit);
    } catch (const Error& error) {
        if (error.code() != Errc::conflict) // Podman's word for a container that does not run
            throw;
        co_return;
    }
    JsonLines lines;
    UseMeter meter;
    for (;;) {
        const std::string piece = co_await exchange->read();
        if (piece.empty())
            co_return;
        lines.feed(piece);
        while (const auto message = lines.next()) {
            const auto use = meter.add(*message);
            if (!use)
                co_return; // it has ended, which Docker's stream outlives
            on_use(*use);
        }
    }
}

} // namespace gantry::engine::docker
