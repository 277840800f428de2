#include "base/error.hpp"
#include "base/file.hpp"
#include "base/scratch.hpp"
#include "runner/artifact_writer.hpp"
#include "support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <functional>

using namespace gantry;
using cache::Artifact;
using runner::choose_artifacts;
using runner::Existing;
using runner::write_artifacts;

namespace {

struct KeptArtifactsWorld {
    Scratch scratch;
    cache::ArtifactStore store{scratch / "artifacts"};
    std::string to = scratch / "to";

    // What a stage kept: paths with the contents of files; "x/" is a folder, and "-> y" the contents of a link.
    cache::Manifest keep(const std::string& stage, const std::map<std::string, std::string>& files)
    {
        auto draft = store.begin();
        cache::Manifest manifest;
        manifest.run = "17";
        manifest.stage = stage;
        for (const auto& [path, contents] : files) {
            Artifact made;
            made.path = path;
            made.mode = 0640;
            made.mtime = 1'700'000'000;
            if (path.ends_with('/')) {
                made.type = Artifact::Type::folder;
                made.path.pop_back();
                made.mode = 0750;
            } else if (contents.starts_with("-> ")) {
                made.type = Artifact::Type::link;
                made.target = contents.substr(3);
            } else {
                draft.add(contents);
                made.size_bytes = contents.size();
                made.digest = draft.end_file();
            }
            manifest.artifacts.push_back(made);
        }
        store.publish(std::move(draft), manifest);
        return manifest;
    }

    cache::ArtifactSum write(const std::vector<cache::Manifest>& manifests, Existing existing = Existing::refuse) const
    {
        return write_artifacts(store, choose_artifacts(manifests, {}), to, existing);
    }

    void put(const std::string& path, const std::string& contents = "mine") const
    {
        std::filesystem::create_directories(std::filesystem::path(to + "/" + path).parent_path());
        write_file_atomic(to + "/" + path, contents, 0600);
    }

    std::string text(const std::string& path) const { return read_file(to + "/" + path, 1 << 20); }
};

// "code: what | hint"
std::string refused_with(const std::function<void()>& call)
{
    try {
        call();
    } catch (const Error& error) {
        return std::string(to_string(error.code())) + ": " + error.what() + " | " + error.hint();
    }
    return "no error";
}

} // namespace

