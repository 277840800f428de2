#include "base/error.hpp"
#include "runner/artifact_patterns.hpp"
#include "support/catch.hpp"

using namespace gantry;
using runner::ArtifactPatterns;

namespace {

using Texts = std::vector<std::string>;
using NameSet = std::set<std::string>;

bool matches(const Texts& patterns, const std::string& path, const Texts& exclude = {})
{
    return ArtifactPatterns(patterns, exclude).matches(path);
}

} // namespace

TEST_CASE("a folder that is named counts with all that it holds", "[artifacts]")
{
    for (const std::string pattern : {"bin", "bin/", "./bin", "/workspace/bin/", "bin/."}) {
        CHECK(matches({pattern}, "bin"));
        CHECK(matches({pattern}, "bin/a/b"));
        CHECK_FALSE(matches({pattern}, "binary"));
        CHECK_FALSE(matches({pattern}, "sub/bin"));
    }
    CHECK(matches({"out/*"}, "out/a/b/c"));
    CHECK(matches({"."}, "a/b"));
    CHECK(matches({"/workspace"}, "a/b"));
    CHECK(matches({"**/junit.xml"}, "junit.xml"));
    CHECK(matches({"**/junit.xml"}, "a/b/junit.xml"));
}

TEST_CASE("what is excluded is left out with all that it holds", "[artifacts]")
{
    CHECK_FALSE(matches({"bin"}, "bin/a.tmp", {"**/*.tmp"}));
    CHECK_FALSE(matches({"bin"}, "bin/cache/x/y", {"bin/cache"}));
    CHECK(matches({"bin"}, "bin/a", {"bin/cache", "*.tmp"}));
}

TEST_CASE("what Git keeps is never meant", "[artifacts]")
{
    CHECK_FALSE(matches({"."}, ".git/config"));
    CHECK_FALSE(matches({".git"}, ".git/config"));
    CHECK_FALSE(matches({"**"}, "sub/.GIT/config"));
    CHECK(matches({"."}, ".gitignore"));
}

TEST_CASE("a pattern that leads out is refused by its name", "[artifacts]")
{
    for (const std::string pattern : {"../a", "a/../../b", "/etc/passwd", "/workspaces/a", ".."})
        CHECK_THROWS_AS(ArtifactPatterns({pattern}, {}), Error);
    CHECK_THROWS_AS(ArtifactPatterns({"a"}, {"../b"}), Error);
    CHECK_THROWS_AS(ArtifactPatterns({std::string(2000, 'a')}, {}), Error);
}

TEST_CASE("only what comes before the first wildcard is looked at, and nothing twice", "[artifacts]")
{
    CHECK(ArtifactPatterns({"bin/", "build/reports/*.xml", "build/**"}, {}).starts() == NameSet{"bin", "build"});
    CHECK(ArtifactPatterns({"a/b/c", "a/b/c/d", "a/bc"}, {}).starts() == NameSet{"a/b/c", "a/bc"});
    CHECK(ArtifactPatterns({"*.xml", "bin"}, {}).starts() == NameSet{""});
    CHECK(ArtifactPatterns({"a/x{1,2}/b"}, {}).starts() == NameSet{"a"});
}

TEST_CASE("patterns that match nothing are told as they were written", "[artifacts]")
{
    ArtifactPatterns patterns({"./bin/", "dist", "a.tmp"}, {"*.tmp"});
    CHECK(patterns.matches("bin/x"));
    CHECK_FALSE(patterns.matches("a.tmp"));
    CHECK(patterns.unused() == Texts{"dist", "a.tmp"});
}
