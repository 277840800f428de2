#include "base/async.hpp"
#include "run_on_loop.hpp"
#include "support/catch.hpp"

#include <csignal>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using namespace gantry;

namespace {

// Runs `body` with a group on its loop.
template <typename Body>
void with_group(Body body)
{
    auto run = [&]() -> awaitable<void> {
        TaskGroup group(co_await asio::this_coro::executor);
        co_await body(group);
    };
    run_to_end(run());
}

} // namespace

TEST_CASE("join waits for all tasks, also for one that ends at once", "[base]")
{
    int ended = 0;
    with_group([&](TaskGroup& group) -> awaitable<void> {
        group.spawn([&]() -> awaitable<void> {
            ++ended;
            co_return;
        });
        group.spawn([&]() -> awaitable<void> {
            co_await turn();
            co_await turn();
            ++ended;
        });
        co_await group.join();
        CHECK(group.running() == 0);
    });
    CHECK(ended == 2);
}

TEST_CASE("join of an empty group returns at once, and a group can be used again", "[base]")
{
    int ended = 0;
    with_group([&](TaskGroup& group) -> awaitable<void> {
        co_await group.join();
        for (int i = 0; i < 3; ++i) {
            group.spawn([&]() -> awaitable<void> {
                co_await turn();
                ++ended;
            });
            co_await group.join();
        }
    });
    CHECK(ended == 3);
}

TEST_CASE("join throws the first failure after all tasks have ended", "[base]")
{
    std::vector<std::string> record;
    with_group([&](TaskGroup& group) -> awaitable<void> {
        group.spawn([]() -> awaitable<void> {
            co_await turn();
            throw Error(Errc::denied, "first");
        });
        group.spawn([]() -> awaitable<void> {
            co_await turn();
            co_await turn();
            throw Error(Errc::denied, "second");
        });
        group.spawn([&]() -> awaitable<void> {
            for (int i = 0; i < 5; ++i)
                co_await turn();
            record.push_back("last");
        });
        try {
            co_await group.join();
        } catch (const Error& error) {
            record.push_back(error.what());
        }
        co_await group.join(); // the failure was reported once
    });
    CHECK(record == std::vector<std::string>{"last", "first"});
}

TEST_CASE("a task that fails before it has ever waited may cancel its group", "[base]")
{
    std::string said;
    with_group([&](TaskGroup& group) -> awaitable<void> {
        group.spawn([&]() -> awaitable<void> {
            group.cancel();
            throw Error(Errc::denied, "at once");
            co_return;
        });
        group.spawn([]() -> awaitable<void> { co_await turn(); });
        try {
            co_await group.join();
        } catch (const Error& error) {
            said = error.what();
        }
    });
    CHECK(said == "at once");
}

TEST_CASE("a task can spawn a further task that join waits for too", "[base]")
{
    bool ended = false;
    with_group([&](TaskGroup& group) -> awaitable<void> {
        group.spawn([&]() -> awaitable<void> {
            co_await turn();
            group.spawn([&]() -> awaitable<void> {
                co_await turn();
                ended = true;
            });
        });
        co_await group.join();
    });
    CHECK(ended);
}

TEST_CASE("cancel stops the tasks and their cancellation is no failure", "[base]")
{
    with_group([&](TaskGroup& group) -> awaitable<void> {
        group.spawn(never);
        group.spawn(never);
        co_await turn();
        CHECK(group.running() == 2);
        group.cancel();
        co_await group.join();
        CHECK(group.running() == 0);
    });
}

TEST_CASE("close waits for clean-up, drops failures, and leaves its caller able to be cancelled", "[base]")
{
    std::vector<std::string> record;
    auto body = [&]() -> awaitable<void> {
        TaskGroup group(co_await asio::this_coro::executor);
        group.spawn([&]() -> awaitable<void> {
            try {
                co_await never();
            } catch (const boost::system::system_error&) {
            }
            co_await ignore_cancellation();
            co_await turn();
            record.push_back("cleaned up");
            throw Error(Errc::internal, "dropped");
        });
        co_await turn();
        co_await group.close();
        record.push_back("closed");
        co_await group.join(); // nothing is left, the failure neither
        co_await never();
        record.push_back("was deaf");
    };

    CHECK(is_cancellation(cancel_when_waiting(body())));
    CHECK(record == std::vector<std::string>{"cleaned up", "closed"});
}

TEST_CASE("a cancelled join cancels the tasks and waits for them", "[base]")
{
    std::vector<std::string> record;
    auto body = [&]() -> awaitable<void> {
        TaskGroup group(co_await asio::this_coro::executor);
        group.spawn([&]() -> awaitable<void> {
            try {
                co_await never();
            } catch (const boost::system::system_error&) {
                record.push_back("cancelled");
            }
            co_await ignore_cancellation();
            co_await turn();
            record.push_back("cleaned up");
        });
        try {
            co_await group.join();
        } catch (const boost::system::system_error&) {
            record.push_back("join threw");
            throw;
        }
    };

    CHECK(is_cancellation(cancel_when_waiting(body())));
    CHECK(record == std::vector<std::string>{"cancelled", "cleaned up", "join threw"});
}

TEST_CASE("a group keeps the function object of a task alive until its coroutine has ended", "[base]")
{
    const auto token = std::make_shared<std::string>("captured");
    std::string seen;
    with_group([&](TaskGroup& group) -> awaitable<void> {
        {
            auto task = [copy = token, &seen]() -> awaitable<void> {
                co_await turn();
                co_await turn();
                seen = *copy;
            };
            group.spawn(std::move(task));
        }
        CHECK(token.use_count() == 2);
        co_await group.join();
        CHECK(token.use_count() == 1);
    });
    CHECK(seen == "captured");
}

TEST_CASE("a group whose loop goes away with its tasks still running is destroyed quietly", "[base]")
{
    const auto token = std::make_shared<int>(1);
    {
        asio::io_context loop;
        auto body = [&]() -> awaitable<void> {
            TaskGroup group(co_await asio::this_coro::executor);
            auto task = [copy = token]() -> awaitable<void> { co_await never(); };
            group.spawn(std::move(task));
            co_await never();
        };
        asio::co_spawn(loop, body(), [](std::exception_ptr) {});
        loop.poll();
        CHECK(token.use_count() == 2);
    }
    CHECK(token.use_count() == 1);
}

TEST_CASE("a group that is dropped on the loop with tasks running is a bug that aborts", "[base]")
{
    const auto child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL); // not the test framework's handler
        close(STDERR_FILENO);
        with_group([](TaskGroup& group) -> awaitable<void> {
            group.spawn(never);
            co_return;
        });
        _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGABRT);
}
