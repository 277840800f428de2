#include "runner/housekeeping.hpp"

#include "base/error.hpp"
#include "runner/cache_volumes.hpp"
#include "support/catch.hpp"

#include <algorithm>

using namespace gantry;
using namespace gantry::runner;
using namespace std::chrono_literals;
using engine::ObjectKind;
using engine::StoredObject;

namespace {

constexpr auto k_day = std::chrono::hours(24);
const WallTime k_now = std::chrono::system_clock::from_time_t(1'700'000'000);

// What there is, and what becomes of it.
struct HousekeepingWorld {
    HousekeepingFacts facts;
    HousekeepingRules rules;

    HousekeepingWorld()
    {
        facts.now = k_now;
        facts.cache_store = "store";
        rules.keep = 0;
    }

    // The newest first, as the store lists them.
    KnownRun& run(const std::string& id, KnownRun::State state, std::chrono::hours age)
    {
        KnownRun run;
        run.id = id;
        run.state = state;
        run.last = k_now - age;
        run.size_bytes = 100;
        return facts.runs.emplace_back(run);
    }

    StoredObject& object(ObjectKind kind, const std::string& name, const std::string& run, std::chrono::hours age)
    {
        StoredObject stored;
        stored.object.kind = kind;
        stored.object.name = name;
        stored.object.labels["gantry.instance"] = "1f2e";
        if (!run.empty())
            stored.object.labels["gantry.run"] = run;
        stored.created = k_now - age;
        stored.size_bytes = 1000;
        return facts.objects.emplace_back(stored);
    }

    StoredObject& image(const std::string& tag, const std::string& run, std::chrono::hours age)
    {
        auto& stored = object(ObjectKind::image, tag, run, age);
        stored.tags = {tag};
        return stored;
    }

    StoredObject& layer(const std::string& name, std::chrono::hours age)
    {
        auto& stored = object(ObjectKind::volume, name, "", age);
        stored.object.labels[k_cache_store_label] = "store";
        stored.object.labels[k_cache_label] = "npm";
        return stored;
    }

    void entry(const std::string& key, const std::vector<std::string>& volumes, std::chrono::hours unused)
    {
        cache::Used used;
        used.entry.place = {"engine", "/src/shop", "npm"};
        used.entry.key = key;
        for (const auto& volume : volumes)
            used.entry.layers.push_back({volume, 1000, 1, "d"});
        used.used = k_now - unused;
        facts.caches.push_back(used);
    }

    void artifacts(const std::string& run, std::chrono::hours age, std::optional<std::chrono::hours> expires_in)
    {
        cache::StoredArtifacts stored;
        stored.manifest.run = run;
        stored.manifest.stage = "build";
        stored.manifest.saved = k_now - age;
        if (expires_in)
            stored.manifest.expires = k_now + *expires_in;
        stored.path = "artifacts of " + run;
        facts.artifacts.push_back(stored);
    }

    std::vector<std::string> going() const
    {
        std::vector<std::string> names;
        for (const auto& item : judge(facts, rules))
            if (item.goes)
                names.push_back(item.cache ? item.cache->entry.key : item.name);
        std::sort(names.begin(), names.end());
        return names;
    }

    std::string why(const std::string& name) const
    {
        for (const auto& item : judge(facts, rules))
            if (item.name == name)
                return item.why;
        return "not there";
    }

    std::string about(const std::string& name) const
    {
        for (const auto& item : judge(facts, rules))
            if (item.name == name)
                return item.about;
        return "not there";
    }
};

using NameList = std::vector<std::string>;

} // namespace

TEST_CASE("what a living run has stays, whatever its age and whatever is asked for", "[housekeeping]")
{
    HousekeepingWorld world;
    world.rules.all = true;
    world.run("7", KnownRun::State::living, 400 * k_day);
    world.object(ObjectKind::container, "step", "7", 400 * k_day);
    world.object(ObjectKind::network, "net", "7", 400 * k_day);
    world.object(ObjectKind::volume, "ws", "7", 400 * k_day);
    world.image("shop:ci", "7", 400 * k_day);
    world.artifacts("7", 400 * k_day, -1h);
    CHECK(world.going().empty());
    CHECK(world.why("step") == "run 7 goes on");
}

TEST_CASE("what --keep-failed kept goes when its run has ended for longer than the limit", "[housekeeping]")
{
    HousekeepingWorld world;
    world.rules.kinds = {Kept::containers, Kept::networks, Kept::volumes};
    world.run("8", KnownRun::State::ended, 2 * k_day);
    world.run("7", KnownRun::State::ended, 4 * k_day);
    for (const auto* id : {"7", "8"}) {
        world.object(ObjectKind::container, "c" + std::string(id), id, 9 * k_day);
        world.object(ObjectKind::volume, "v" + std::string(id), id, 9 * k_day).in_use = true;
    }
    CHECK(world.going() == NameList{"c7", "v7"});
    CHECK(world.why("v8") == "a container of run 8 stays");
    world.rules.older_than = 1h;
    CHECK(world.going() == NameList{"c7", "c8", "v7", "v8"});
    world.rules.kinds = {Kept::volumes}; // their containers are not to go
    CHECK(world.going().empty());
}

TEST_CASE("a container that runs after its run's end stays even with --all, until it is old", "[housekeeping]")
{
    HousekeepingWorld world;
    world.rules.all = true;
    world.run("8", KnownRun::State::ended, 2 * k_day);
    world.run("7", KnownRun::State::ended, 4 * k_day);
    world.object(ObjectKind::container, "c8", "8", 9 * k_day).in_use = true;
    world.object(ObjectKind::container, "c7", "7", 9 * k_day).in_use = true;
    CHECK(world.going() == NameList{"7", "c7"}); // with its logs; those of run 8 stay with its container
}

TEST_CASE("objects of a run that nobody knows go by their own age", "[housekeeping]")
{
    HousekeepingWorld world;
    world.object(ObjectKind::container, "old", "3", 4 * k_day);
    world.object(ObjectKind::container, "new", "3", 1h);
    world.object(ObjectKind::network, "unknown", "3", 0h).created = {};
    CHECK(world.going() == NameList{"old"});
    CHECK(world.why("unknown") == "its age is not known");
}

TEST_CASE("images of the newest runs stay: those that they built and those that they used", "[housekeeping]")
{
    HousekeepingWorld world;
    world.rules.kinds = {Kept::images};
    world.rules.keep = 1;
    world.run("9", KnownRun::State::ended, 1h).images = {"shop", "sha256:f00"};
    world.run("2", KnownRun::State::ended, 40 * k_day);
    world.image("built:1", "9", 40 * k_day);
    world.image("shop:latest", "2", 40 * k_day);
    world.image("by-id:1", "2", 40 * k_day).object.id = "sha256:f00";
    world.image("a-container-has-it:1", "2", 40 * k_day).in_use = true;
    world.image("young:1", "2", 5 * k_day);
    world.image("old:1", "2", 40 * k_day);
    world.image("older:1", "1", 40 * k_day); // its run is forgotten
    world.image("two-names:1", "9", 40 * k_day).tags = {"two-names:1", "somebody:else"};
    CHECK(world.going() == NameList{"old:1", "older:1"});
    world.rules.all = true;
    CHECK(world.going() == NameList{"old:1", "older:1", "young:1"});
    CHECK(world.why("shop:latest") == "run 9 has used it");
    CHECK(world.about("two-names:1") == "run 9, also somebody:else");
}

TEST_CASE("an image that a living run uses stays beyond the newest runs", "[housekeeping]")
{
    HousekeepingWorld world;
    world.rules.all = true;
    world.run("9", KnownRun::State::living, 1h).images = {"shop:1"};
    world.image("shop:1", "2", 40 * k_day);
    CHECK(world.going().empty());
}

TEST_CASE("layers that a record names are the record's, lost ones go, pinned and foreign ones stay", "[housekeeping]")
{
    HousekeepingWorld world;
    world.entry("new", {"l1"}, 1h);
    world.entry("old", {"l1", "l2"}, 31 * k_day);
    world.entry("old but in use", {"l3"}, 31 * k_day);
    world.facts.pinned = {"l3", "pinned"};
    for (const auto* name : {"l1", "l2", "l3", "pinned", "lost"})
        world.layer(name, 40 * k_day);
    world.layer("of another folder", 40 * k_day).object.labels[k_cache_store_label] = "other";
    CHECK(world.going() == NameList{"lost", "old"});
    CHECK(world.why("of another folder") == "it is of another cache folder");
    const auto items = judge(world.facts, world.rules);
    const auto caches = sum_of(items, Kept::caches);
    CHECK(caches.size_bytes == 3000);  // l1 once
    CHECK(caches.frees_bytes == 1000); // l2: l1 stays with the other entry
    CHECK(sum_of(items, Kept::volumes).count == 3);
    world.rules.all = true;
    CHECK(world.going() == NameList{"lost", "new", "old"});
    CHECK(world.why("of another folder") == "it is of another cache folder");
}

TEST_CASE("copies of repositories go when they are old and nobody uses them", "[housekeeping]")
{
    HousekeepingWorld world;
    world.facts.sources = {{"old", k_now - 31 * k_day, 10, false}, {"used", k_now - 31 * k_day, 10, true}, {"new", k_now - 1h, 10, false}};
    CHECK(world.going() == NameList{"old"});
    world.rules.all = true;
    CHECK(world.going() == NameList{"new", "old"});
}

TEST_CASE("the newest runs keep their logs, and so do living ones and those with a container that stays", "[housekeeping]")
{
    HousekeepingWorld world;
    world.rules.keep = 1;
    world.run("9", KnownRun::State::ended, 50 * k_day);
    world.run("8", KnownRun::State::living, 50 * k_day);
    world.run("7", KnownRun::State::interrupted, 20 * k_day);
    world.run("6", KnownRun::State::interrupted, 50 * k_day);
    world.run("5", KnownRun::State::ended, 50 * k_day);
    world.run("4", KnownRun::State::ended, 20 * k_day);
    CHECK(world.going() == NameList{"5", "6"});
    world.object(ObjectKind::container, "shell", "5", 1h).in_use = true;
    world.facts.runs[4].last = k_now - 31 * k_day;
    world.rules.kinds = {Kept::logs}; // so that the container stays
    CHECK(world.going() == NameList{"6"});
}

TEST_CASE("artifacts go when they expire, or with their run, or old where nothing says when they expire", "[housekeeping]")
{
    HousekeepingWorld world;
    world.rules.keep = 1;
    world.run("9", KnownRun::State::ended, 1h);
    world.run("8", KnownRun::State::ended, 20 * k_day);
    world.run("7", KnownRun::State::ended, 25 * k_day);
    world.run("6", KnownRun::State::ended, 31 * k_day);
    world.artifacts("9", 1h, -1h);           // expired
    world.artifacts("8", 400 * k_day, 1h);   // will
    world.artifacts("7", 31 * k_day, {});    // nothing says when
    world.artifacts("6", 20 * k_day, 5h);    // its logs go
    world.artifacts("5", 20 * k_day, 5h);    // its logs are gone
    CHECK(world.going() == NameList{"6", "artifacts of 5", "artifacts of 6", "artifacts of 7", "artifacts of 9"});
    world.rules.kinds = {Kept::artifacts};
    CHECK(world.going() == NameList{"artifacts of 5", "artifacts of 7", "artifacts of 9"});
}

TEST_CASE("kinds are known by their names, in the singular too", "[housekeeping]")
{
    for (const auto& row : kept_kinds()) {
        CHECK(parse_kept(row.name) == row.kind);
        CHECK(kept_kind(row.kind).name == row.name);
    }
    CHECK(parse_kept("image") == Kept::images);
    CHECK_THROWS_AS(parse_kept("imgaes"), Error);
    CHECK_THROWS_AS(parse_kept(""), Error);
}
