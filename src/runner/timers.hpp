#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"

#include <functional>
#include <map>
#include <memory>

namespace gantry::runner {

// Timers by number, on a clock. Each fires once, on the loop, unless it is disarmed before: then it never does, even if its
// time has come already.
class Timers {
public:
    // `tasks` runs them and is joined by its owner, after disarm_all().
    Timers(Clock& clock, TaskGroup& tasks, std::function<void(int)> fired);

    void arm(int id, Clock::time_point at); // in place of an earlier one of that number
    void disarm(int id);
    void disarm_all();

private:
    struct Timer {
        asio::cancellation_signal cancel;
        bool disarmed = false;
    };
    static void disarm(Timer& timer);
    awaitable<void> run(int id, Clock::time_point at, std::shared_ptr<Timer> timer);

    Clock& clock_;
    TaskGroup& tasks_;
    std::function<void(int)> fired_;
    std::map<int, std::shared_ptr<Timer>> timers_;
};

} // namespace gantry::runner
