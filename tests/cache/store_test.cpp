#include "base/error.hpp"
#include "base/scratch.hpp"
#include "cache/store.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <filesystem>
#include <thread>

using namespace gantry;
using namespace gantry::cache;

namespace {

Entry entry(const std::string& key, const std::string& volume, std::uint64_t size_bytes = 10)
{
    Entry made;
    made.place = {"engine", "/src/shop", "deps"};
    made.key = key;
    made.layers = {{volume, size_bytes, 1, "d"}};
    made.saved = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
    made.run = "17";
    made.stage = "test";
    return made;
}

std::string only_record(const std::string& folder)
{
    std::string found;
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder + "/entries"))
        if (file.path().extension() == ".json")
            found = file.path().string();
    return found;
}

} // namespace

TEST_CASE("an entry is what it was after it was written and read", "[store]")
{
    const Scratch folder;
    Store store(folder / "caches", {});
    const auto written = entry("k \xf0\x9f\x92\xa1 ../../other", "v");
    store.open().put(written);
    auto session = store.open();
    const auto read = session.find(written.place, written.key);
    REQUIRE(read);
    CHECK(*read == written);
    CHECK_FALSE(session.find(written.place, "k"));
    auto elsewhere = written.place;
    elsewhere.scope = "/src/other";
    CHECK_FALSE(session.find(elsewhere, written.key));
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a scope is the repository, and the branch of a private cache", "[store]")
{
    for (const auto* branch : {"", "branch main", "tag v1"}) {
        Place place;
        place.scope = scope_of({"/src/shop", branch});
        CHECK(whose(place).repository == "/src/shop");
        CHECK(whose(place).branch == branch);
    }
}

TEST_CASE("a record that is not what was written is set aside, told, and is no entry", "[store]")
{
    const Scratch folder;
    Store store(folder / "caches", {});
    std::vector<std::string> told;
    store.tell_damage_to([&](const std::string& what) { told.push_back(what); });
    store.open().put(entry("k", "volume-1"));
    const auto path = only_record(folder / "caches");
    auto text = read_file(path, 1 << 20);
    SECTION("another volume") { text.replace(text.find("volume-1"), 8, "volume-2"); }
    SECTION("cut off") { text.resize(text.size() / 2); }
    SECTION("empty") { text.clear(); }
    SECTION("no JSON") { text = "\xff\xfe"; }
    write_file_atomic(path, text, 0600);

    CHECK(store.open().entries().empty());
    CHECK(told.size() == 1);
    CHECK(std::filesystem::exists(path + ".damaged"));
    CHECK(store.open().entries().empty());
    CHECK(told.size() == 1);
}

TEST_CASE("the record of one key under the name of another is damage", "[store]")
{
    const Scratch folder;
    Store store(folder / "caches", {});
    store.open().put(entry("k", "v"));
    const auto path = only_record(folder / "caches");
    const auto moved = path.substr(0, path.rfind('/')) + "/0123.json";
    std::filesystem::rename(path, moved);
    CHECK(store.open().entries().empty());
    CHECK(std::filesystem::exists(moved + ".damaged"));
}

TEST_CASE("only one has the store at a time", "[store]")
{
    const Scratch folder;
    Store store(folder / "caches", {});
    const auto session = store.open();
    CHECK_FALSE(try_lock_file(folder / "caches/lock"));
}

TEST_CASE("what a living process has pinned is known, and what a dead one has left is found", "[store]")
{
    const Scratch folder;
    Store store(folder / "caches", {});
    CHECK_FALSE(store.has_unattended());
    {
        auto one = store.open().pin({"engine", {"a", "b"}});
        auto other = store.open().pin({"engine", {"b", "c"}});
        auto elsewhere = store.open().pin({"another", {"d"}});
        CHECK(store.open().pinned("engine", nullptr) == std::set<std::string>{"a", "b", "c"});
        CHECK(store.open().pinned("engine", &one) == std::set<std::string>{"b", "c"});
        store.open().change(one, {"engine", {"a"}});
        CHECK(store.open().pinned("engine", &other) == std::set<std::string>{"a"});
        CHECK_FALSE(store.has_unattended());
        other.release();
        elsewhere.release();
    }
    CHECK(store.has_unattended());
    const auto left = store.open().unattended();
    REQUIRE(left.size() == 1);
    CHECK(left[0].contents.names == std::set<std::string>{"a"});
    CHECK(store.open().pinned("engine", nullptr).empty());
}

TEST_CASE("who looks for pins hinders nobody who pins", "[store]")
{
    const Scratch folder;
    Store store(folder / "caches", {});
    std::atomic<bool> ended = false;
    std::thread looks([&] {
        while (!ended)
            store.has_unattended();
    });
    std::string failure;
    try {
        for (int i = 0; i < 500; ++i)
            store.open().pin({"engine", {"a"}}).release();
    } catch (const Error& error) {
        failure = error.what();
    }
    ended = true;
    looks.join();
    CHECK(failure.empty());
}

TEST_CASE("entries come in the order of their last use", "[store]")
{
    const Scratch folder;
    Store store(folder / "caches", {});
    store.open().put(entry("1", "a"));
    store.open().put(entry("2", "b"));
    store.open().put(entry("3", "c"));
    store.open().touch(entry("1", "a"));
    std::string order;
    for (const auto& used : store.open().entries())
        order += used.entry.key;
    CHECK(order == "132");
    store.open().remove(entry("3", "c"));
    CHECK(store.open().entries().size() == 2);
}
