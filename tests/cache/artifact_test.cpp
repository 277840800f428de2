#include "base/error.hpp"
#include "base/format.hpp"
#include "base/scratch.hpp"
#include "cache/artifact.hpp"
#include "support/catch.hpp"

using namespace gantry;
using namespace gantry::cache;

namespace {

Artifact file(const std::string& path, const std::string& contents = "x")
{
    Artifact made;
    made.path = path;
    made.mode = 0644;
    made.mtime = -5;
    made.mtime_nanoseconds = 7;
    made.size_bytes = contents.size();
    made.digest = sha256_hex(contents);
    return made;
}

Artifact link_to(const std::string& path, const std::string& target)
{
    Artifact made;
    made.path = path;
    made.type = Artifact::Type::link;
    made.mode = 0777;
    made.target = target;
    return made;
}

Artifact folder(const std::string& path)
{
    Artifact made;
    made.path = path;
    made.type = Artifact::Type::folder;
    made.mode = 0700;
    return made;
}

Manifest manifest(std::vector<Artifact> artifacts)
{
    Manifest made;
    made.run = "17";
    made.stage = "build[gcc=13]";
    made.saved = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
    made.artifacts = std::move(artifacts);
    return made;
}

// As if somebody had changed the text and made its hash fit.
std::string sealed(std::string text)
{
    text.resize(text.substr(0, text.size() - 1).rfind('\n') + 1);
    return text + "{\"sha256\":\"" + sha256_hex(text) + "\"}\n";
}

std::string changed(const Manifest& made, const std::string& from, const std::string& to)
{
    auto text = print_manifest(made);
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

} // namespace

TEST_CASE("a manifest is what it was after it was printed and read", "[artifacts]")
{
    auto written = manifest({folder("bin"), file("bin/a"), link_to("bin/b", "../c"), file("bytes \xff\n \"quoted\"")});
    SECTION("that stays for ever") {}
    SECTION("that expires") { written.expires = written.saved + std::chrono::hours(24); }
    CHECK(parse_manifest(print_manifest(written)) == written);
    const auto text = print_manifest(written);
    const auto head = parse_manifest_head(text.substr(0, text.find('\n')));
    CHECK(head.manifest.run == "17");
    CHECK(head.manifest.expires == written.expires);
    CHECK(head.sum == ArtifactSum{3, 2});
}

TEST_CASE("a manifest that is cut or changed anywhere is refused", "[artifacts]")
{
    const auto text = print_manifest(manifest({file("bin/a"), link_to("b", "bin/a")}));
    for (std::size_t length = 0; length < text.size(); ++length)
        CHECK_THROWS_AS(parse_manifest(text.substr(0, length)), Error);
    for (std::size_t at = 0; at < text.size(); ++at) {
        auto other = text;
        other[at] = static_cast<char>(other[at] ^ 1);
        CHECK_THROWS_AS(parse_manifest(other), Error);
    }
}

TEST_CASE("a manifest with places that cannot be is refused, although its hash fits", "[artifacts]")
{
    const auto made = manifest({file("bin/a"), link_to("bin/b", "a")});
    CHECK_NOTHROW(parse_manifest(sealed(print_manifest(made))));
    for (const std::string path : {"", "/a", "../a", "bin/../a", "bin/./a", "bin//a", "bin/"})
        CHECK_THROWS_AS(parse_manifest(sealed(changed(made, "\"bin/a\"", "\"" + path + "\""))), Error);
    CHECK_THROWS_AS(parse_manifest(sealed(changed(made, "\"target\":\"a\"", "\"target\":\"../../a\""))), Error);
    CHECK_THROWS_AS(parse_manifest(sealed(changed(made, "\"mode\":420", "\"mode\":2541"))), Error);
    CHECK_THROWS_AS(parse_manifest(sealed(print_manifest(manifest({file("a"), file("a")})))), Error);
    CHECK_THROWS_AS(parse_manifest(sealed(print_manifest(manifest({link_to("d", "e"), file("d/x")})))), Error);
}

TEST_CASE("a link stays inside whatever other links of its kind there are", "[artifacts]")
{
    CHECK(is_inside("a", "b"));
    CHECK(is_inside("a/b", "../c"));
    CHECK(is_inside("a/b/c", "../../d/e"));
    CHECK(is_inside("a", "./b"));
    CHECK_FALSE(is_inside("a", ""));
    CHECK_FALSE(is_inside("a", "/etc/passwd"));
    CHECK_FALSE(is_inside("a", ".."));
    CHECK_FALSE(is_inside("a/b", "../../c"));
    CHECK_FALSE(is_inside("a", "b/../../c"));
    CHECK_FALSE(is_inside("a/b", "c/../d")); // c may be a link to the top
    CHECK_FALSE(is_inside("a", std::string("b\0c", 3)));
}

TEST_CASE("paths have names and nothing else", "[artifacts]")
{
    CHECK(is_artifact_path("a/b.c"));
    CHECK(is_artifact_path("..."));
    CHECK(is_artifact_path(std::string(255, 'a')));
    CHECK_FALSE(is_artifact_path(std::string(256, 'a')));
    CHECK_FALSE(is_artifact_path(std::string("a\0b", 3)));
    std::string deep = "a";
    for (int i = 1; i < 200; ++i)
        deep += "/a";
    CHECK(is_artifact_path(deep));
    CHECK_FALSE(is_artifact_path(deep + "/a"));
}

TEST_CASE("limits come from the environment, and what is none is told", "[artifacts]")
{
    const ScopedEnv size("GANTRY_ARTIFACTS_MAX", "5m");
    const ScopedEnv files("GANTRY_ARTIFACTS_MAX_FILES", "12");
    CHECK(artifact_limits_from_environment().size_bytes == 5U << 20);
    CHECK(artifact_limits_from_environment().files == 12);
    {
        const ScopedEnv wrong("GANTRY_ARTIFACTS_MAX", "much");
        CHECK_THROWS_AS(artifact_limits_from_environment(), Error);
    }
    const ScopedEnv wrong("GANTRY_ARTIFACTS_MAX_FILES", "12k");
    CHECK_THROWS_AS(artifact_limits_from_environment(), Error);
}
