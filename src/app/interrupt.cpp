#include "app/interrupt.hpp"

#include <boost/asio/signal_set.hpp>

#include <csignal>

namespace gantry::app {

awaitable<int> until_interrupted(awaitable<void> body)
{
    const auto wait = [](int& into) -> awaitable<void> {
        asio::signal_set signals(co_await asio::this_coro::executor, SIGINT, SIGTERM, SIGHUP);
        into = co_await signals.async_wait(use_awaitable);
    };
    int number = 0;
    auto signal = wait(number);
    co_await first_of(std::move(body), std::move(signal));
    co_return number;
}

} // namespace gantry::app
