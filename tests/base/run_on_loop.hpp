#pragma once

#include "base/async.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace gantry {

// Runs one coroutine on a loop of its own to its end and returns its value or throws its exception. A coroutine that
// has nothing left to wait for, or that takes longer than `limit`, is a failure and not a hang.
template <typename T>
T run_to_end(awaitable<T> op, asio::io_context& loop, std::chrono::seconds limit = std::chrono::seconds(20))
{
    std::exception_ptr failure;
    bool ended = false;
    if constexpr (std::is_void_v<T>) {
        asio::co_spawn(loop, std::move(op), [&](std::exception_ptr e) { failure = e, ended = true; });
        loop.restart();
        loop.run_for(limit);
        if (!ended)
            throw std::logic_error("the coroutine did not end");
        if (failure)
            std::rethrow_exception(failure);
    } else {
        std::optional<T> result;
        auto fill = [](std::optional<T>& out, awaitable<T> inner) -> awaitable<void> {
            out.emplace(co_await std::move(inner));
        };
        run_to_end(fill(result, std::move(op)), loop, limit);
        return std::move(*result);
    }
}

template <typename T>
T run_to_end(awaitable<T> op)
{
    asio::io_context loop;
    return run_to_end(std::move(op), loop);
}

// Waits until it is cancelled.
inline awaitable<void> never()
{
    asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await timer.async_wait(use_awaitable);
}

// Goes once around the loop, so that everything else that is ready runs first.
inline awaitable<void> turn()
{
    co_await asio::post(co_await asio::this_coro::executor, use_awaitable);
}

// Runs `op` until it waits, cancels it, and returns the exception that it ended with, or null.
inline std::exception_ptr cancel_when_waiting(awaitable<void> op,
                                              asio::cancellation_type type = asio::cancellation_type::terminal)
{
    asio::io_context loop;
    asio::cancellation_signal signal;
    std::exception_ptr failure;
    bool ended = false;
    asio::co_spawn(loop, std::move(op), asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e) {
                       failure = e, ended = true;
                   }));
    loop.poll();
    asio::post(loop, [&] { signal.emit(type); });
    loop.restart();
    loop.run_for(std::chrono::seconds(20));
    if (!ended)
        throw std::logic_error("the coroutine did not end");
    return failure;
}

} // namespace gantry
