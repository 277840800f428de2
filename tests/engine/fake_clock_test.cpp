#include "support/catch.hpp"
#include "support/manual_clock.hpp"
#include "support/run_to_end.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>

#include <string>

using namespace gantry;
using namespace gantry::test;

namespace {

struct ClockWorld {
    asio::io_context io;
    ManualClock clock;
    std::string log;

    awaitable<void> sleep_and_log(std::chrono::nanoseconds duration, char mark)
    {
        co_await clock.sleep_for(duration);
        log += mark;
    }
    void spawn(std::chrono::nanoseconds duration, char mark)
    {
        asio::co_spawn(io, sleep_and_log(duration, mark), [](std::exception_ptr) {});
    }
};

RunLimits impatient()
{
    RunLimits limits;
    limits.patience = 0ms;
    return limits;
}

} // namespace

TEST_CASE("sleepers wake in the order of their times, equal times in the order of their coming", "[fake]")
{
    ClockWorld world;
    world.spawn(3s, 'c');
    world.spawn(1s, 'a');
    world.spawn(3s, 'd');
    world.spawn(2s, 'b');
    settle(world.io);
    REQUIRE(world.clock.sleepers() == 4);

    world.clock.advance(10s);
    settle(world.io);

    CHECK(world.log == "abcd");
    CHECK(world.clock.elapsed() == 10s);
}

TEST_CASE("a clock that nobody moves wakes nobody", "[fake]")
{
    ClockWorld world;
    world.spawn(1s, 'a');
    settle(world.io);

    world.clock.advance(999ms);
    settle(world.io);
    CHECK(world.log.empty());

    world.clock.advance(1ms);
    settle(world.io);
    CHECK(world.log == "a");
}

TEST_CASE("advance_to_next moves to the first sleeper and no further", "[fake]")
{
    ClockWorld world;
    world.spawn(5s, 'a');
    world.spawn(7s, 'b');
    settle(world.io);

    CHECK(world.clock.advance_to_next());
    settle(world.io);
    CHECK(world.log == "a");
    CHECK(world.clock.elapsed() == 5s);

    CHECK(world.clock.advance_to_next());
    settle(world.io);
    CHECK_FALSE(world.clock.advance_to_next());
    CHECK(world.log == "ab");
}

TEST_CASE("a cancelled sleep ends at once with operation_aborted and leaves no sleeper", "[fake]")
{
    ClockWorld world;
    asio::cancellation_signal cancel;
    std::exception_ptr failure;
    asio::co_spawn(world.io, world.sleep_and_log(1h, 'a'),
                   asio::bind_cancellation_slot(cancel.slot(), [&failure](std::exception_ptr f) { failure = f; }));
    settle(world.io);

    cancel.emit(asio::cancellation_type::terminal);
    settle(world.io);

    CHECK(is_cancellation(failure));
    CHECK(world.clock.sleepers() == 0);
    cancel.emit(asio::cancellation_type::terminal); // a late one finds nobody
    settle(world.io);
    CHECK(world.log.empty());
}

TEST_CASE("a sleep that has woken cannot be cancelled into an error any more", "[fake]")
{
    ClockWorld world;
    asio::cancellation_signal cancel;
    std::exception_ptr failure;
    asio::co_spawn(world.io, world.sleep_and_log(1s, 'a'),
                   asio::bind_cancellation_slot(cancel.slot(), [&failure](std::exception_ptr f) { failure = f; }));
    settle(world.io);

    world.clock.advance(1s);
    cancel.emit(asio::cancellation_type::terminal);
    settle(world.io);

    CHECK(world.log == "a");
    CHECK_FALSE(failure);
}

TEST_CASE("run_to_end gives the result and moves the clock only as far as needed", "[fake]")
{
    ClockWorld world;
    const auto task = [](ClockWorld& here) -> awaitable<int> {
        co_await here.sleep_and_log(2s, 'a');
        co_return 42;
    };

    CHECK(run_to_end(world.io, world.clock, task(world)) == 42);
    CHECK(world.clock.elapsed() == 2s);
}

TEST_CASE("run_to_end passes on the exception of its task", "[fake]")
{
    ClockWorld world;
    const auto task = []() -> awaitable<void> {
        throw Error(Errc::denied, "no");
        co_return;
    };

    CHECK_THROWS_WITH(run_to_end(world.io, world.clock, task()), "no");
}

TEST_CASE("a task that nothing can wake is stuck, and what is known is told", "[fake]")
{
    ClockWorld world;
    Signal never(world.io.get_executor());
    auto limits = impatient();
    limits.known = [] { return std::string("container web running"); };

    CHECK_THROWS_WITH(run_to_end(world.io, world.clock, never.wait(), limits),
                      ContainsSubstring("stuck") && ContainsSubstring("container web running"));
}

TEST_CASE("a sleep for ever counts as stuck", "[fake]")
{
    ClockWorld world;
    CHECK_THROWS_WITH(
        run_to_end(world.io, world.clock, world.clock.sleep_until(Clock::time_point::max()), impatient()),
        ContainsSubstring("stuck"));
}

TEST_CASE("a loop that makes no progress ends at the limit of steps", "[fake]")
{
    ClockWorld world;
    const auto task = [](ClockWorld& here) -> awaitable<void> {
        for (;;)
            co_await here.clock.sleep_for(0s);
    };
    RunLimits limits;
    limits.steps = 1000;

    CHECK_THROWS_WITH(run_to_end(world.io, world.clock, task(world), limits), ContainsSubstring("1000 steps"));
    CHECK(world.clock.elapsed() == 0s);
}

TEST_CASE("work on a pool is waited for in real time before a run counts as stuck", "[fake]")
{
    ClockWorld world;
    asio::thread_pool pool(1);
    const auto task = [](asio::thread_pool& on) -> awaitable<int> {
        auto work = [] { return 7; };
        co_return co_await on_pool(on, std::move(work));
    };

    CHECK(run_to_end(world.io, world.clock, task(pool)) == 7);
    pool.join();
}

TEST_CASE("coroutines that still sleep when the clock goes are unwound", "[fake]")
{
    struct Mark {
        bool* gone;
        ~Mark() { *gone = true; }
    };
    bool gone = false;
    {
        ClockWorld world;
        const auto task = [](ClockWorld& here, bool* out) -> awaitable<void> {
            const Mark mark{out};
            co_await here.clock.sleep_for(1h);
        };
        asio::co_spawn(world.io, task(world, &gone), [](std::exception_ptr) {});
        settle(world.io);
        CHECK_FALSE(gone);
    }
    CHECK(gone);
}
