#include "base/error.hpp"
#include "base/format.hpp"
#include "base/scratch.hpp"
#include "cache/artifact_store.hpp"
#include "support/catch.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <thread>

using namespace gantry;
using namespace gantry::cache;

namespace {

using Files = std::map<std::string, std::string>;

Artifact add(ArtifactDraft& draft, const std::string& path, const std::string& contents)
{
    Artifact made;
    made.path = path;
    made.mode = 0644;
    made.size_bytes = contents.size();
    draft.add(contents.substr(0, contents.size() / 2));
    draft.add(contents.substr(contents.size() / 2));
    made.digest = draft.end_file();
    return made;
}

Manifest keep(ArtifactStore& store, const std::string& run, const std::string& stage, const Files& files)
{
    auto draft = store.begin();
    Manifest manifest;
    manifest.run = run;
    manifest.stage = stage;
    manifest.saved = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
    for (const auto& [path, contents] : files)
        manifest.artifacts.push_back(add(draft, path, contents));
    store.publish(std::move(draft), manifest);
    return manifest;
}

std::string contents(const ArtifactStore& store, const Artifact& artifact)
{
    const auto file = store.open(artifact);
    std::string bytes(artifact.size_bytes + 1, '\0');
    const auto count = ::read(file.get(), bytes.data(), bytes.size());
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return bytes;
}

std::size_t files_in(const std::string& folder)
{
    std::size_t count = 0;
    if (std::filesystem::exists(folder))
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
            count += entry.is_regular_file() ? 1 : 0;
    return count;
}

const auto all = [](const StoredArtifacts&) { return true; };
const auto none = [](const StoredArtifacts&) { return false; };

} // namespace

