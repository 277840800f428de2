#include "base/clock.hpp"

#include <algorithm>
#include <ctime>

namespace gantry {

namespace {

class SystemClock final : public Clock {
public:
    time_point now() const override
    {
        timespec time{};
        clock_gettime(CLOCK_BOOTTIME, &time);
        return time_point(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
    }

    std::chrono::system_clock::time_point wall() const override { return std::chrono::system_clock::now(); }

    awaitable<void> sleep_until(time_point when) override
    {
        // Asio's timer runs on CLOCK_MONOTONIC, which stands still while the machine is suspended: look again in time.
        constexpr std::chrono::nanoseconds k_longest = 10s;
        const auto executor = co_await asio::this_coro::executor;
        while (now() < when) {
            asio::steady_timer timer(executor, std::min<std::chrono::nanoseconds>(when - now(), k_longest));
            co_await timer.async_wait(use_awaitable);
        }
    }
};

} // namespace

Clock& system_clock()
{
    static SystemClock clock;
    return clock;
}

} // namespace gantry
