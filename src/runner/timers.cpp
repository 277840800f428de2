#include "runner/timers.hpp"

namespace gantry::runner {

Timers::Timers(Clock& clock, TaskGroup& tasks, std::function<void(int)> fired)
    : clock_(clock), tasks_(tasks), fired_(std::move(fired))
{
}

void Timers::arm(int id, Clock::time_point at)
{
    disarm(id);
    const auto timer = std::make_shared<Timer>();
    timers_[id] = timer;
    tasks_.spawn([this, id, at, timer]() { return run(id, at, timer); });
}

// Cancelling may run what waits, which takes the timer out of the map: hold it meanwhile.
void Timers::disarm(int id)
{
    const auto found = timers_.find(id);
    if (found == timers_.end())
        return;
    const auto timer = found->second;
    disarm(*timer);
}

void Timers::disarm_all()
{
    for (const auto& [id, timer] : std::map(timers_))
        disarm(*timer);
}

void Timers::disarm(Timer& timer)
{
    timer.disarmed = true;
    timer.cancel.emit(asio::cancellation_type::terminal);
}

awaitable<void> Timers::run(int id, Clock::time_point at, std::shared_ptr<Timer> timer)
{
    try {
        auto sleep = clock_.sleep_until(at);
        if (!timer->disarmed)
            co_await asio::co_spawn(co_await asio::this_coro::executor, std::move(sleep),
                                    asio::bind_cancellation_slot(timer->cancel.slot(), use_awaitable));
    } catch (const boost::system::system_error&) {
        // disarmed
    }
    const auto found = timers_.find(id);
    if (found != timers_.end() && found->second == timer)
        timers_.erase(found);
    if (!timer->disarmed)
        fired_(id);
}

} // namespace gantry::runner
