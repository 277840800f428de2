#include "support/catch.hpp"

#include "base/error.hpp"
#include "base/scratch.hpp"
#include "runner/source_files.hpp"

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

using namespace gantry;
using namespace gantry::runner;
using namespace std::chrono_literals;

namespace {

// Who opens and closes a file.
class Watch {
public:
    explicit Watch(const std::string& path) : events_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK))
    {
        REQUIRE(::inotify_add_watch(events_.get(), path.c_str(), IN_OPEN | IN_CLOSE) >= 0);
    }
    // How often, since the last question. The kernel makes one of equal ones in a row.
    std::size_t count()
    {
        std::array<char, 4096> buffer;
        std::size_t bytes = 0;
        for (ssize_t size; (size = ::read(events_.get(), buffer.data(), buffer.size())) > 0;)
            bytes += static_cast<std::size_t>(size);
        return bytes / sizeof(inotify_event);
    }
    void wait()
    {
        pollfd ready{events_.get(), POLLIN, 0};
        ::poll(&ready, 1, 20'000);
    }

private:
    Fd events_;
};

} // namespace

TEST_CASE("who waits for a lock opens its file once, and tells at the limit what was waited for", "[source_files]")
{
    const Scratch scratch;
    const auto path = scratch / "lock";
    const auto held = try_lock(path, LockKind::exclusive);
    REQUIRE(held);
    Watch watch(path);
    CHECK_THROWS_WITH(wait_for_lock(path, LockKind::exclusive, 50ms, "somebody has it"), "somebody has it");
    CHECK(watch.count() == 2);
}

TEST_CASE("a lock that is given up goes to who waits for it", "[source_files]")
{
    const Scratch scratch;
    const auto path = scratch / "lock";
    auto held = try_lock(path, LockKind::exclusive);
    REQUIRE(held);
    Watch watch(path);
    std::thread other([&] {
        watch.wait();
        held.reset();
    });
    const auto mine = wait_for_lock(path, LockKind::exclusive, 20s, "somebody has it");
    other.join();
    CHECK_FALSE(try_lock(path, LockKind::shared));
}

TEST_CASE("who waits for a lock goes when it is asked to", "[source_files]")
{
    const Scratch scratch;
    const auto path = scratch / "lock";
    const auto held = try_lock(path, LockKind::exclusive);
    REQUIRE(held);
    Watch watch(path);
    std::stop_source stop;
    std::thread other([&] {
        watch.wait();
        stop.request_stop();
    });
    CHECK_THROWS_WITH(wait_for_lock(path, LockKind::exclusive, 10min, "somebody has it", stop.get_token()), "nobody needs the files any more");
    other.join();
    CHECK_THROWS_AS(wait_for_lock(path, LockKind::exclusive, 10min, "somebody has it", stop.get_token()), Error);
}
