#include "base/error.hpp"
#include "base/paths.hpp"
#include "scratch.hpp"
#include "support/catch.hpp"

#include <filesystem>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

using namespace gantry;
namespace fs = std::filesystem;

TEST_CASE("XDG's variables say where files go, HOME otherwise", "[base]")
{
    const ScopedEnv home("HOME", "/home/someone/");
    const ScopedEnv state("XDG_STATE_HOME", "/var/state");
    const ScopedEnv cache("XDG_CACHE_HOME", nullptr);
    const ScopedEnv config("XDG_CONFIG_HOME", "relative/is/ignored");

    CHECK(state_dir() == "/var/state/gantry");
    CHECK(cache_dir() == "/home/someone/.cache/gantry");
    CHECK(config_dir() == "/home/someone/.config/gantry");
}

TEST_CASE("without a home the files go to a private directory below /tmp", "[base]")
{
    const auto* no_home = GENERATE(static_cast<const char*>(nullptr), "", "/", "relative");
    const ScopedEnv home("HOME", no_home);
    const ScopedEnv state("XDG_STATE_HOME", nullptr);
    const auto expected = "/tmp/gantry-" + std::to_string(geteuid());

    CHECK(state_dir() == expected + "/state");
    CHECK(mode_of(expected) == 0700);
}

TEST_CASE("a private directory is created closed, and closed if others could read it", "[base]")
{
    const Scratch scratch;
    const auto path = scratch / "private";

    CHECK(private_directory(path) == path);
    CHECK(mode_of(path) == 0700);
    ::chmod(path.c_str(), 0755);
    private_directory(path);
    CHECK(mode_of(path) == 0700);
}

TEST_CASE("a private directory that others could have filled is refused", "[base]")
{
    const Scratch scratch;
    fs::create_directory(scratch / "open");
    ::chmod((scratch / "open").c_str(), 0777);
    fs::create_directory(scratch / "target");
    ::chmod((scratch / "target").c_str(), 0700);
    fs::create_directory_symlink("target", scratch / "link");

    CHECK_THROWS_WITH(private_directory(scratch / "open"), ContainsSubstring("belongs to us alone"));
    CHECK_THROWS_AS(private_directory(scratch / "link"), Error);
    if (geteuid() == 0) {
        ::chown((scratch / "target").c_str(), 12345, 12345);
        CHECK_THROWS_AS(private_directory(scratch / "target"), Error);
    }
}
