#pragma once

#include "base/async.hpp"
#include "engine/docker/json.hpp"
#include "engine/spec.hpp"

#include <chrono>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace gantry::engine::docker {

// JSON values that come one per line, in any pieces (application/x-ndjson).
class JsonLines {
public:
    void feed(std::string_view bytes) { pending_ += bytes; }
    // Throws internal for a line of more than a megabyte or one that is no JSON.
    std::optional<Json> next();

private:
    std::string pending_;
    std::size_t searched_ = 0;
};

// Adds up the messages of POST /images/create.
class PullMeter {
public:
    explicit PullMeter(std::string image) : image_(std::move(image)) {}

    void add(const Json& message);
    PullProgress progress() const;
    // The daemon's words, once it has reported a failure.
    const std::string& error() const { return error_; }

private:
    struct Layer {
        std::uint64_t bytes_total = 0, bytes_done = 0;
        bool done = false;
    };
    std::string image_;
    std::map<std::string, Layer> layers_;
    std::string error_;
};

// How often a registry that does not answer is asked.
inline constexpr int k_registry_tries = 5;
// Before the next try, after `attempt` of them: doubles with each, and varies by half, so that many runners do not come back
// at the same moment.
std::chrono::nanoseconds retry_pause(int attempt, std::chrono::nanoseconds first);

// The same error for a registry that is silent for `limit`, wherever the engine, which waits for it, was asked or read: timed_out
// with the registry's name.
[[noreturn]] void throw_silent(const std::string& registry, std::chrono::nanoseconds limit);

// `op` with throw_silent() in the place of its own timed_out.
template <typename T> awaitable<T> from_registry(std::string registry, std::chrono::nanoseconds limit, awaitable<T> op)
{
    try {
        co_return co_await std::move(op);
    } catch (const Error& error) {
        if (error.code() != Errc::timed_out)
            throw;
    }
    throw_silent(registry, limit);
}

// One pull, and everybody who waits for it. Led by one of them; if that one is cancelled, by the next.
struct PullInFlight {
    explicit PullInFlight(asio::any_io_executor executor) : changed(std::move(executor)) {}

    using Listener = std::function<void(const PullProgress&)>;
    std::list<Listener> listeners;
    Signal changed;
    bool led = false;
    std::optional<ImageInfo> result;
    std::exception_ptr failure;
};

} // namespace gantry::engine::docker
