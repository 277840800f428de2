#include "base/error.hpp"
#include "base/file.hpp"
#include "scratch.hpp"
#include "support/catch.hpp"

#include <filesystem>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace gantry;
namespace fs = std::filesystem;

namespace {

template <typename Call>
Errc code_of(Call call)
{
    try {
        call();
    } catch (const Error& error) {
        return error.code();
    }
    FAIL("no exception");
    return Errc::internal;
}

} // namespace

TEST_CASE("when a file was last written to is told to the nanosecond, and for none the zero of the clock", "[base]")
{
    const Scratch scratch;
    const auto path = scratch / "file";
    write_file_atomic(path, "x", 0600);
    const timespec times[2] = {{0, UTIME_OMIT}, {1'700'000'000, 123'456'789}};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
    CHECK(modified_at(path).time_since_epoch() == std::chrono::nanoseconds(1'700'000'000'123'456'789));
    CHECK(modified_at(scratch / "none") == std::chrono::system_clock::time_point());
}

TEST_CASE("a file of any size comes in pieces that are small", "[base]")
{
    const Scratch scratch;
    const auto path = scratch / "file";
    std::string contents(3'000'001, 'a');
    contents.back() = 'b';
    write_file_atomic(path, contents, 0600);
    std::string read;
    read_pieces(path, Links::refuse, [&read](std::string_view piece) {
        CHECK(piece.size() <= 1 << 20);
        read += piece;
    });
    CHECK(read == contents);
    const auto ignore = [](std::string_view) {};
    fs::create_symlink(path, scratch / "link");
    CHECK_NOTHROW(read_pieces(scratch / "link", Links::follow, ignore));
    CHECK_THROWS_AS(read_pieces(scratch / "link", Links::refuse, ignore), Error);
    CHECK(code_of([&] { read_pieces(scratch / "none", Links::refuse, ignore); }) == Errc::not_found);
    CHECK(code_of([&] { read_pieces(scratch / ".", Links::refuse, ignore); }) == Errc::bad_input);
}

TEST_CASE("a descriptor is closed with its owner, and only once", "[base]")
{
    int number = -1;
    {
        Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        number = file.get();
        const Fd moved = std::move(file);
        CHECK(moved.get() == number);
        CHECK(::fcntl(number, F_GETFD) >= 0);
    }
    CHECK(::fcntl(number, F_GETFD) == -1);
    CHECK_FALSE(Fd());
}

TEST_CASE("a file written in one step has its content, its mode and no leftovers", "[base]")
{
    const Scratch scratch;
    const auto path = scratch / "state.json";
    const auto old_mask = ::umask(077);

    write_file_atomic(path, "one", 0644);
    write_file_atomic(path, std::string("two\0three", 9), 0644);
    ::umask(old_mask);

    CHECK(read_file(path, 100) == std::string("two\0three", 9));
    CHECK(mode_of(path) == 0644);
    CHECK(entries_in(scratch.path()) == 1);
}

TEST_CASE("replacing a link leaves what it points to alone", "[base]")
{
    const Scratch scratch;
    write_file_atomic(scratch / "target", "keep", 0600);
    fs::create_symlink("target", scratch / "link");

    write_file_atomic(scratch / "link", "new", 0600);

    CHECK(read_file(scratch / "target", 100) == "keep");
    CHECK(read_file(scratch / "link", 100, Links::refuse) == "new");
}

TEST_CASE("a failed write leaves the old file and no temporary", "[base]")
{
    const Scratch scratch;
    fs::create_directory(scratch / "in-the-way");

    CHECK_THROWS_AS(write_file_atomic(scratch / "in-the-way", "x", 0600), Error);
    CHECK(code_of([&] { write_file_atomic(scratch / "missing/file", "x", 0600); }) == Errc::not_found);
    CHECK(entries_in(scratch.path()) == 1);
}

TEST_CASE("a full disk is no_space and names the file", "[base]")
{
    const Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    REQUIRE(full);

    CHECK(code_of([&] { write_all(full, "x", "journal"); }) == Errc::no_space);
    CHECK_THROWS_WITH(write_all(full, "x", "journal"), "journal: No space left on device");
}

TEST_CASE("reading stops at its limit", "[base]")
{
    const Scratch scratch;
    const auto path = scratch / "file";
    write_file_atomic(path, std::string(5000, 'x'), 0600);

    CHECK(read_file(path, 5000).size() == 5000);
    CHECK(code_of([&] { read_file(path, 4999); }) == Errc::bad_input);
    CHECK_THROWS_WITH(read_file(path, 4000), path + ": has more than 4.0 kB");
    CHECK_FALSE(read_file("/proc/self/status", 100'000).empty());
    write_file_atomic(path, "", 0600);
    CHECK(read_file(path, 0).empty());
}

TEST_CASE("only regular files are read, and nothing is waited for", "[base]")
{
    const Scratch scratch;
    REQUIRE(::mkfifo((scratch / "fifo").c_str(), 0600) == 0);
    write_file_atomic(scratch / "file", "x", 0600);
    fs::create_symlink("file", scratch / "link");

    CHECK(code_of([&] { read_file(scratch / "fifo", 10); }) == Errc::bad_input);
    CHECK(code_of([&] { read_file("/dev/zero", 10); }) == Errc::bad_input);
    CHECK_THROWS_WITH(read_file(scratch.path(), 10), scratch.path() + ": is a directory");
    CHECK(code_of([&] { read_file(scratch / "none", 10); }) == Errc::not_found);
    CHECK(read_file(scratch / "link", 10) == "x");
    CHECK(code_of([&] { read_file(scratch / "link", 10, Links::refuse); }) == Errc::bad_input);
}

TEST_CASE("appending keeps what is there and refuses a link", "[base]")
{
    const Scratch scratch;
    const auto path = scratch / "journal";

    write_all(open_append(path, 0600), "one\n", path);
    const auto file = open_append(path, 0600);
    write_all(file, "two\n", path);
    sync_file(file, path);

    CHECK(read_file(path, 100) == "one\ntwo\n");
    CHECK(mode_of(path) == 0600);
    fs::create_symlink("journal", scratch / "link");
    CHECK_THROWS_AS(open_append(scratch / "link", 0600), Error);
}

TEST_CASE("missing directories are made, existing ones are fine, files are not", "[base]")
{
    const Scratch scratch;

    make_directories(scratch / "a/b//c/", 0700);
    make_directories(scratch / "a/b/c", 0700);
    fs::create_directory_symlink("a", scratch / "link");
    make_directories(scratch / "link/d", 0700);

    CHECK(fs::is_directory(scratch / "a/b/c"));
    CHECK(fs::is_directory(scratch / "a/d"));
    CHECK(mode_of(scratch / "a/b") == 0700);
    write_file_atomic(scratch / "file", "x", 0600);
    CHECK(code_of([&] { make_directories(scratch / "file", 0700); }) == Errc::conflict);
    CHECK(code_of([&] { make_directories(scratch / "file/x", 0700); }) == Errc::not_found);
}

TEST_CASE("a path beneath a directory opens, one that leads out does not", "[base]")
{
    const Scratch scratch;
    make_directories(scratch / "root/sub", 0700);
    write_file_atomic(scratch / "secret", "s", 0600);
    write_file_atomic(scratch / "root/sub/file", "inside", 0600);
    fs::create_symlink("../../secret", scratch / "root/sub/escape");
    fs::create_symlink("/etc/hostname", scratch / "root/absolute");
    fs::create_directory_symlink("..", scratch / "root/up");
    fs::create_symlink("sub/file", scratch / "root/within");
    const auto root = open_directory(scratch / "root");
    const auto refused = [&](const std::string& path) {
        return code_of([&] { open_beneath(root, path, O_RDONLY); }) == Errc::bad_input;
    };

    CHECK(open_beneath(root, "sub/file", O_RDONLY));
    CHECK(open_beneath(root, "within", O_RDONLY));
    CHECK(open_beneath(root, "sub/../sub/file", O_RDONLY));
    CHECK(refused("../secret"));
    CHECK(refused("sub/escape"));
    CHECK(refused("absolute"));
    CHECK(refused("up/secret"));
    CHECK(refused(scratch / "secret"));
    CHECK(code_of([&] { open_beneath(root, "none", O_RDONLY); }) == Errc::not_found);
    CHECK_THROWS_WITH(open_beneath(root, "sub/escape", O_RDONLY), "sub/escape: leads out of its directory");
}

TEST_CASE("a file can be created beneath a directory, but not through a link out of it", "[base]")
{
    const Scratch scratch;
    fs::create_directory(scratch / "root");
    fs::create_symlink("../planted", scratch / "root/link");
    const auto root = open_directory(scratch / "root");

    write_all(open_beneath(root, "new", O_WRONLY | O_CREAT | O_EXCL, 0640), "x", "new");

    CHECK(read_file(scratch / "root/new", 10) == "x");
    CHECK(code_of([&] { open_beneath(root, "link", O_WRONLY | O_CREAT, 0600); }) == Errc::bad_input);
    CHECK_FALSE(fs::exists(scratch / "planted"));
}

TEST_CASE("a lock is held by one at a time and freed with its object", "[base]")
{
    const Scratch scratch;
    const auto path = scratch / "lock";

    auto first = try_lock_file(path);
    REQUIRE(first);
    CHECK_FALSE(try_lock_file(path));
    first.reset();
    CHECK(try_lock_file(path));
    CHECK(mode_of(path) == 0600);
    CHECK(code_of([&] { try_lock_file(scratch / "none/lock"); }) == Errc::not_found);
}
