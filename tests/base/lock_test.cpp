#include "support/catch.hpp"

#include "base/error.hpp"
#include "base/lock.hpp"
#include "base/scratch.hpp"

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

using namespace gantry;

namespace {

Fd open_file(const std::string& path, int flags = O_RDWR | O_CREAT)
{
    Fd file(::open(path.c_str(), flags | O_CLOEXEC, 0600));
    REQUIRE(file);
    return file;
}

} // namespace

TEST_CASE("one descriptor has a lock at a time, and gives it up when it is closed", "[lock]")
{
    const Scratch scratch;
    const auto path = scratch / "lock";
    CHECK_FALSE(is_locked(path));
    auto first = open_file(path);
    const auto second = open_file(path);
    CHECK(take_lock(first, path));
    CHECK(is_locked(path));
    CHECK_FALSE(is_locked(first, path));
    CHECK(is_locked(second, path));
    CHECK_FALSE(take_lock(second, path));
    first.reset();
    CHECK_FALSE(is_locked(path));
    CHECK(take_lock(second, path));
}

TEST_CASE("a directory is locked by any number at once, and seen to be", "[lock]")
{
    const Scratch scratch;
    auto first = open_directory(scratch.path());
    auto second = open_directory(scratch.path());
    CHECK(share_lock(first, scratch.path()));
    CHECK(share_lock(second, scratch.path()));
    first.reset();
    CHECK(is_locked(scratch.path()));
    second.reset();
    CHECK_FALSE(is_locked(scratch.path()));
}

TEST_CASE("who looks at a lock hinders nobody who takes it", "[lock]")
{
    const Scratch scratch;
    const auto path = scratch / "lock";
    open_file(path);
    std::atomic<bool> ended = false;
    std::thread looks([&] {
        while (!ended)
            is_locked(path);
    });
    bool taken = true;
    for (int i = 0; i < 5000; ++i)
        taken &= take_lock(open_file(path), path);
    ended = true;
    looks.join();
    CHECK(taken);
}

TEST_CASE("what cannot be locked or looked at is told", "[lock]")
{
    const Scratch scratch;
    const auto path = scratch / "lock";
    open_file(path);
    CHECK_THROWS_WITH(take_lock(open_file(path, O_RDONLY), path), "lock " + path + ": Bad file descriptor");
    std::filesystem::create_symlink(path, scratch / "link");
    auto locked = open_file(path);
    REQUIRE(take_lock(locked, path));
    CHECK_FALSE(is_locked(scratch / "link"));
    CHECK_THROWS_AS(is_locked(path + "/lock"), Error);
}
