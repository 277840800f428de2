#pragma once

#include "base/error.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

// Helpers around boost::asio coroutines. One io_context on one thread runs all orchestration, so nothing here locks.
// The traps that these helpers and their tests guard against are in docs/dev/async.md.

namespace gantry {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using namespace std::chrono_literals;

// Awaits `op` and adds `doing` to any Error that comes out of it.
template <typename T>
awaitable<T> in_context(std::string doing, awaitable<T> op)
{
    try {
        co_return co_await std::move(op);
    } catch (Error& error) {
        error.add_context(doing);
        throw;
    }
}

// Awaits `op`; after `limit` cancels it, waits for it to unwind, and throws timed_out "<what>: no answer within 30s".
// Cancelling the caller cancels `op`. If `op` fails, its own exception comes out.
awaitable<void> with_deadline(std::chrono::nanoseconds limit, std::string what, awaitable<void> op);

template <typename T>
awaitable<T> with_deadline(std::chrono::nanoseconds limit, std::string what, awaitable<T> op)
{
    std::optional<T> result;
    auto fill = [](std::optional<T>& out, awaitable<T> inner) -> awaitable<void> {
        out.emplace(co_await std::move(inner));
    };
    co_await with_deadline(limit, std::move(what), fill(result, std::move(op)));
    co_return std::move(*result);
}

// Awaits both side by side. If one throws, the other is cancelled, awaited, and the first exception comes out.
awaitable<void> both(awaitable<void> first, awaitable<void> second);

// Awaits until one of the two ends, cancels the other and awaits that, too. The exception of the one that ended first comes
// out; the other's is dropped.
awaitable<void> first_of(awaitable<void> first, awaitable<void> second);

// True if the exception is Asio's operation_aborted or Error{cancelled}.
bool is_cancellation(std::exception_ptr failure);

// `co_await ignore_cancellation();`: from here on the calling coroutine may await although it was cancelled, and it
// cannot be cancelled any more. For clean-up. Without it each await of a cancelled coroutine throws operation_aborted
// before the awaited coroutine has begun.
inline auto ignore_cancellation()
{
    return asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
}

// Awaits `op` to its end even if the caller is cancelled meanwhile; the caller's next await throws then.
awaitable<void> shielded(awaitable<void> op);
// The same with `op` running on another executor.
awaitable<void> shielded(asio::any_io_executor executor, awaitable<void> op);

// Throws operation_aborted if the calling coroutine has been cancelled.
awaitable<void> check_cancellation();

// Runs blocking work on `pool` and resumes on the caller's executor. Name a closure before awaiting:
// `auto work = [..] {..}; co_await on_pool(pool, std::move(work));`. Cannot be cancelled: `work` bounds itself. The pool
// is joined before the loop goes away.
template <typename Work, typename T = std::invoke_result_t<Work&>>
awaitable<T> on_pool(asio::thread_pool& pool, Work work)
{
    // shielded: Asio's own cancellation of a coroutine on another thread is a data race.
    if constexpr (std::is_void_v<T>) {
        auto run = [](Work& inner) -> awaitable<void> {
            inner();
            co_return;
        };
        co_await shielded(pool.get_executor(), run(work));
    } else {
        std::optional<T> result; // co_spawn would default-construct a T after a failure
        auto run = [](Work& inner, std::optional<T>& out) -> awaitable<void> {
            out.emplace(inner());
            co_return;
        };
        co_await shielded(pool.get_executor(), run(work, result));
        co_return std::move(*result);
    }
}

// The same for a caller that may have no pool: without one the work is done at once, on the loop.
template <typename Work, typename T = std::invoke_result_t<Work&>>
awaitable<T> on_pool(asio::thread_pool* pool, Work work)
{
    if (pool)
        co_return co_await on_pool(*pool, std::move(work));
    co_return work();
}

// A condition that coroutines wait for. notify_all() wakes those that wait now; a waiter re-checks its own predicate.
// Single-threaded, like everything on the loop. Not movable: waiters hold its address.
class Signal {
public:
    explicit Signal(asio::any_io_executor executor);
    Signal(const Signal&) = delete;

    void notify_all();
    // Returns after the next notify_all(); throws operation_aborted when cancelled.
    awaitable<void> wait();

    template <typename Predicate>
    awaitable<void> wait_until(Predicate predicate)
    {
        while (!predicate())
            co_await wait();
    }

private:
    asio::steady_timer timer_; // never expires; cancelling it wakes its waiters
};

// Background coroutines with one owner. The first exception that is not a cancellation is kept for join().
// The owner awaits join() or close() before the group goes away: a destructor cannot await. An owner that may have been
// cancelled awaits ignore_cancellation() before close(). All calls are made on the loop.
class TaskGroup {
public:
    explicit TaskGroup(asio::any_io_executor executor);
    TaskGroup(const TaskGroup&) = delete;
    ~TaskGroup(); // asserts that nothing runs any more

    // `task` is a coroutine function object: it is kept alive until its coroutine has ended.
    void spawn(std::function<awaitable<void>()> task);

    // Waits for all; then rethrows the first failure, if any. A cancelled join cancels the tasks and still waits for them.
    awaitable<void> join();
    // Asks all to stop.
    void cancel();
    // cancel(), then waits for all, whatever happens to the caller. Failures of the tasks are dropped.
    awaitable<void> close();

    std::size_t running() const;
    asio::any_io_executor executor() const;

private:
    struct State;
    static awaitable<void> wait_for_all(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

} // namespace gantry
