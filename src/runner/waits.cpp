#include "runner/waits.hpp"

#include <chrono>

namespace gantry::runner {

namespace {
constexpr auto k_unexplained = std::chrono::seconds(1);
} // namespace

void Waits::Notice::set(std::string what)
{
    if (what.empty() && !told_)
        return;
    if (told_)
        waits_.told_.erase(place_);
    told_ = !what.empty();
    if (told_)
        place_ = waits_.told_.insert(waits_.told_.end(), std::move(what));
    waits_.tell();
}

awaitable<void> Waits::during(std::string what, awaitable<void> op)
{
    Signal never(co_await asio::this_coro::executor);
    const auto explain = [&]() -> awaitable<void> {
        co_await clock_.sleep_for(k_unexplained);
        Notice notice(*this);
        notice.set(std::move(what));
        co_await never.wait_until([] { return false; });
    };
    auto explained = explain();
    co_await first_of(std::move(op), std::move(explained));
}

void Waits::tell()
{
    std::string all;
    for (const auto& what : told_)
        all += (all.empty() ? "" : "; ") + what;
    tell_(std::move(all));
}

} // namespace gantry::runner
