#include "support/catch.hpp"

#include "base/scratch.hpp"
#include "runner/concurrency_groups.hpp"

#include <boost/asio/detached.hpp>

#include <csignal>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using namespace gantry;
using namespace gantry::runner;

namespace {

using GroupPlace = ConcurrencyGroups::Place;

// Several runs that want into groups, on one loop in real time. Everything here ends by events; the limit is for a bug.
struct Door {
    asio::io_context io;
    Scratch scratch;
    std::vector<std::string> cancelled, inside, heard;
    std::map<std::string, std::unique_ptr<GroupPlace>> places; // by run
    ConcurrencyGroups groups;

    explicit Door(const std::string& folder = {})
        : groups(folder.empty() ? this->folder() : folder, system_clock(),
                 [this](const std::string& run) { cancelled.push_back(run); })
    {
    }
    std::string folder() const { return scratch / "groups"; }

    static ConcurrencyGroups::Request request(const std::string& run, const std::string& group = "deploy",
                                              int limit = 1)
    {
        ConcurrencyGroups::Request request;
        request.scope = "/src/shop";
        request.group = group;
        request.limit = limit;
        request.run = run;
        return request;
    }

    void enter(const ConcurrencyGroups::Request& request)
    {
        auto task = [](Door& door, ConcurrencyGroups::Request wanted) -> awaitable<void> {
            const std::function<void(const std::string&)> waiting = [&door, &wanted](const std::string& runs) {
                door.heard.push_back(wanted.run + " waits for " + runs);
            };
            auto place = co_await door.groups.enter(wanted, waiting);
            door.places[wanted.run] = std::make_unique<GroupPlace>(std::move(place));
            door.inside.push_back(wanted.run);
        };
        asio::co_spawn(io, task(*this, request), asio::detached);
        io.restart();
        io.poll();
    }

    void leave(const std::string& run) { places.erase(run); }

    void until_inside(std::size_t count)
    {
        io.restart();
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (inside.size() < count && std::chrono::steady_clock::now() < limit)
            io.run_one_until(limit);
        REQUIRE(inside.size() == count);
    }
};

} // namespace

TEST_CASE("a group lets its limit in, the others in the order of their runs", "[concurrency]")
{
    Door door;
    door.enter(Door::request("3"));
    door.enter(Door::request("12"));
    door.enter(Door::request("9"));
    CHECK(door.inside == std::vector<std::string>{"3"});
    CHECK(door.heard == std::vector<std::string>{"12 waits for 3", "9 waits for 3"});
    door.leave("3");
    door.until_inside(2);
    CHECK(door.inside.back() == "9");
    door.leave("9");
    door.until_inside(3);
    CHECK(door.inside.back() == "12");
    CHECK(door.cancelled.empty());
}

TEST_CASE("a limit of two lets two in", "[concurrency]")
{
    Door door;
    for (const auto* run : {"1", "2", "3"})
        door.enter(Door::request(run, "deploy", 2));
    CHECK(door.inside == std::vector<std::string>{"1", "2"});
    door.leave("2");
    door.until_inside(3);
}

TEST_CASE("other groups and other repositories are not waited for", "[concurrency]")
{
    Door door;
    door.enter(Door::request("1"));
    door.enter(Door::request("2", "build"));
    auto elsewhere = Door::request("3");
    elsewhere.scope = "/src/other";
    door.enter(elsewhere);
    CHECK(door.inside.size() == 3);
}

TEST_CASE("cancel_in_progress asks those that are in and those that wait to end", "[concurrency]")
{
    Door door;
    door.enter(Door::request("1"));
    door.enter(Door::request("2"));
    auto newest = Door::request("3");
    newest.cancel_in_progress = true;
    door.enter(newest);
    CHECK(door.cancelled == std::vector<std::string>{"1", "2"});
    door.leave("1");
    door.until_inside(2);
    door.leave("2");
    door.until_inside(3);
}

TEST_CASE("stages of one run wait for each other and do not cancel their own run", "[concurrency]")
{
    Door door;
    auto first = Door::request("1");
    first.stage = 0;
    door.enter(first);
    auto second = first;
    second.stage = 1;
    second.cancel_in_progress = true;
    door.enter(second);
    CHECK(door.inside.size() == 1);
    CHECK(door.cancelled.empty());
    door.leave("1");
    door.until_inside(2);
}

TEST_CASE("a process that dies gives its place back", "[concurrency]")
{
    Door door;
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ready[0]);
        Door other(door.folder());
        other.enter(Door::request("1"));
        const char said = other.inside.size() == 1 ? '1' : '0';
        if (::write(ready[1], &said, 1) != 1)
            ::_exit(1);
        for (;;)
            ::pause();
    }
    ::close(ready[1]);
    char said = 0;
    REQUIRE(::read(ready[0], &said, 1) == 1);
    CHECK(said == '1');
    ::close(ready[0]);
    door.enter(Door::request("2"));
    CHECK(door.inside.empty());
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    door.until_inside(1);
}
