#include "base/error.hpp"
#include "base/file.hpp"
#include "scratch.hpp"
#include "support/catch.hpp"

#include <filesystem>
#include <string>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace gantry;
namespace fs = std::filesystem;

TEST_CASE("a tree is removed with everything in it, and what links point to stays", "[base]")
{
    const Scratch scratch;
    make_directories(scratch / "tree/a/b", 0700);
    make_directories(scratch / "outside", 0700);
    write_file_atomic(scratch / "outside/file", "keep", 0600);
    write_file_atomic(scratch / "tree/a/file", "x", 0600);
    fs::create_directory_symlink("../../outside", scratch / "tree/a/link");
    fs::create_symlink("/nowhere", scratch / "tree/dangling");

    remove_tree(scratch / "tree/");

    CHECK_FALSE(fs::exists(scratch / "tree"));
    CHECK(read_file(scratch / "outside/file", 10) == "keep");
}

TEST_CASE("a link is removed instead of the tree that it names", "[base]")
{
    const Scratch scratch;
    make_directories(scratch / "real/sub", 0700);
    fs::create_directory_symlink("real", scratch / "link");

    remove_tree(scratch / "link");

    CHECK_FALSE(fs::is_symlink(scratch / "link"));
    CHECK(fs::is_directory(scratch / "real/sub"));
}

TEST_CASE("a single file is removed and nothing is nothing", "[base]")
{
    const Scratch scratch;
    write_file_atomic(scratch / "file", "x", 0600);

    remove_tree(scratch / "file");
    remove_tree(scratch / "file");
    remove_tree(scratch / "none/of/this");

    CHECK_FALSE(fs::exists(scratch / "file"));
}

TEST_CASE("read-only and unreadable directories are removed", "[base]")
{
    const Scratch scratch;
    make_directories(scratch / "tree/readonly/sub", 0700);
    make_directories(scratch / "tree/closed/sub", 0700);
    write_file_atomic(scratch / "tree/readonly/file", "x", 0400);
    ::chmod((scratch / "tree/readonly").c_str(), 0555);
    ::chmod((scratch / "tree/closed").c_str(), 0);

    remove_tree(scratch / "tree");

    CHECK_FALSE(fs::exists(scratch / "tree"));
}

TEST_CASE("a tree deeper than the number of descriptors and than PATH_MAX is removed", "[base]")
{
    const Scratch scratch;
    constexpr int k_depth = 400;
    const std::string name = "a-directory-name";
    fs::create_directory(scratch / "tree");
    auto current = open_directory(scratch / "tree");
    for (int i = 0; i < k_depth; ++i) {
        REQUIRE(::mkdirat(current.get(), name.c_str(), 0555) == 0);
        Fd next(::openat(current.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        REQUIRE(next);
        ::fchmod(next.get(), 0700);
        current = std::move(next);
    }
    current.reset();
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const auto old = limit;
    limit.rlim_cur = 128;
    setrlimit(RLIMIT_NOFILE, &limit);

    CHECK_NOTHROW(remove_tree(scratch / "tree"));
    setrlimit(RLIMIT_NOFILE, &old);

    CHECK_FALSE(fs::exists(scratch / "tree"));
}

TEST_CASE("names that mean a place and not an entry are refused", "[base]")
{
    const auto* path = GENERATE("/", ".", "..", "a/..", "a/.", "");
    CAPTURE(path);
    CHECK_THROWS_AS(remove_tree(path), Error);
}
