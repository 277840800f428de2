#include "app/interrupt.hpp"

#include <boost/asio/signal_set.hpp>

#include <csignal>

namespace gantry::app {

awaitable<int> until_interrupted(awaitable<void> body)
{
    // Before `body` begins: what comes while it runs up to its first wait is kept for us.
    asio::signal_set signals(co_await asio::this_coro::executor, SIGINT, SIGTERM, SIGHUP);
    int number = 0;
    const auto wait = [&]() -> awaitable<void> { number = co_await signals.async_wait(use_awaitable); };
    co_await first_of(std::move(body), wait());
    co_return number;
}

} // namespace gantry::app