TEST_CASE("what is kept is read again, byte by byte", "[artifacts]")
{
    const Scratch folder;
    ArtifactStore store(folder / "artifacts");
    const auto kept = keep(store, "17", "build", {{"a", "one"}, {"b", ""}, {"c", std::string(300'000, 'x')}});
    const auto found = store.find("17", "build");
    REQUIRE(found);
    CHECK(*found == kept);
    CHECK(contents(store, found->artifacts[0]) == "one");
    CHECK(contents(store, found->artifacts[1]).empty());
    CHECK(contents(store, found->artifacts[2]) == std::string(300'000, 'x'));
    CHECK_FALSE(store.find("17", "test"));
    CHECK_FALSE(store.find("18", "build"));
    CHECK(files_in(folder / "artifacts/new") == 0);
}

TEST_CASE("equal files take their place once, in a stage and in others", "[artifacts]")
{
    const Scratch folder;
    ArtifactStore store(folder / "artifacts");
    keep(store, "17", "build", {{"a", "same"}, {"b", "same"}, {"c", "other"}});
    CHECK(store.usage() == ArtifactSum{2, 9});
    keep(store, "18", "build", {{"x", "same"}, {"y", "third"}});
    CHECK(store.usage() == ArtifactSum{3, 14});

    const auto listed = store.list();
    REQUIRE(listed.size() == 2);
    CHECK(listed[0].sum == ArtifactSum{3, 13});
    CHECK(listed[1].sum == ArtifactSum{2, 9});
}

TEST_CASE("publishing tells what is new", "[artifacts]")
{
    const Scratch folder;
    ArtifactStore store(folder / "artifacts");
    keep(store, "17", "build", {{"a", "same"}});
    auto draft = store.begin();
    Manifest manifest;
    manifest.run = "18";
    manifest.stage = "build";
    manifest.artifacts = {add(draft, "a", "same"), add(draft, "b", "fresh")};
    CHECK(store.publish(std::move(draft), manifest) == 5);
}

TEST_CASE("a stage that keeps again replaces what it had kept", "[artifacts]")
{
    const Scratch folder;
    ArtifactStore store(folder / "artifacts");
    keep(store, "17", "build", {{"a", "one"}});
    keep(store, "17", "build", {{"b", "two"}});
    REQUIRE(store.list("17").size() == 1);
    CHECK(store.find("17", "build")->artifacts[0].path == "b");
    store.remove(none);
    CHECK(store.usage() == ArtifactSum{1, 3});
}

TEST_CASE("a draft that is not published leaves nothing", "[artifacts]")
{
    const Scratch folder;
    ArtifactStore store(folder / "artifacts");
    {
        auto draft = store.begin();
        add(draft, "a", "one");
        draft.add("half");
    }
    CHECK(store.list().empty());
    CHECK(files_in(folder / "artifacts/new") == 0);
    CHECK(files_in(folder / "artifacts/objects") == 0);
}

TEST_CASE("a file that is dropped is no part of the draft", "[artifacts]")
{
    const Scratch folder;
    ArtifactStore store(folder / "artifacts");
    auto draft = store.begin();
    draft.add("secret");
    draft.drop_file();
    Manifest manifest;
    manifest.run = "1";
    manifest.artifacts = {add(draft, "a", "one")};
    store.publish(std::move(draft), manifest);
    CHECK(store.usage() == ArtifactSum{1, 3});
    CHECK(contents(store, manifest.artifacts[0]) == "one");
}

TEST_CASE("what goes takes the contents that nobody else has", "[artifacts]")
{
    const Scratch folder;
    ArtifactStore store(folder / "artifacts");
    keep(store, "17", "build", {{"a", "same"}, {"b", "only 17"}});
    keep(store, "18", "build", {{"a", "same"}});
    const auto of_17 = [](const StoredArtifacts& stored) { return stored.manifest.run == "17"; };

    const auto would = store.remove(of_17, ArtifactStore::Act::only_tell);
    CHECK(would.size_bytes == 7);
    CHECK(store.list().size() == 2);

    const auto removed = store.remove(of_17);
    CHECK(removed.stages == 1);
    CHECK(removed.files == 1);
    CHECK(removed.size_bytes == 7);
    CHECK(contents(store, store.find("18", "build")->artifacts[0]) == "same");
    CHECK_FALSE(std::filesystem::exists(folder / "artifacts/runs/17"));
    store.remove(all);
    CHECK(store.usage() == ArtifactSum{});
}

TEST_CASE("what expired and what no run has goes, and the rest stays", "[artifacts]")
{
    const Scratch folder;
    ArtifactStore store(folder / "artifacts");
    const auto now = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
    const auto keep_until = [&](const std::string& run, std::optional<std::chrono::hours> from_now) {
        auto draft = store.begin();
        Manifest manifest;
        manifest.run = run;
        if (from_now)
            manifest.expires = now + *from_now;
        manifest.artifacts = {add(draft, "a", run)};
        store.publish(std::move(draft), manifest);
    };
    keep_until("1", std::nullopt);
    keep_until("2", std::chrono::hours(-1));
    keep_until("3", std::chrono::hours(1));
    keep_until("4", std::nullopt);
    store.remove(is_over(now, {"1", "2", "3"}));
    std::vector<std::string> left;
    for (const auto& stored : store.list())
        left.push_back(stored.manifest.run);
    CHECK(left == std::vector<std::string>{"1", "3"});
}

TEST_CASE("what a run keeps that begins while somebody tidies up stays", "[artifacts]")
{
    const Scratch folder;
    ArtifactStore store(folder / "artifacts");
    keep(store, "1", "build", {{"a", "gone"}});
    keep(store, "2", "build", {{"a", "two"}});
    std::set<std::string> runs{"2"};
    int asked = 0;
    store.tidy([&] {
        const auto known = runs;
        if (++asked == 1) { // others still can, and this is how long it takes until they cannot
            runs.insert("3");
            keep(store, "3", "build", {{"a", "three"}});
        } else {
            const Fd lock(::open((folder / "artifacts/lock").c_str(), O_RDWR | O_CLOEXEC));
            CHECK(::flock(lock.get(), LOCK_SH | LOCK_NB) != 0);
        }
        return is_over(std::chrono::system_clock::time_point(), known);
    });
    CHECK(asked == 2);
    CHECK(store.list("1").empty());
    CHECK(store.list("2").size() == 1);
    REQUIRE(store.list("3").size() == 1);
    CHECK(contents(store, store.find("3", "build")->artifacts[0]) == "three");
}

TEST_CASE("what a draft holds stays while somebody removes, and what a dead one held goes", "[artifacts]")
{
    const Scratch folder;
    ArtifactStore store(folder / "artifacts");
    auto draft = store.begin();
    Manifest manifest;
    manifest.run = "17";
    manifest.artifacts = {add(draft, "a", "one")};

    const auto child = ::fork();
    if (child == 0) { // dies in the middle
        auto other = store.begin();
        other.add("half of a file");
        ::_exit(0);
    }
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    REQUIRE(files_in(folder / "artifacts/new") == 2);

    store.remove(all);
    CHECK(files_in(folder / "artifacts/new") == 1);
    store.publish(std::move(draft), manifest);
    CHECK(contents(store, store.find("17", "")->artifacts[0]) == "one");
}

TEST_CASE("many keep while one removes, and all that was kept is there", "[artifacts]")
{
    const Scratch folder;
    constexpr int k_each = 40;
    const auto work = [&](int which) {
        ArtifactStore own(folder / "artifacts");
        for (int i = 0; i < k_each; ++i)
            keep(own, std::to_string(which * 1000 + i), "s", {{"a", "same"}, {"b", std::to_string(i)}});
    };
    std::thread one([&] { work(1); }), two([&] { work(2); });
    ArtifactStore store(folder / "artifacts");
    for (int i = 0; i < 20; ++i)
        store.remove(none);
    one.join();
    two.join();
    store.remove(none);
    const auto listed = store.list();
    CHECK(listed.size() == 2 * k_each);
    for (const auto& stored : listed) {
        const auto manifest = store.find(stored.manifest.run, "s");
        for (const auto& artifact : manifest.value().artifacts)
            CHECK(sha256_hex(contents(store, artifact)) == artifact.digest);
    }
    CHECK(store.usage().files == 1 + k_each);
}

TEST_CASE("a damaged manifest is set aside and told, and hurts no other", "[artifacts]")
{
    const Scratch folder;
    ArtifactStore store(folder / "artifacts");
    keep(store, "17", "build", {{"a", "one"}});
    keep(store, "18", "build", {{"a", "two"}});
    const auto path = store.list("17").at(0).path;
    std::ofstream(path, std::ios::app) << "more\n";
    CHECK_THROWS_AS(store.find("17", "build"), Error);
    CHECK_FALSE(store.find("17", "build"));
    CHECK(store.list().size() == 1);
    store.remove(none);
    CHECK(store.usage() == ArtifactSum{1, 3});
}

TEST_CASE("what another version wrote is left alone, and told", "[artifacts]")
{
    const Scratch folder;
    ArtifactStore store(folder / "artifacts");
    keep(store, "17", "build", {{"a", "one"}});
    const auto path = store.list("17").at(0).path;
    std::ifstream in(path);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto at = text.find("\"format\":1");
    REQUIRE(at != std::string::npos);
    std::ofstream(path) << text.replace(at, 10, "\"format\":2");
    CHECK_THROWS_AS(store.remove(all), Error);
    CHECK(store.usage() == ArtifactSum{1, 3});
}

TEST_CASE("a run's name leads nowhere else", "[artifacts]")
{
    const Scratch folder;
    ArtifactStore store(folder / "artifacts");
    CHECK_THROWS_AS(store.find("../17", "build"), Error);
    CHECK_THROWS_AS(store.list(".."), Error);
    CHECK_THROWS_AS(store.list(""), Error);
}
