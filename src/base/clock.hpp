#pragma once

#include "base/async.hpp"

#include <chrono>

namespace gantry {

// Where time comes from. Tests move their own; nothing in pipeline/, runner/ or engine/ asks the system directly.
class Clock {
public:
    using time_point = std::chrono::steady_clock::time_point;

    virtual ~Clock() = default;
    // Monotonic; for durations, deadlines and leases. Counts time spent suspended (CLOCK_BOOTTIME).
    virtual time_point now() const = 0;
    // For what people read; may jump.
    virtual std::chrono::system_clock::time_point wall() const = 0;
    // Returns at `when`; throws operation_aborted when cancelled.
    virtual awaitable<void> sleep_until(time_point when) = 0;

    awaitable<void> sleep_for(std::chrono::nanoseconds duration)
    {
        return sleep_until(now() + std::chrono::duration_cast<time_point::duration>(duration));
    }
};

// The machine's clock. Lives as long as the program.
Clock& system_clock();

} // namespace gantry
