#include "base/error.hpp"
#include "base/scratch.hpp"
#include "runner/artifact_collector.hpp"
#include "support/catch.hpp"
#include "support/tar_bytes.hpp"

#include <map>
#include <unistd.h>

using namespace gantry;
using namespace gantry::test;
using cache::Artifact;
using runner::ArtifactCollector;
using runner::ArtifactPatterns;
using runner::TarEntry;

namespace {

const pipeline::Artifacts& with_reports(pipeline::Artifacts& artifacts)
{
    artifacts.reports = {{"junit", {"**/junit.xml"}}};
    return artifacts;
}

struct CollectorWorld {
    explicit CollectorWorld(std::vector<std::string> paths, std::vector<std::string> exclude = {}) : patterns(paths, exclude) {}

    void feed(const std::string& archive, const std::string& place = "")
    {
        collector().start(place);
        runner::TarReader reader(collector());
        reader.feed(archive);
        reader.finish();
    }
    ArtifactCollector& collector()
    {
        if (!made)
            made.emplace(keeps ? &patterns : nullptr, keeps ? &draft : nullptr, limits, &reports);
        return *made;
    }
    // Path and what it is: its contents, "/" or "-> target".
    std::map<std::string, std::string> kept()
    {
        cache::Manifest manifest;
        manifest.run = "1";
        manifest.artifacts = collector().take_artifacts();
        store.publish(std::move(draft), manifest);
        std::map<std::string, std::string> found;
        for (const auto& artifact : manifest.artifacts) {
            modes[artifact.path] = artifact.mode;
            if (artifact.type == Artifact::Type::folder)
                found[artifact.path] = "/";
            else
                found[artifact.path] = artifact.type == Artifact::Type::link ? "-> " + artifact.target : contents(artifact);
        }
        return found;
    }
    std::string contents(const Artifact& artifact) const
    {
        const auto file = store.open(artifact);
        std::string bytes(artifact.size_bytes, '\0');
        CHECK(::read(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
        return bytes;
    }

    Scratch folder;
    cache::ArtifactStore store{folder / "artifacts"};
    cache::ArtifactDraft draft = store.begin();
    ArtifactPatterns patterns;
    cache::ArtifactLimits limits;
    pipeline::Artifacts artifacts;
    runner::StageReports reports{with_reports(artifacts),
                                 {folder / "run", "build", [](std::string text) { return text; }, {}}};
    bool keeps = true;
    std::optional<ArtifactCollector> made;
    std::map<std::string, unsigned> modes;
};

using KeptFiles = std::map<std::string, std::string>;

} // namespace

TEST_CASE("what is meant is kept with its kind, contents, mode and time", "[artifacts]")
{
    CollectorWorld world({"bin", "*.txt"}, {"bin/*.tmp"});
    auto timed = entry_of(TarEntry::Type::file, "workspace/a.txt", 0640);
    timed.mtime = 1'700'000'000;
    timed.mtime_nanoseconds = 5;
    timed.size_bytes = 3;
    world.feed(archive_of({tar_folder("workspace"), tar_entry(timed, "one"), tar_folder("workspace/bin", 0711),
                           tar_file("workspace/bin/x.tmp", "no"), tar_file("workspace/bin/y", "yes", 0755),
                           tar_link("workspace/bin/z", "y"), tar_file("workspace/other", "no")}));
    const auto artifacts = world.collector().sum();
    CHECK(artifacts == cache::ArtifactSum{3, 6});
    CHECK(world.kept() == KeptFiles{{"a.txt", "one"}, {"bin", "/"}, {"bin/y", "yes"}, {"bin/z", "-> y"}});
    CHECK(world.modes == std::map<std::string, unsigned>{{"a.txt", 0640}, {"bin", 0711}, {"bin/y", 0755}, {"bin/z", 0777}});
    CHECK(world.collector().left_out_count() == 0);
}

TEST_CASE("an archive of a folder below counts from there", "[artifacts]")
{
    CollectorWorld world({"build/out"});
    world.feed(archive_of({tar_folder("out"), tar_file("out/a", "one")}), "build/out");
    CHECK(world.kept() == KeptFiles{{"build/out", "/"}, {"build/out/a", "one"}});
}

TEST_CASE("bits that give a program another user are taken off", "[artifacts]")
{
    CollectorWorld world({"."});
    world.feed(archive_of({tar_file("w/su", "x", 06755), tar_folder("w/tmp", 01777)}));
    world.kept();
    CHECK(world.modes == std::map<std::string, unsigned>{{"su", 0755}, {"tmp", 0777}});
}

TEST_CASE("links that lead out, devices and pipes are left out and told, and the rest is kept", "[artifacts]")
{
    CollectorWorld world({"."});
    world.feed(archive_of({tar_folder("w/d"), tar_link("w/d/root", "/"), tar_link("w/d/up", "../../x"),
                           tar_link("w/d/winding", "a/../../../x"), tar_link("w/d/good", "../a"), tar_block("w/null", '3'),
                           tar_block("w/disk", '4'), tar_block("w/pipe", '6'), tar_file("w/a", "one")}));
    CHECK(world.kept() == KeptFiles{{"a", "one"}, {"d", "/"}, {"d/good", "-> ../a"}});
    CHECK(world.collector().left_out_count() == 6);
    CHECK(world.collector().left_out().size() == 5);
    CHECK(world.collector().left_out()[0] == "d/root (a link that leads out of the workspace)");
}

TEST_CASE("an archive with a name that leads out is refused as a whole", "[artifacts]")
{
    for (const std::string name : {"w/../../x", "/x", "w/a/../../x", "../x", "w//x", "w/./x"}) {
        CollectorWorld world({"."});
        CHECK_THROWS_AS(world.feed(archive_of({tar_file("w/a", "one"), tar_file(name, "out")})), Error);
        CollectorWorld by_pax({"."});
        const auto record = "path=" + name + "\n";
        const auto length = record.size() + 3;
        CHECK_THROWS_AS(by_pax.feed(archive_of({tar_pax(std::to_string(length) + " " + record), tar_block("w/plain", '0')})), Error);
    }
}

TEST_CASE("nothing is kept behind a link or a file, and nothing twice", "[artifacts]")
{
    CollectorWorld behind_link({"."});
    CHECK_THROWS_AS(behind_link.feed(archive_of({tar_link("w/d", "e"), tar_file("w/d/x", "through")})), Error);
    CollectorWorld behind_file({"."});
    CHECK_THROWS_AS(behind_file.feed(archive_of({tar_file("w/d", "e"), tar_file("w/d/x", "through")})), Error);
    CollectorWorld twice({"."});
    CHECK_THROWS_AS(twice.feed(archive_of({tar_file("w/d", "e"), tar_link("w/d", "f")})), Error);
}

TEST_CASE("a further name of a file has its contents, and one of what was not wanted is asked for again", "[artifacts]")
{
    CollectorWorld world({"b", "z"});
    world.feed(archive_of({tar_file("w/a", "unwanted name"), tar_hard_link("w/b", "w/a"), tar_file("w/y", "two"), tar_hard_link("w/z", "w/y")}));
    CHECK(world.collector().take_again() == std::vector<std::string>{"b", "z"});
    world.feed(archive_of({tar_file("b", "unwanted name")}), "b");
    world.feed(archive_of({tar_file("z", "two")}), "z");
    CHECK(world.kept() == KeptFiles{{"b", "unwanted name"}, {"z", "two"}});

    CollectorWorld both({"."});
    both.feed(archive_of({tar_file("w/a", "one", 0755), tar_hard_link("w/b", "w/a")}));
    CHECK(both.collector().sum() == cache::ArtifactSum{2, 6});
    CHECK(both.kept() == KeptFiles{{"a", "one"}, {"b", "one"}});
    CHECK(both.store.usage() == cache::ArtifactSum{1, 3});

    CollectorWorld outside({"."});
    CHECK_THROWS_AS(outside.feed(archive_of({tar_hard_link("w/b", "../../etc/passwd")})), Error);
    CollectorWorld to_link({"."});
    CHECK_THROWS_AS(to_link.feed(archive_of({tar_link("w/a", "c"), tar_hard_link("w/b", "w/a")})), Error);
}

TEST_CASE("limits hold before anything is written, and are told", "[artifacts]")
{
    CollectorWorld world({"."});
    SECTION("of bytes in all")
    {
        world.limits.size_bytes = 10;
        CHECK_THROWS_AS(world.feed(archive_of({tar_file("w/a", "12345"), tar_file("w/b", "123456")})), Error);
    }
    SECTION("of one file, whose contents never come")
    {
        world.limits.size_bytes = 1 << 20;
        CHECK_THROWS_AS(world.feed(tar_block("w/a", '0', "77777777777")), Error);
    }
    SECTION("of further names")
    {
        world.limits.size_bytes = 10;
        CHECK_THROWS_AS(world.feed(archive_of({tar_file("w/a", "12345678"), tar_hard_link("w/b", "w/a")})), Error);
    }
    SECTION("of files, folders and links")
    {
        world.limits.files = 2;
        CHECK_THROWS_AS(world.feed(archive_of({tar_folder("w/a"), tar_file("w/b", ""), tar_link("w/c", "b")})), Error);
    }
    CHECK(world.collector().over_limit());
}

TEST_CASE("what is not meant counts for no limit", "[artifacts]")
{
    CollectorWorld world({"a"});
    world.limits = {3, 1};
    world.feed(archive_of({tar_file("w/a", "one"), tar_file("w/b", "much more"), tar_folder("w/c")}));
    CHECK(world.kept() == KeptFiles{{"a", "one"}});
}

TEST_CASE("paths that cannot be kept are left out", "[artifacts]")
{
    CollectorWorld world({"."});
    std::string deep = "w";
    for (int i = 0; i < 201; ++i)
        deep += "/d";
    world.feed(archive_of({tar_folder(deep), tar_file("w/" + std::string(256, 'n'), "x"), tar_file("w/a", "one")}));
    CHECK(world.kept() == KeptFiles{{"a", "one"}});
    CHECK(world.collector().left_out_count() == 2);
}

TEST_CASE("reports are read, also where nothing is kept", "[artifacts]")
{
    CollectorWorld world({"."});
    world.keeps = GENERATE(true, false);
    make_directories(world.folder / "run", 0700);
    world.feed(archive_of(
        {tar_file("w/a/junit.xml", "<testsuite name='s'><testcase name='t'/></testsuite>"), tar_file("w/c", "other")}));
    bool passed = false;
    for (const auto& event : world.reports.finish())
        passed = passed || (event.kind == runner::RunEvent::Kind::tests && event.outputs.at("passed") == "1");
    CHECK(passed);
    if (world.keeps)
        CHECK(world.kept().size() == 2);
    else
        CHECK(world.collector().take_artifacts().empty());
}
