#include "base/async.hpp"
#include "run_on_loop.hpp"
#include "support/catch.hpp"

#include <boost/system/system_error.hpp>

#include <string>
#include <thread>
#include <vector>

using namespace gantry;

namespace {

awaitable<void> fail(Errc code, std::string what)
{
    co_await turn();
    throw Error(code, std::move(what));
}

awaitable<int> value_after_a_turn(int value)
{
    co_await turn();
    co_return value;
}

// Notes when it is cancelled and again when it has cleaned up.
awaitable<void> clean_up_when_cancelled(std::vector<std::string>& record)
{
    std::exception_ptr failure;
    try {
        co_await never();
    } catch (...) {
        failure = std::current_exception();
    }
    record.push_back("cancelled");
    co_await ignore_cancellation();
    co_await turn();
    co_await turn();
    record.push_back("cleaned up");
    std::rethrow_exception(failure);
}

} // namespace

TEST_CASE("with_deadline returns the value of an operation that is in time", "[base]")
{
    CHECK(run_to_end(with_deadline(10s, "count", value_after_a_turn(7))) == 7);
    CHECK(run_to_end(with_deadline(std::chrono::nanoseconds::max(), "count", value_after_a_turn(7))) == 7);
    CHECK_NOTHROW(run_to_end(with_deadline(10s, "turn", turn())));
}

TEST_CASE("an operation that fails in time keeps its own exception", "[base]")
{
    CHECK_THROWS_WITH(run_to_end(with_deadline(10s, "pull", fail(Errc::denied, "no credentials"))), "no credentials");
}

TEST_CASE("a missed deadline says what was waited for and how long", "[base]")
{
    CHECK_THROWS_WITH(run_to_end(with_deadline(0s, "pull alpine", never())), "pull alpine: no answer within 0ms");
    try {
        run_to_end(with_deadline(1ms, "pull", never()));
        FAIL("no exception");
    } catch (const Error& error) {
        CHECK(error.code() == Errc::timed_out);
    }
}

TEST_CASE("a missed deadline waits until the operation has cleaned up", "[base]")
{
    std::vector<std::string> record;

    CHECK_THROWS_WITH(run_to_end(with_deadline(0s, "stop", clean_up_when_cancelled(record))),
                      ContainsSubstring("no answer"));
    CHECK(record == std::vector<std::string>{"cancelled", "cleaned up"});
}

TEST_CASE("an operation that ends well or fails otherwise while it unwinds has the last word", "[base]")
{
    auto end_well = []() -> awaitable<int> {
        try {
            co_await never();
        } catch (const boost::system::system_error&) {
        }
        co_return 3;
    };
    auto fail_otherwise = []() -> awaitable<void> {
        try {
            co_await never();
        } catch (const boost::system::system_error&) {
        }
        throw Error(Errc::no_space, "disk full");
    };

    CHECK(run_to_end(with_deadline(0s, "x", end_well())) == 3);
    CHECK_THROWS_WITH(run_to_end(with_deadline(0s, "x", fail_otherwise())), "disk full");
}

TEST_CASE("cancelling the caller of with_deadline cancels the operation and is no timeout", "[base]")
{
    std::vector<std::string> record;

    const auto failure = cancel_when_waiting(with_deadline(1h, "stop", clean_up_when_cancelled(record)));

    CHECK(is_cancellation(failure));
    CHECK(record == std::vector<std::string>{"cancelled", "cleaned up"});
}

TEST_CASE("of two nested deadlines the one that passed is named", "[base]")
{
    CHECK_THROWS_WITH(run_to_end(with_deadline(0s, "outer", with_deadline(1h, "inner", never()))),
                      "outer: no answer within 0ms");
    CHECK_THROWS_WITH(run_to_end(with_deadline(1h, "outer", with_deadline(0s, "inner", never()))),
                      "inner: no answer within 0ms");
}

TEST_CASE("in_context puts its phrase in front of an Error and passes values through", "[base]")
{
    CHECK(run_to_end(in_context("count", value_after_a_turn(2))) == 2);
    CHECK_THROWS_WITH(run_to_end(in_context("step build", in_context("pull", fail(Errc::denied, "no")))),
                      "step build: pull: no");
    CHECK(is_cancellation(cancel_when_waiting(in_context("step build", never()))));
}

TEST_CASE("both runs its operations side by side", "[base]")
{
    asio::io_context loop;
    Signal ping(loop.get_executor());
    Signal pong(loop.get_executor());
    std::vector<std::string> record;
    auto first = [&]() -> awaitable<void> {
        co_await ping.wait();
        record.push_back("ping");
        pong.notify_all();
    };
    auto second = [&]() -> awaitable<void> {
        ping.notify_all();
        co_await pong.wait();
        record.push_back("pong");
    };

    run_to_end(both(first(), second()), loop);

    CHECK(record == std::vector<std::string>{"ping", "pong"});
}

TEST_CASE("if one of both fails, the other is cancelled and awaited", "[base]")
{
    std::vector<std::string> record;

    CHECK_THROWS_WITH(run_to_end(both(clean_up_when_cancelled(record), fail(Errc::denied, "no"))), "no");
    CHECK(record == std::vector<std::string>{"cancelled", "cleaned up"});

    CHECK_THROWS_WITH(run_to_end(both(fail(Errc::denied, "no"), never())), "no");
    CHECK_THROWS_WITH(run_to_end(both(fail(Errc::denied, "first"), fail(Errc::denied, "second"))), "first");
}

TEST_CASE("cancelling both cancels each", "[base]")
{
    std::vector<std::string> record;

    const auto failure = cancel_when_waiting(both(clean_up_when_cancelled(record), clean_up_when_cancelled(record)));

    CHECK(is_cancellation(failure));
    CHECK(record.size() == 4);
}

