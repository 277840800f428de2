#include "engine/docker/answers.hpp"
#include "engine/docker/docker_engine.hpp"
#include "engine/docker/pull.hpp" // JsonLines

// What a running container uses.

namespace gantry::engine::docker {

awaitable<void> DockerEngine::watch_use(const std::string& container, std::function<void(const ResourceUse&)> on_use)
{
    co_await api_->connect();
    Request request("GET", container_path(container, "/stats?stream=1"));
    const auto exchange = co_await api_->open(std::move(request), k_limit);
    JsonLines lines;
    ResourceUse last;
    for (;;) {
        const std::string piece = co_await exchange->read();
        if (piece.empty())
            co_return;
        lines.feed(piece);
        while (const auto message = lines.next()) {
            auto use = resource_use(*message);
            if (!use)
                co_return; // it has ended, which a stream of an engine may outlive
            // Of cgroups v2 the engine knows no peak: the highest of what was seen is the best there is.
            use->memory_peak_bytes = std::max(use->memory_peak_bytes, last.memory_peak_bytes);
            last = *use;
            on_use(*use);
        }
    }
}

} // namespace gantry::engine::docker
