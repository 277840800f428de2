#include "base/error.hpp"
#include "base/new_file.hpp"
#include "scratch.hpp"
#include "support/catch.hpp"

#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

using namespace gantry;
namespace fs = std::filesystem;

namespace {

Errc refusal_of(const std::string& path)
{
    try {
        NewFile file(path);
    } catch (const Error& error) {
        return error.code();
    }
    return Errc::internal;
}

} // namespace

TEST_CASE("a new file has no more rights than were asked for", "[base]")
{
    Scratch scratch;
    NewFile file(scratch / "private", 0600);
    file.commit();
    CHECK(mode_of(scratch / "private") == 0600);
}

TEST_CASE("a new file appears whole, in the place of the old one", "[base]")
{
    Scratch scratch;
    const auto path = (scratch / "archive");
    write_file_atomic(path, "old", 0600);

    NewFile file(path);
    file.write("first, ");
    CHECK(read_file(path, 100) == "old");
    file.write("second");
    file.commit();

    CHECK(read_file(path, 100) == "first, second");
    CHECK(entries_in(scratch.path()) == 1);
}

TEST_CASE("a new file that is given up leaves what was there, and nothing else", "[base]")
{
    Scratch scratch;
    const auto path = (scratch / "archive");
    {
        NewFile file(path);
        file.write("a part");
    }
    CHECK(entries_in(scratch.path()) == 0);
}

TEST_CASE("folders and devices are no place for a new file, and a link is replaced", "[base]")
{
    Scratch scratch;
    CHECK(refusal_of(scratch.path()) == Errc::bad_input);
    CHECK(refusal_of("/dev/null") == Errc::bad_input);
    CHECK(refusal_of((scratch / "missing/archive")) == Errc::not_found);

    write_file_atomic((scratch / "elsewhere"), "stays", 0600);
    REQUIRE(::symlink((scratch / "elsewhere").c_str(), (scratch / "link").c_str()) == 0);
    NewFile file((scratch / "link"));
    file.write("new");
    file.commit();
    CHECK(read_file((scratch / "elsewhere"), 100) == "stays");
    CHECK(read_file((scratch / "link"), 100, Links::refuse) == "new");
}
