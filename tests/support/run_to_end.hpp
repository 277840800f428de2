#pragma once

#include "base/async.hpp"
#include "support/manual_clock.hpp"

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace gantry::test {

struct RunLimits {
    std::uint64_t steps = 2'000'000; // handlers run and moves of the clock
    // Real time to wait for what happens outside of the loop (a thread pool) before it counts as stuck.
    std::chrono::milliseconds patience{2000};
    std::function<std::string()> known; // what to tell about a run that is stuck: FakeEngine::describe
};

// Runs what is ready until `done` says so; whenever nothing is, moves the clock to its next sleeper. Throws internal
// "stuck: …" when there is no sleeper either, and "no end after N steps: …".
void drive(asio::io_context& io, ManualClock& clock, const std::function<bool()>& done, const RunLimits& limits = {});
// Runs what is ready now, without moving the clock: how many handlers it was.
std::uint64_t settle(asio::io_context& io);

// The result of `task`, or its exception; driven as by drive(). What it has started beside itself may still be there.
template <typename T>
T run_to_end(asio::io_context& io, ManualClock& clock, awaitable<T> task, const RunLimits& limits = {})
{
    struct Outcome {
        bool ended = false;
        std::exception_ptr failure;
        std::optional<T> value;
    };
    const auto outcome = std::make_shared<Outcome>(); // outlives us if the task is stuck
    asio::co_spawn(io, std::move(task), [outcome](std::exception_ptr failure, T value) {
        outcome->ended = true;
        outcome->failure = failure;
        if (!failure)
            outcome->value.emplace(std::move(value));
    });
    drive(io, clock, [&outcome] { return outcome->ended; }, limits);
    if (outcome->failure)
        std::rethrow_exception(outcome->failure);
    return std::move(*outcome->value);
}

void run_to_end(asio::io_context& io, ManualClock& clock, awaitable<void> task, const RunLimits& limits = {});

} // namespace gantry::test