TEST_CASE("first_of ends with the first, after the other has cleaned up", "[base]")
{
    std::vector<std::string> record;

    run_to_end(first_of(clean_up_when_cancelled(record), turn()));
    CHECK(record == std::vector<std::string>{"cancelled", "cleaned up"});

    CHECK_THROWS_WITH(run_to_end(first_of(fail(Errc::denied, "no"), never())), "no");
    CHECK_NOTHROW(run_to_end(first_of(turn(), fail(Errc::denied, "too late"))));
    CHECK(is_cancellation(cancel_when_waiting(first_of(never(), never()))));
}

TEST_CASE("is_cancellation knows Asio's and our own, and nothing else", "[base]")
{
    using boost::system::system_error;
    CHECK(is_cancellation(std::make_exception_ptr(system_error(asio::error::operation_aborted))));
    CHECK(is_cancellation(std::make_exception_ptr(Error(Errc::cancelled, "stop"))));
    CHECK_FALSE(is_cancellation(std::make_exception_ptr(system_error(asio::error::eof))));
    CHECK_FALSE(is_cancellation(std::make_exception_ptr(Error(Errc::timed_out, "late"))));
    CHECK_FALSE(is_cancellation(std::make_exception_ptr(1)));
    CHECK_FALSE(is_cancellation(nullptr));
}

TEST_CASE("a shielded operation ends although its caller is cancelled, and the caller notices afterwards", "[base]")
{
    std::vector<std::string> record;
    auto work = [&]() -> awaitable<void> {
        for (int i = 0; i < 5; ++i)
            co_await turn();
        asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
        co_await timer.async_wait(use_awaitable);
        record.push_back("worked");
    };
    auto caller = [&]() -> awaitable<void> {
        co_await shielded(work());
        record.push_back("resumed");
        co_await turn();
        record.push_back("went on");
    };

    CHECK(is_cancellation(cancel_when_waiting(caller())));
    CHECK(record == std::vector<std::string>{"worked", "resumed"});
}

TEST_CASE("check_cancellation throws only after a cancel", "[base]")
{
    bool reached = false;
    auto body = [&]() -> awaitable<void> {
        co_await check_cancellation();
        reached = true;
        try {
            co_await never();
        } catch (const boost::system::system_error&) {
        }
        co_await check_cancellation();
        reached = false;
    };

    CHECK(is_cancellation(cancel_when_waiting(body())));
    CHECK(reached);
}

TEST_CASE("a signal wakes everybody who waits now and nobody who comes later", "[base]")
{
    asio::io_context loop;
    Signal signal(loop.get_executor());
    int woken = 0;
    auto waiter = [&]() -> awaitable<void> {
        co_await signal.wait();
        ++woken;
    };
    auto body = [&]() -> awaitable<void> {
        signal.notify_all(); // nobody waits yet
        TaskGroup group(co_await asio::this_coro::executor);
        group.spawn(waiter);
        group.spawn(waiter);
        co_await turn();
        CHECK(woken == 0);
        signal.notify_all();
        co_await group.join();
    };

    run_to_end(body(), loop);

    CHECK(woken == 2);
}

TEST_CASE("wait_until returns when its predicate holds, and not before", "[base]")
{
    asio::io_context loop;
    Signal signal(loop.get_executor());
    int value = 0;
    int seen = 0;
    auto waiter = [&]() -> awaitable<void> {
        co_await signal.wait_until([&] { return value >= 2; });
        seen = value;
    };
    auto setter = [&]() -> awaitable<void> {
        for (int i = 0; i < 3; ++i) {
            ++value;
            signal.notify_all();
            co_await turn();
            co_await turn();
        }
    };

    run_to_end(both(waiter(), setter()), loop);

    CHECK(seen == 2);
}

TEST_CASE("a waiter tells a cancel from a notification", "[base]")
{
    bool woken = false;
    auto waiter = [&]() -> awaitable<void> {
        Signal signal(co_await asio::this_coro::executor);
        co_await signal.wait();
        woken = true;
    };

    CHECK(is_cancellation(cancel_when_waiting(waiter())));
    CHECK_FALSE(woken);
}

TEST_CASE("on_pool runs work on another thread and resumes on the loop", "[base]")
{
    asio::thread_pool pool(1);
    const auto loop_thread = std::this_thread::get_id();
    auto body = [&]() -> awaitable<std::string> {
        auto work = [prefix = std::string("long enough to be on the heap, from ")] {
            return std::pair(prefix + "pool", std::this_thread::get_id());
        };
        const auto [text, worker] = co_await on_pool(pool, std::move(work));
        CHECK(worker != loop_thread);
        CHECK(std::this_thread::get_id() == loop_thread);
        co_return text;
    };

    CHECK(run_to_end(body()) == "long enough to be on the heap, from pool");
    pool.join();
}

TEST_CASE("on_pool passes exceptions on and takes results without a default", "[base]")
{
    struct Odd {
        explicit Odd(int number) : value(number) {}
        int value;
    };
    asio::thread_pool pool(1);
    auto refuse = [&]() -> awaitable<void> {
        auto work = [] { throw Error(Errc::not_found, "no such branch"); };
        co_await on_pool(pool, std::move(work));
    };
    auto odd = [&]() -> awaitable<Odd> {
        auto work = [] { return Odd(3); };
        co_return co_await on_pool(pool, std::move(work));
    };

    CHECK_THROWS_WITH(run_to_end(refuse()), "no such branch");
    CHECK(run_to_end(odd()).value == 3);
    pool.join();
}
