#include "support/run_to_end.hpp"

namespace gantry::test {

namespace {

[[noreturn]] void give_up(std::string why, const ManualClock& clock, const RunLimits& limits)
{
    why += ", " + std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(clock.elapsed()).count()) +
           " ms on the clock, " + std::to_string(clock.sleepers()) + " sleepers";
    if (limits.known)
        why += "\n" + limits.known();
    throw Error(Errc::internal, why);
}

// True if something came from outside within the patience.
bool wait_for_outside(asio::io_context& io, const RunLimits& limits)
{
    io.restart();
    return limits.patience.count() > 0 && io.run_one_for(limits.patience) > 0;
}

} // namespace

std::uint64_t settle(asio::io_context& io)
{
    io.restart();
    return io.poll();
}

void drive(asio::io_context& io, ManualClock& clock, const std::function<bool()>& done, const RunLimits& limits)
{
    for (std::uint64_t steps = 0; !done(); ++steps) {
        if (steps == limits.steps)
            give_up("no end after " + std::to_string(steps) + " steps", clock, limits);
        io.restart();
        if (io.poll_one() == 0 && !clock.advance_to_next() && !wait_for_outside(io, limits))
            give_up("stuck: nothing is ready and nobody sleeps", clock, limits);
    }
}

void run_to_end(asio::io_context& io, ManualClock& clock, awaitable<void> task, const RunLimits& limits)
{
    struct Outcome {
        bool ended = false;
        std::exception_ptr failure;
    };
    const auto outcome = std::make_shared<Outcome>();
    asio::co_spawn(io, std::move(task), [outcome](std::exception_ptr failure) {
        outcome->ended = true;
        outcome->failure = failure;
    });
    drive(io, clock, [&outcome] { return outcome->ended; }, limits);
    if (outcome->failure)
        std::rethrow_exception(outcome->failure);
}

} // namespace gantry::test
