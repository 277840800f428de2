// Caches of stages, on the fake engine: by mount and by copy.
#include "engine/fake/tar.hpp"
#include "runner/cache_world.hpp"
#include "runner/carrier.hpp"
#include "runner/tar.hpp"
#include "support/catch.hpp"
#include "support/sanitized.hpp"

#include <algorithm>

using namespace gantry;
using namespace gantry::test;
using Strings = std::vector<std::string>;

namespace {

pipeline::Plan one_stage(const pipeline::Cache& cache)
{
    return plan_of({with_caches(stage("a", {}, {step("one")}), {cache})});
}

bool has(const Strings& lines, const std::string& part)
{
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

// Volumes at the engine and volumes of records agree.
void check_books(CacheWorld& world)
{
    std::set<std::string> named;
    for (const auto& used : world.entries())
        for (const auto& layer : used.entry.layers)
            named.insert(layer.volume);
    const auto there = world.volumes();
    CHECK(std::set<std::string>(there.begin(), there.end()) == named);
    CHECK(world.engine.violations() == Strings());
}

} // namespace

TEST_CASE("what a stage leaves in its cache is there in the next run", "[caches]")
{
    for (const bool mounts : {true, false}) {
        CacheWorld world(mounts);
        world.writes["one"] = {{"/c/a", "first"}};
        world.run(one_stage(cache_of("deps", "k")));
        CHECK(world.seen("one", "/c/a").empty());
        CHECK(has(world.told, "deps: miss"));
        CHECK(has(world.told, "deps: saved"));
        check_books(world);

        world.writes["one"] = {{"/c/b", "second"}};
        world.run(one_stage(cache_of("deps", "k")));
        CHECK(world.seen("one", "/c/a") == "first");
        CHECK(has(world.told, "deps: hit"));
        check_books(world);

        world.writes["one"] = {};
        world.run(one_stage(cache_of("deps", "k")));
        CHECK(world.seen("one", "/c/a") == "first");
        CHECK(world.seen("one", "/c/b") == "second");
        CHECK_FALSE(has(world.told, "saved")); // nothing has changed
        check_books(world);
        REQUIRE(world.entries().size() == 1);
        CHECK(world.entries()[0].entry.layers.size() == (mounts ? 2 : 1));
    }
}

TEST_CASE("a stage that failed, or that nobody trusts, keeps nothing", "[caches]")
{
    const bool mounts = GENERATE(true, false);
    CacheWorld world(mounts);
    world.writes["one"] = {{"/c/a", "first"}};
    auto plan = one_stage(cache_of("deps", "k"));
    SECTION("failed") { world.exit_codes["one"] = 1; }
    SECTION("not trusted") { plan.event.trusted = false; }
    SECTION("only reads") { plan.stages[0].caches[0].policy = "pull"; }
    world.run(plan);
    CHECK(world.entries().empty());
    check_books(world);
}

TEST_CASE("another key is a miss, a beginning of one finds the newest", "[caches]")
{
    CacheWorld world;
    for (const std::string key : {"go-1", "go-2", "rust-1"}) {
        world.writes["one"] = {{"/c/a", key}};
        world.run(one_stage(cache_of("deps", key)));
        world.clock.advance(std::chrono::seconds(1));
    }
    world.writes["one"] = {};
    world.run(one_stage(cache_of("deps", "go-3")));
    CHECK(world.seen("one", "/c/a").empty());

    auto cache = cache_of("deps", "go-4");
    cache.fallback_keys = {pipeline::Text("java-"), pipeline::Text("go-"), pipeline::Text("rust-")};
    world.run(one_stage(cache));
    CHECK(world.seen("one", "/c/a") == "go-2");
    CHECK(has(world.told, "deps: fallback go-2 for key go-4"));
    // It is an entry of its own from now on, of the same layers.
    world.run(one_stage(cache));
    CHECK(has(world.told, "deps: hit, key go-4"));
    check_books(world);
}

TEST_CASE("policy push starts empty and replaces", "[caches]")
{
    CacheWorld world;
    world.writes["one"] = {{"/c/a", "old"}};
    world.run(one_stage(cache_of("deps", "k")));
    auto cache = cache_of("deps", "k");
    cache.policy = "push";
    world.writes["one"] = {{"/c/b", "new"}};
    world.run(one_stage(cache));
    CHECK(world.seen("one", "/c/a").empty());
    world.writes["one"] = {};
    world.run(one_stage(cache_of("deps", "k")));
    CHECK(world.seen("one", "/c/a").empty());
    CHECK(world.seen("one", "/c/b") == "new");
    check_books(world);
}

TEST_CASE("a private cache belongs to its branch", "[caches]")
{
    CacheWorld world;
    auto cache = cache_of("deps", "k");
    cache.mode = "private";
    auto on_main = one_stage(cache);
    auto on_topic = on_main;
    on_topic.event.branch = "topic";
    world.writes["one"] = {{"/c/a", "main"}};
    world.run(on_main);
    world.run(on_topic);
    CHECK(world.seen("one", "/c/a").empty());
    world.run(on_main);
    CHECK(world.seen("one", "/c/a") == "main");
}

TEST_CASE("two stages that miss the same cache both add to it", "[caches]")
{
    CacheWorld world;
    world.writes["one"] = {{"/c/a", "one"}};
    world.writes["two"] = {{"/c/b", "two"}};
    const auto both = plan_of({with_caches(stage("a", {}, {step("one")}), {cache_of("deps", "k")}),
                               with_caches(stage("b", {}, {step("two")}), {cache_of("deps", "k")})});
    world.run(both);
    check_books(world);
    const auto on_top = std::count_if(world.told.begin(), world.told.end(), [](const std::string& text) {
        return text.starts_with("deps: saved, key k, ") && text.find(", on top of that of run 1, stage ") != std::string::npos;
    });
    CHECK(on_top == 1);
    world.run(both);
    CHECK(world.seen("one", "/c/a") == "one");
    CHECK(world.seen("one", "/c/b") == "two");
    check_books(world);
}

TEST_CASE("a stage finds what those that it needs have saved", "[caches]")
{
    CacheWorld world;
    world.engine.on_latency([](const engine::FakeCall& call) {
        return call.operation == "download" ? std::chrono::seconds(30) : std::chrono::seconds(0);
    });
    world.writes["one"] = {{"/c/a", "one"}};
    world.run(plan_of({with_caches(stage("a", {}, {step("one")}), {cache_of("deps", "k")}),
                       with_caches(stage("b", {"a"}, {step("two")}), {cache_of("deps", "k")})}));
    CHECK(world.seen("two", "/c/a") == "one");
}

TEST_CASE("a locked cache has one stage at a time", "[caches]")
{
    CacheWorld world;
    auto cache = cache_of("deps", "k");
    cache.mode = "locked";
    world.writes["one"] = {{"/c/a", "one"}};
    world.writes["two"] = {{"/c/b", "two"}};
    world.run(plan_of({with_caches(stage("a", {}, {step("one")}), {cache}), with_caches(stage("b", {}, {step("two")}), {cache})}));
    CHECK((world.seen("one", "/c/b") == "two") != (world.seen("two", "/c/a") == "one"));
    check_books(world);
}

TEST_CASE("layers are put together before they are too many", "[caches]")
{
    CacheWorld world;
    for (int i = 0; i < 20; ++i) {
        world.writes["one"] = {{"/c/" + std::to_string(i), "x"}};
        world.run(one_stage(cache_of("deps", "k")));
        CHECK(world.entries().at(0).entry.layers.size() <= 16);
        check_books(world);
    }
    world.run(one_stage(cache_of("deps", "k")));
    for (int i = 0; i < 20; ++i)
        CHECK(world.seen("one", "/c/" + std::to_string(i)) == "x");
}

TEST_CASE("an entry whose volume is gone is a miss, and is told", "[caches]")
{
    for (const bool mounts : {true, false}) {
        CacheWorld world(mounts);
        world.writes["one"] = {{"/c/a", "first"}};
        world.run(one_stage(cache_of("deps", "k")));
        const auto volume = world.entries().at(0).entry.layers.at(0).volume;
        run_to_end(world.loop, world.clock, world.engine.remove(engine::ObjectKind::volume, volume));

        const auto result = world.run(one_stage(cache_of("deps", "k")));
        CHECK(result.state == runner::State::success);
        CHECK(has(world.told, "damaged"));
        CHECK(has(world.told, "deps: miss"));
        check_books(world);
    }
}

TEST_CASE("contents that are not those that were saved are a miss where they are copied", "[caches]")
{
    CacheWorld world(false);
    world.writes["one"] = {{"/c/a", "first"}};
    world.run(one_stage(cache_of("deps", "k")));
    engine::ContainerSpec spec;
    spec.name = "intruder";
    spec.labels = {{"gantry.instance", "other"}};
    spec.image = "busybox";
    spec.mounts.push_back(runner::volume_mount(world.entries().at(0).entry.layers.at(0).volume, "/cache"));
    run_to_end(world.loop, world.clock, world.engine.create_container(spec));
    const engine::ReadPiece other = runner::ReadOnce(engine::write_tar({{"cache/a", "other"}}));
    run_to_end(world.loop, world.clock, world.engine.upload("intruder", "/", other));
    run_to_end(world.loop, world.clock, world.engine.remove(engine::ObjectKind::container, "intruder"));

    world.writes["one"] = {};
    CHECK(world.run(one_stage(cache_of("deps", "k"))).state == runner::State::success);
    CHECK(has(world.told, "damaged"));
    CHECK(has(world.told, "deps: miss"));
    CHECK(world.seen("one", "/c/a").empty());
    check_books(world);
}

TEST_CASE("whoever cleans up leaves what a living run uses", "[caches]")
{
    CacheWorld world;
    world.writes["one"] = {{"/c/a", "first"}};
    world.run(one_stage(cache_of("deps", "k")));
    world.begin(one_stage(cache_of("deps", "k")));
    drive(world.loop, world.clock, [&] { return has(world.told, "deps: hit"); });
    const auto before = world.volumes();
    {
        auto session = world.caches().open(); // a process that died, and the entry is removed meanwhile
        session.pin({"", {}});
        session.remove(session.entries().at(0).entry);
    }
    run_to_end(world.loop, world.clock, runner::remove_cache_leftovers(world.engine, world.caches(), world.runs->instance()));
    auto after = world.volumes();
    for (const auto& name : before)
        CHECK((name.find("cache") == std::string::npos || std::count(after.begin(), after.end(), name) == 1));
    drive(world.loop, world.clock, [&] { return world.result.has_value(); });
    world.finish();
    CHECK(world.result->state == runner::State::success);
    check_books(world);
}

TEST_CASE("the least recently used goes when the limit is reached", "[caches]")
{
    CacheWorld world;
    world.limits = {1000, 1000};
    const std::string much(400, 'x');
    for (const std::string key : {"1", "2", "3"}) {
        world.writes["one"] = {{"/c/" + key, much}};
        world.run(one_stage(cache_of("deps", key)));
    }
    CHECK(has(world.told, "deps: dropped, key 1"));
    CHECK(world.entries().size() == 2);
    check_books(world);

    world.writes["one"] = {{"/c/4", std::string(1001, 'x')}};
    world.run(one_stage(cache_of("deps", "4")));
    CHECK(has(world.told, "was not saved"));
    CHECK(world.entries().size() == 2);
    check_books(world);
}

TEST_CASE("what is written again and again does not fill the limit", "[caches]")
{
    CacheWorld world;
    world.limits = {1000, 1000};
    for (int i = 0; i < 10; ++i) {
        world.writes["one"] = {{"/c/a", std::string(400, static_cast<char>('a' + i))}};
        world.run(one_stage(cache_of("deps", "k")));
        CHECK(has(world.told, "deps: saved"));
        CHECK(cache::size_bytes_of(world.entries().at(0).entry) <= 1000);
        check_books(world);
    }
    world.writes["one"] = {};
    world.run(one_stage(cache_of("deps", "k")));
    CHECK(world.seen("one", "/c/a") == std::string(400, 'j'));
}

TEST_CASE("a failure while saving costs the cache and not the stage", "[caches]")
{
    CacheWorld world;
    world.writes["one"] = {{"/c/a", "first"}};
    world.on_call = [](const engine::FakeCall& call) {
        if (call.operation == "download")
            throw Error(Errc::no_space, "injected: no space left");
    };
    const auto result = world.run(one_stage(cache_of("deps", "k")));
    CHECK(result.state == runner::State::success);
    CHECK(has(world.told, "cache deps was not saved"));
    CHECK(world.entries().empty());
    check_books(world);
}

// Killed after each handler in turn, so at every moment that there is.
TEST_CASE("whenever a run is killed, its cache is the old one or the new one, and nothing is left", "[caches]")
{
    for (const bool mounts : {true, false})
        for (int handlers = 0;; handlers += k_each_of) {
            CacheWorld world(mounts);
            world.writes["one"] = {{"/c/a", "old"}};
            world.run(one_stage(cache_of("deps", "k")));
            world.writes["one"] = {{"/c/a", "new"}};
            world.begin(one_stage(cache_of("deps", "k")));
            int done = 0;
            drive(world.loop, world.clock, [&] { return world.result || done++ == handlers; });
            if (world.result)
                break;
            world.die();
            settle(world.loop);
            world.reap();
            world.writes["one"] = {};
            world.run(one_stage(cache_of("deps", "k")));
            const auto seen = world.seen("one", "/c/a");
            CAPTURE(mounts, handlers, seen);
            CHECK((seen == "old" || seen == "new"));
            world.reap();
            check_books(world);
        }
}

// Each call in turn fails once, or has its effect and loses its answer.
TEST_CASE("whatever call fails, the cache is the old one or the new one, and nothing is left", "[caches]")
{
    for (const bool mounts : {true, false})
        for (const bool lost_answer : {false, true})
            for (int failing = 0;; failing += k_each_of) {
                CacheWorld world(mounts);
                world.writes["one"] = {{"/c/a", "old"}};
                world.run(one_stage(cache_of("deps", "k")));
                world.writes["one"] = {{"/c/a", "new"}};
                int calls = 0;
                std::string failed;
                world.on_call = [&](const engine::FakeCall& call) {
                    if (call.operation.starts_with("after ") != lost_answer || calls++ != failing)
                        return;
                    failed = to_string(call);
                    throw Error(Errc::timed_out, "injected");
                };
                world.run(one_stage(cache_of("deps", "k")));
                world.on_call = {};
                if (failed.empty())
                    break;
                world.reap();
                world.clock.advance(std::chrono::seconds(10));
                world.writes["one"] = {};
                world.run(one_stage(cache_of("deps", "k")));
                const auto seen = world.seen("one", "/c/a");
                CAPTURE(mounts, lost_answer, failed, seen);
                CHECK((seen == "old" || seen == "new"));
                for (const auto& id : world.runs->run_ids())
                    CHECK_FALSE(run_to_end(world.loop, world.clock, runner::remove_leftovers(world.engine, world.runs->instance(), id)).in_use);
                world.reap();
                check_books(world);
            }
}

TEST_CASE("a container that is kept keeps its cache, until it is removed", "[caches]")
{
    CacheWorld world;
    world.keep_failed = true;
    world.exit_codes["one"] = 1;
    world.writes["one"] = {{"/c/a", "first"}};
    world.run(one_stage(cache_of("deps", "k")));
    world.reap();
    const auto kept = world.engine.objects();
    CHECK(std::any_of(kept.begin(), kept.end(), [](const engine::Object& object) { return object.labels.contains("gantry.cache"); }));

    run_to_end(world.loop, world.clock, runner::remove_leftovers(world.engine, world.runs->instance(), "1"));
    world.reap();
    check_books(world);
}
