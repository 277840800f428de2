#pragma once

#include "base/clock.hpp"
#include "engine/fake/parking.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace gantry::test {

// A clock that moves only when told. Sleepers wake in the order of their times, equal times in the order in which they
// went to sleep; they run when the io_context is next polled. A sleep into the past ends at the next advance, without
// moving time, so that a loop of such sleeps is seen by run_to_end()'s limit.
//
// Declare it after the io_context whose coroutines sleep on it: it goes first.
class ManualClock final : public Clock {
public:
    ManualClock() = default;

    time_point now() const override { return now_; }
    // Starts at 2024-05-01T00:00:00Z and moves with now().
    std::chrono::system_clock::time_point wall() const override;
    awaitable<void> sleep_until(time_point when) override;

    // Moves time and wakes all that are due then, in their order.
    void advance(std::chrono::nanoseconds duration);
    // Moves time to the first sleeper and wakes those that are due then. False if nobody sleeps, or only for ever
    // (until time_point::max()).
    bool advance_to_next();

    std::optional<time_point> next() const;
    std::size_t sleepers() const { return sleepers_.size(); }
    // Since the clock was made.
    std::chrono::nanoseconds elapsed() const { return now_ - k_start; }

private:
    static constexpr time_point k_start{std::chrono::hours(1)};

    void wake_due();

    time_point now_ = k_start;
    std::uint64_t registrations_ = 0;
    engine::Parking<std::pair<time_point, std::uint64_t>> sleepers_;
};

} // namespace gantry::test
