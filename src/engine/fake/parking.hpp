#pragma once

#include "base/async.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/error.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

namespace gantry::engine {

// Coroutines that sleep until they are woken by their key; the lower key is woken first. One allocation and one post for
// each sleep, and no exception unless it is cancelled: simulations sleep tens of millions of times. Not movable. Whoever
// destroys it, or drops its sleepers, does so while their executor still exists: their coroutines unwind there.
template <typename Key>
class Parking {
public:
    Parking() = default;
    Parking(const Parking&) = delete;
    Parking& operator=(const Parking&) = delete;

    // Returns after wake(key) or a later wake_through(); throws operation_aborted when cancelled. Keys are used once.
    awaitable<void> park(Key key)
    {
        return asio::async_initiate<const asio::use_awaitable_t<>, void(boost::system::error_code)>(
            [this, key](Handler handler) { enter(key, std::move(handler)); }, use_awaitable);
    }

    bool empty() const { return sleepers_.empty(); }
    std::size_t size() const { return sleepers_.size(); }
    const Key& first() const { return sleepers_.begin()->first; }

    void wake_first() { resume(sleepers_.begin(), {}); }
    void wake_all()
    {
        while (!empty())
            wake_first();
    }
    // Destroys the sleeping coroutines, as when their process ends.
    void drop_all() { std::exchange(sleepers_, {}).clear(); }

private:
    using Handler =
        typename asio::async_result<asio::use_awaitable_t<>, void(boost::system::error_code)>::handler_type;
    using Sleepers = std::map<Key, Handler>;

    void enter(const Key& key, Handler handler)
    {
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected())
            slot.assign([this, key](asio::cancellation_type) {
                const auto found = sleepers_.find(key);
                if (found != sleepers_.end())
                    resume(found, asio::error::operation_aborted);
            });
        sleepers_.emplace(key, std::move(handler));
    }

    void resume(typename Sleepers::iterator sleeper, boost::system::error_code error)
    {
        auto handler = std::move(sleeper->second);
        sleepers_.erase(sleeper);
        const auto executor = asio::get_associated_executor(handler);
        asio::post(executor, [handler = std::move(handler), error]() mutable {
            // Not earlier: the slot's handler may be what is running. The sleeper keeps us alive until here.
            asio::get_associated_cancellation_slot(handler).clear();
            handler(error);
        });
    }

    Sleepers sleepers_;
};

// A Parking whose sleepers all wait for one thing. They wake in the order in which they came, and look for themselves
// whether it is there.
class Waiters {
public:
    awaitable<void> wait() { return parking_.park(++last_); }
    void wake_all() { parking_.wake_all(); }
    void drop_all() { parking_.drop_all(); }
    std::size_t size() const { return parking_.size(); }

private:
    Parking<std::uint64_t> parking_;
    std::uint64_t last_ = 0;
};

} // namespace gantry::engine
