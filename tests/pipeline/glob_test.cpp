#include "pipeline/glob.hpp"

#include "support/catch.hpp"

#include <chrono>
#include <random>

using namespace gantry::pipeline;

namespace {

bool fits(const std::string& pattern, const std::string& text) { return Glob(pattern).matches(text); }

} // namespace

TEST_CASE("a star stays within a path element, two cross slashes", "[glob]")
{
    CHECK(fits("release/*", "release/2"));
    CHECK_FALSE(fits("release/*", "release/2/x"));
    CHECK(fits("release/**", "release/2/x"));
    CHECK(fits("src/**", "src/a/b.cpp"));
    CHECK_FALSE(fits("src/**", "src"));
    CHECK(fits("**/x", "x"));
    CHECK(fits("**/x", "a/b/x"));
    CHECK_FALSE(fits("**/x", "ax"));
    CHECK(fits("a/**/b", "a/b"));
    CHECK(fits("a/**/b", "a/1/2/b"));
    CHECK(fits("**/*.tmp", ".tmp"));
    CHECK(fits("**", "a/b"));
    CHECK(fits("v?", "v1"));
    CHECK_FALSE(fits("a?b", "a/b"));
    CHECK(fits("main", "main"));
    CHECK_FALSE(fits("main", "main2"));
    CHECK_FALSE(fits("*", "a\n/b"));
    CHECK(fits("*", "a\nb"));
}

TEST_CASE("classes, alternatives and escapes", "[glob]")
{
    CHECK(fits("v[0-9]", "v1"));
    CHECK_FALSE(fits("v[!0-9]", "v1"));
    CHECK(fits("v[]]", "v]"));
    CHECK_FALSE(fits("a[!b]c", "a/c"));
    CHECK(fits("*.{cpp,hpp}", "a.hpp"));
    CHECK(fits("{src,tests/{unit,e2e}}/**", "tests/e2e/x"));
    CHECK(fits("a,b", "a,b"));
    CHECK(fits("\\*", "*"));
    CHECK_FALSE(fits("\\*", "a"));
    CHECK(fits("[z-a]", "z"));
    CHECK(fits("a[", "a["));
    CHECK(fits("a{b", "a{b"));
    CHECK(fits("a}b", "a}b"));
    CHECK(fits("c++", "c++"));
    CHECK(fits("c++*", "c++x"));
}

TEST_CASE("folders and names beyond ASCII", "[glob]")
{
    CHECK(fits("bin/", "bin/a/b"));
    CHECK_FALSE(fits("bin/", "bin"));
    CHECK(fits("./src/*", "src/a"));
    CHECK(fits("?.txt", "\xc3\xa4.txt"));
    CHECK(fits("*.txt", "\xff\xfe.txt"));
}

TEST_CASE("in a list the last pattern that matches decides", "[glob]")
{
    const GlobList sources({"src/**", "!src/docs/**", "src/docs/keep.md"});

    CHECK(sources.matches("src/a.cpp"));
    CHECK_FALSE(sources.matches("src/docs/a.md"));
    CHECK(sources.matches("src/docs/keep.md"));
    CHECK_FALSE(sources.matches("README"));
    CHECK(GlobList({"!docs/**"}).matches("src/a"));
    CHECK_FALSE(GlobList({"!docs/**"}).matches("docs/a"));
    CHECK_FALSE(GlobList({}).matches("x"));
}

TEST_CASE("no pattern takes more than linear time or ends the program", "[glob]")
{
    const auto start = std::chrono::steady_clock::now();
    std::string stars;
    for (int i = 0; i < 300; ++i)
        stars += "*a";

    CHECK_FALSE(fits(stars + "b", std::string(20000, 'a')));
    CHECK_FALSE(Glob(std::string(2000, '*')).problem().empty());
    CHECK_FALSE(fits(std::string(2000, 'a'), std::string(2000, 'a')));
    std::mt19937 random(7);
    for (int i = 0; i < 2000; ++i) {
        std::string pattern;
        for (int length = static_cast<int>(random() % 30); length > 0; --length)
            pattern += "*?[]{}!-^,\\/a.\0\xff"[random() % 16];
        const Glob glob(pattern);
        INFO(pattern);
        CHECK(glob.problem().empty());
        glob.matches("a/b{c}");
    }
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}
