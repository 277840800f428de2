#include "support/catch.hpp"

#include "base/scratch.hpp"
#include "runner/concurrency_groups.hpp"

#include <boost/asio/detached.hpp>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
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

    bool gets_inside(std::size_t count)
    {
        io.restart();
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (inside.size() < count && std::chrono::steady_clock::now() < limit)
            io.run_one_until(limit);
        return inside.size() == count;
    }
    void until_inside(std::size_t count) { REQUIRE(gets_inside(count)); }
};

// What another process says, a character each; 0 at its end.
class Child {
public:
    template <typename Body>
    explicit Child(Body body)
    {
        REQUIRE(::pipe(pipe_) == 0);
        process_ = ::fork();
        if (process_ == 0) {
            body([this](char said) {
                if (::write(pipe_[1], &said, 1) != 1)
                    ::_exit(1);
            });
            ::_exit(0);
        }
        ::close(pipe_[1]);
    }
    Child(const Child&) = delete;
    ~Child()
    {
        ::close(pipe_[0]);
        kill();
    }

    char next()
    {
        char said = 0;
        return ::read(pipe_[0], &said, 1) == 1 ? said : '\0';
    }
    void kill()
    {
        if (const auto process = std::exchange(process_, 0); process > 0) {
            ::kill(process, SIGKILL);
            ::waitpid(process, nullptr, 0);
        }
    }

private:
    int pipe_[2] = {-1, -1};
    pid_t process_ = 0;
};

std::size_t inotify_instances()
{
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code closed;
        count += std::filesystem::read_symlink(entry, closed) == "anon_inode:inotify" ? 1 : 0;
    }
    return count;
}

// From here on the kernel says that this process has all the inotify instances that it may have.
bool refuse_inotify()
{
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_inotify_init1, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EMFILE),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

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
    Child child([&](const auto& say) {
        Door other(door.folder());
        other.enter(Door::request("1"));
        say(other.inside.size() == 1 ? '1' : '0');
        for (;;)
            ::pause();
    });
    CHECK(child.next() == '1');
    door.enter(Door::request("2"));
    CHECK(door.inside.empty());
    child.kill();
    door.until_inside(1);
}

TEST_CASE("however many wait, they need one inotify instance, and each gets in", "[concurrency]")
{
    constexpr std::size_t k_runs = 140; // a user may have 128 instances
    const auto before = inotify_instances();
    Door door;
    for (std::size_t i = 1; i <= k_runs; ++i)
        door.enter(Door::request(std::to_string(i), i % 2 == 0 ? "even" : "odd"));
    CHECK(door.heard.size() == k_runs - 2);
    CHECK(inotify_instances() == before + 1);
    for (std::size_t i = 2; i < k_runs; ++i) {
        door.leave(door.inside[i - 2]);
        door.until_inside(i + 1);
    }
    CHECK(inotify_instances() == before);
}

TEST_CASE("who can have no inotify instance gets in all the same", "[concurrency]")
{
    Door door;
    door.enter(Door::request("1"));
    Child child([&](const auto& say) {
        door.places.clear(); // a lock that a fork shares ends with both
        Door other(door.folder());
        say(refuse_inotify() ? '1' : '0');
        other.enter(Door::request("2"));
        say(other.heard.size() == 1 ? 'w' : '0');
        say(other.gets_inside(1) ? 'i' : '0');
    });
    CHECK(child.next() == '1');
    CHECK(child.next() == 'w');
    door.leave("1");
    CHECK(child.next() == 'i');
}

TEST_CASE("two processes that come and go both get in each time", "[concurrency]")
{
    constexpr std::size_t k_times = 30;
    Door door;
    const auto come_and_go = [](Door& one, const std::string& run) {
        for (std::size_t i = 1; i <= k_times; ++i) {
            one.enter(Door::request(run));
            if (!one.gets_inside(i))
                return false;
            one.leave(run);
        }
        return true;
    };
    Child child([&](const auto& say) {
        Door other(door.folder());
        say(come_and_go(other, "2") ? '1' : '0');
    });
    CHECK(come_and_go(door, "1"));
    CHECK(child.next() == '1');
}
