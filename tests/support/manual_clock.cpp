#include "support/manual_clock.hpp"

#include <algorithm>

namespace gantry::test {

std::chrono::system_clock::time_point ManualClock::wall() const
{
    constexpr std::chrono::seconds k_epoch{1'714'521'600}; // 2024-05-01T00:00:00Z
    return std::chrono::system_clock::time_point(k_epoch) +
           std::chrono::duration_cast<std::chrono::system_clock::duration>(elapsed());
}

awaitable<void> ManualClock::sleep_until(time_point when)
{
    return sleepers_.park({std::max(when, now_), ++registrations_});
}

void ManualClock::advance(std::chrono::nanoseconds duration)
{
    now_ += std::chrono::duration_cast<time_point::duration>(duration);
    wake_due();
}

bool ManualClock::advance_to_next()
{
    const auto when = next();
    if (!when)
        return false;
    now_ = std::max(now_, *when);
    wake_due();
    return true;
}

std::optional<Clock::time_point> ManualClock::next() const
{
    if (sleepers_.empty() || sleepers_.first().first == time_point::max())
        return std::nullopt;
    return sleepers_.first().first;
}

void ManualClock::wake_due()
{
    while (!sleepers_.empty() && sleepers_.first().first <= now_)
        sleepers_.wake_first();
}

} // namespace gantry::test