TEST_CASE("artifacts are written with their contents, modes, times and links", "[artifacts]")
{
    KeptArtifactsWorld world;
    const auto kept = world.keep("build", {{"bin/", ""}, {"bin/app", "binary"}, {"bin/link", "-> app"}, {"deep/down/empty", ""}});
    CHECK(world.write({kept}) == cache::ArtifactSum{3, 6});
    CHECK(world.text("bin/app") == "binary");
    CHECK(world.text("deep/down/empty").empty());
    CHECK(std::filesystem::read_symlink(world.to + "/bin/link") == "app");
    CHECK(mode_of(world.to + "/bin") == 0750);
    CHECK(mode_of(world.to + "/bin/app") == 0640);
    struct stat info {};
    REQUIRE(::stat((world.to + "/bin/app").c_str(), &info) == 0);
    CHECK(info.st_mtime == 1'700'000'000);
}

TEST_CASE("contents that were damaged on the disk are refused, and nothing of them is left", "[artifacts]")
{
    KeptArtifactsWorld world;
    const auto kept = world.keep("build", {{"app", "binary"}, {"other", "sound"}});
    const auto digest = kept.artifacts.at(0).digest;
    const auto object = world.store.folder() + "/objects/" + digest.substr(0, 2) + "/" + digest;
    REQUIRE(read_file(object, 100) == "binary");
    std::ofstream(object) << "binarY"; // as long as before
    CHECK(refused_with([&] { world.write({kept}); }) ==
          "internal: app: its contents were damaged on the disk | run the stage again: gantry rerun");
    CHECK(entries_in(world.to) == 0);

    world.put("app");
    CHECK_THROWS_AS(world.write({kept}, Existing::replace), Error);
    CHECK(world.text("app") == "mine");
    std::ofstream(object) << "binary";
    CHECK(world.write({kept}, Existing::replace) == cache::ArtifactSum{2, 11});
    CHECK(world.text("app") == "binary");
}

TEST_CASE("two stages that kept the same under one path are no conflict, two that differ are one", "[artifacts]")
{
    KeptArtifactsWorld world;
    const auto one = world.keep("one", {{"dir/", ""}, {"dir/a", "same"}, {"l", "-> dir"}, {"only", "1"}});
    const auto two = world.keep("two", {{"dir/", ""}, {"dir/a", "same"}, {"l", "-> dir"}, {"z", "2"}});
    std::vector<std::string> chosen;
    for (const auto& artifact : choose_artifacts({one, two}, {}))
        chosen.push_back(artifact.stage + " " + artifact.artifact.path);
    CHECK(chosen == std::vector<std::string>{"one dir", "one dir/a", "one l", "one only", "two z"});
    CHECK(world.write({one, two}) == cache::ArtifactSum{4, 6});

    const auto conflict = [&](const std::map<std::string, std::string>& files, const std::vector<std::string>& patterns = {}) {
        const auto third = world.keep("three", files);
        return refused_with([&] { choose_artifacts({one, third}, patterns); });
    };
    CHECK(conflict({{"dir/a", "other"}}) == "conflict: one and three both kept dir/a, each its own | name one of the two stages");
    CHECK(conflict({{"dir", "a file"}}).starts_with("conflict: one and three both kept dir,"));
    CHECK(conflict({{"l", "-> only"}}).starts_with("conflict: one and three both kept l,"));
    CHECK(conflict({{"dir/a", "other"}, {"only", "1"}}, {"only"}) == "no error"); // nobody asks for what differs
}

TEST_CASE("what is there already is named before anything is written", "[artifacts]")
{
    KeptArtifactsWorld world;
    const auto kept = world.keep("build", {{"a", "a"}, {"b", "b"}, {"c", "c"}, {"d/", ""}, {"d/e", "e"}, {"f", "f"}});
    for (const auto* path : {"a", "b", "d/e"}) // a folder that is there is in nobody's way
        world.put(path);
    const std::string hint = " | --to DIR writes elsewhere, --force replaces files";
    CHECK(refused_with([&] { world.write({kept}); }) == "conflict: already there: a, b, d/e" + hint);
    CHECK_FALSE(std::filesystem::exists(world.to + "/c"));
    world.put("c");
    world.put("f");
    CHECK(refused_with([&] { world.write({kept}); }) == "conflict: already there: a, b, c and 2 more" + hint);
    CHECK(world.text("a") == "mine");

    world.write({kept}, Existing::replace);
    CHECK(world.text("f") == "f");
    std::filesystem::remove(world.to + "/f");
    world.put("f/mine");
    CHECK(refused_with([&] { world.write({kept}, Existing::replace); }) ==
          "conflict: already there: f/ | remove the folder first, or write elsewhere with --to DIR");
    CHECK(world.text("f/mine") == "mine");
}

TEST_CASE("a pattern that no artifact matches is refused, with the path that may be meant", "[artifacts]")
{
    KeptArtifactsWorld world;
    const auto kept = world.keep("build", {{"report.xml", "x"}, {"log", "y"}});
    REQUIRE(choose_artifacts({kept}, {"*.xml"}).size() == 1);
    CHECK(refused_with([&] { choose_artifacts({kept}, {"log", "reprot.xml"}); }) ==
          "not_found: no artifact matches 'reprot.xml' | did you mean report.xml?");
    CHECK(refused_with([&] { choose_artifacts({kept}, {"*.html"}); }) == "not_found: no artifact matches '*.html' | without a path, all are written");
}
