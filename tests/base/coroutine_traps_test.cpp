// One claim per row of the table in docs/dev/async.md, about the form that the table prescribes.
#include "base/async.hpp"
#include "run_on_loop.hpp"
#include "support/catch.hpp"

#include <boost/version.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace gantry;

namespace {

struct Spec {
    std::shared_ptr<int> token;
    std::string name;
};

awaitable<long> count_users(const Spec& spec)
{
    co_await turn();
    co_return spec.token.use_count();
}

awaitable<std::string> next_name()
{
    co_await turn();
    co_return "a name that is too long for the small string";
}

} // namespace

TEST_CASE("an aggregate that is named before it is awaited is destroyed once", "[base]")
{
    const auto token = std::make_shared<int>(0);
    auto body = [&]() -> awaitable<void> {
        const Spec spec{.token = token, .name = "x"};
        const auto users = co_await count_users(spec);
        CHECK(users == 2);
    };

    run_to_end(body());

    CHECK(token.use_count() == 1);
}

TEST_CASE("a closure that is named and moved into a helper is destroyed once", "[base]")
{
    const auto token = std::make_shared<int>(0);
    asio::thread_pool pool(1);
    auto body = [&]() -> awaitable<void> {
        auto work = [copy = token] { return copy.use_count(); };
        const auto users = co_await on_pool(pool, std::move(work));
        CHECK(users == 2);
    };

    run_to_end(body());
    pool.join();

    CHECK(token.use_count() == 1);
}

TEST_CASE("a member that is awaited into a variable first is destroyed once", "[base]")
{
    const auto token = std::make_shared<int>(0);
    auto body = [&]() -> awaitable<void> {
        auto name = co_await next_name();
        const Spec spec{.token = token, .name = std::move(name)};
        CHECK(spec.name.starts_with("a name"));
        co_await turn();
    };

    run_to_end(body());

    CHECK(token.use_count() == 1);
}

TEST_CASE("what is awaited in one branch is destroyed once", "[base]")
{
    const auto token = std::make_shared<int>(0);
    const auto make = [](std::shared_ptr<int> held) -> awaitable<std::vector<std::shared_ptr<int>>> {
        co_await turn();
        co_return std::vector{std::move(held)};
    };
    auto body = [&](bool awaits) -> awaitable<void> {
        std::vector<std::shared_ptr<int>> all;
        if (awaits)
            all = co_await make(token);
        else
            all = std::vector{token};
        CHECK(token.use_count() == 2);
    };

    run_to_end(body(true));
    run_to_end(body(false));

    CHECK(token.use_count() == 1);
}

TEST_CASE("a lambda given to co_spawn without a call keeps its captures", "[base]")
{
    const auto token = std::make_shared<int>(5);
    asio::io_context loop;
    int seen = 0;
    {
        auto body = [copy = token, &seen]() -> awaitable<void> {
            co_await turn();
            seen = *copy;
        };
        asio::co_spawn(loop, std::move(body), [](std::exception_ptr) {});
    }

    loop.run();

    CHECK(seen == 5);
    CHECK(token.use_count() == 1);
}

TEST_CASE("the helpers keep the error that an awaitable operator would lose", "[base]")
{
    auto fail = []() -> awaitable<void> {
        co_await turn();
        throw Error(Errc::denied, "wrong password");
    };

    CHECK_THROWS_WITH(run_to_end(with_deadline(1h, "log in", fail())), "wrong password");
    CHECK_THROWS_WITH(run_to_end(both(fail(), never())), "wrong password");
    CHECK_THROWS_WITH(run_to_end(both(never(), fail())), "wrong password");
}

TEST_CASE("clean-up awaits after a cancel only behind ignore_cancellation", "[base]")
{
    std::vector<std::string> record;
    auto body = [&]() -> awaitable<void> {
        std::exception_ptr failure;
        try {
            co_await never();
        } catch (...) {
            failure = std::current_exception();
        }
        try {
            co_await turn();
        } catch (...) {
            record.push_back("a plain await threw");
        }
        co_await ignore_cancellation();
        co_await with_deadline(1h, "close", turn());
        record.push_back("cleaned up");
        std::rethrow_exception(failure);
    };

    CHECK(is_cancellation(cancel_when_waiting(body())));
    CHECK(record == std::vector<std::string>{"a plain await threw", "cleaned up"});
}

TEST_CASE("a coroutine stops on terminal and does not hear total", "[base]")
{
    bool ended = false;
    auto body = [&]() -> awaitable<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
        co_await timer.async_wait(use_awaitable);
        ended = true;
    };

    CHECK_FALSE(cancel_when_waiting(body(), asio::cancellation_type::total));
    CHECK(ended);
    ended = false;
    CHECK(is_cancellation(cancel_when_waiting(body(), asio::cancellation_type::terminal)));
    CHECK_FALSE(ended);
}

TEST_CASE("Boost is new enough for cancellation slots", "[base]")
{
    CHECK(BOOST_VERSION >= 108100);
}
