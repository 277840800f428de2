#include "support/catch.hpp"

#include "base/disk.hpp"
#include "base/file.hpp"
#include "base/scratch.hpp"

#include <atomic>
#include <string>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

using namespace gantry;

namespace {

std::string make_file(const std::string& folder, std::size_t size_bytes)
{
    make_directories(folder, 0700);
    write_file_atomic(folder + "/file", std::string(size_bytes, 'x'), 0600);
    return folder + "/file";
}

} // namespace

TEST_CASE("a folder takes what is in it and below, a file with two names once, and what is behind a link not", "[disk]")
{
    const Scratch scratch;
    const Scratch elsewhere;
    const auto empty = disk_usage(scratch.path());
    const auto file = make_file(scratch / "a/b/c", 300'000);
    const auto one = disk_usage(scratch.path());
    CHECK(one >= empty + 300'000);
    REQUIRE(::link(file.c_str(), (scratch / "again").c_str()) == 0);
    CHECK(disk_usage(scratch.path()) < one + 300'000);
    make_file(elsewhere.path(), 300'000);
    REQUIRE(::symlink(elsewhere.path().c_str(), (scratch / "link").c_str()) == 0);
    CHECK(disk_usage(scratch.path()) < one + 300'000);
    CHECK(disk_usage(scratch / "nothing") == 0);
}

TEST_CASE("folders that go away meanwhile hide none of those that stay", "[disk]")
{
    const Scratch scratch;
    for (int i = 0; i < 20; ++i)
        make_file(scratch / ("stays." + std::to_string(i)), 5000);
    const auto stays = disk_usage(scratch.path());
    std::atomic<bool> ended = false;
    std::thread others([&] {
        while (!ended)
            for (int i = 0; i < 20; ++i) {
                const auto folder = scratch / ("goes." + std::to_string(i));
                ::mkdir(folder.c_str(), 0700);
                ::rmdir(folder.c_str());
            }
    });
    bool saw_all = true;
    for (int i = 0; i < 500; ++i)
        saw_all &= disk_usage(scratch.path()) >= stays;
    ended = true;
    others.join();
    CHECK(saw_all);
}
