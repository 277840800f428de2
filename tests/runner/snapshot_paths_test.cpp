#include "support/catch.hpp"

#include "base/scratch.hpp"
#include "runner/snapshot.hpp"
#include "runner/snapshot_repo.hpp"

#include <filesystem>

#include <sys/stat.h>

using namespace gantry;
using namespace gantry::runner;
using namespace gantry::tests;
namespace fs = std::filesystem;

TEST_CASE("a snapshot knows what it shows, whichever layer has it", "[snapshot]")
{
    const Scratch scratch;
    const auto low = scratch / "low", high = scratch / "high";
    write(low + "/a/b", "");
    write(low + "/a/hidden/c", "");
    write(low + "/replaced/d", "");
    write(low + "/link", "");
    write(high + "/a/e", "");
    write(high + "/replaced", "");
    fs::remove(low + "/link");
    fs::create_symlink("a", low + "/link");
    Snapshot snapshot;
    snapshot.layers = {high, low};
    for (const auto* path : {"a", "a/b", "a/e", "a/hidden/c", "replaced", "link"})
        CHECK(is_in(snapshot, path));
    for (const auto* path : {"b", "a/c", "replaced/d", "link/b", "a/b/c", "ab"})
        CHECK_FALSE(is_in(snapshot, path));
    CHECK_FALSE(is_in(Snapshot(), "a"));
    if (::mknod((high + "/a/hidden").c_str(), S_IFCHR, 0) != 0)
        return; // not for everybody
    CHECK_FALSE(is_in(snapshot, "a/hidden"));
    CHECK_FALSE(is_in(snapshot, "a/hidden/c"));
    CHECK(is_in(snapshot, "a/b"));
}
