#include "runner/disk_budget.hpp"

#include "cache_world.hpp"
#include "support/catch.hpp"
#include "support/manual_clock.hpp"
#include "support/run_to_end.hpp"

#include <algorithm>
#include <map>

using namespace gantry;
using namespace gantry::runner;
using namespace gantry::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t k_gb = 1'000'000'000;

// Disks whose room a test decides.
struct Disks {
    std::map<std::string, DiskRoom> rooms{{"/engine", {50 * k_gb, 100 * k_gb}}, {"/state", {50 * k_gb, 100 * k_gb}}};

    DiskBudget budget(KeepFree keep = {})
    {
        return DiskBudget(keep, {{"images", "/engine"}, {"logs", "/state"}}, [this](const std::string& folder) {
            const auto found = rooms.find(folder);
            return found == rooms.end() ? std::nullopt : std::optional(found->second);
        });
    }
};

// Watches until `limit` has passed on the clock.
struct Watched {
    Disks disks;
    DiskBudget budget = disks.budget();
    asio::io_context loop;
    ManualClock clock;
    int made_room = 0;
    std::function<void()> make_room = [] {};
    std::optional<std::string> told;
    DiskWatch watch{budget, clock, loop.get_executor(),
                    [this]() -> awaitable<void> {
                        ++made_room;
                        make_room();
                        co_return;
                    },
                    [this](const Error& error) { told = error.what(); }};

    void play(std::chrono::seconds limit)
    {
        auto until = [this, limit]() -> awaitable<void> { co_await first_of(watch.watch(), clock.sleep_for(limit)); };
        run_to_end(loop, clock, until());
    }
};

} // namespace

TEST_CASE("2 GB stay free, and on a small disk a tenth of it", "[disk_budget]")
{
    Disks disks;
    auto budget = disks.budget();
    CHECK_FALSE(budget.find_short());
    disks.rooms["/state"] = {2 * k_gb - 1, 100 * k_gb};
    REQUIRE(budget.find_short());
    CHECK(budget.find_short()->code() == Errc::no_space);
    CHECK_THAT(budget.find_short()->what(), ContainsSubstring("/state"));
    disks.rooms["/state"] = {k_gb, 10 * k_gb};
    CHECK_FALSE(budget.find_short());
    disks.rooms["/state"] = {k_gb - 1, 10 * k_gb};
    CHECK(budget.find_short());
}

TEST_CASE("what a person asks for is kept on a small disk, too, and 0 is none", "[disk_budget]")
{
    Disks disks;
    disks.rooms["/state"] = {2 * k_gb, 3 * k_gb};
    CHECK(disks.budget(KeepFree{3 * k_gb, false}).find_short());
    disks.rooms["/state"] = {0, 3 * k_gb};
    CHECK_FALSE(disks.budget(KeepFree{0, false}).find_short());
}

TEST_CASE("a disk that cannot be looked at is not short", "[disk_budget]")
{
    Disks disks;
    disks.rooms.clear();
    CHECK_FALSE(disks.budget().find_short());
}

TEST_CASE("the flag counts before the environment, and both must be sizes", "[disk_budget]")
{
    const ScopedEnv environment("GANTRY_KEEP_FREE", "3g");
    CHECK(keep_free_of("1g").bytes == std::uint64_t(1) << 30);
    CHECK(keep_free_of("").bytes == std::uint64_t(3) << 30);
    CHECK_FALSE(keep_free_of("").is_default);
    CHECK_THROWS_AS(keep_free_of("much"), Error);
}

TEST_CASE("a disk that gets short is told once, after room was to be made", "[disk_budget]")
{
    Watched world;
    world.play(1min);
    CHECK_FALSE(world.told);
    CHECK(world.made_room == 0);
    world.disks.rooms["/engine"].free_bytes = k_gb;
    world.play(1min);
    CHECK(world.made_room == 1);
    CHECK(world.told);
    CHECK(world.watch.error());
}

TEST_CASE("room that can be made is enough", "[disk_budget]")
{
    Watched world;
    world.disks.rooms["/engine"].free_bytes = k_gb;
    world.make_room = [&] { world.disks.rooms["/engine"].free_bytes = 3 * k_gb; };
    world.play(1min);
    CHECK(world.made_room == 1);
    CHECK_FALSE(world.told);
}

TEST_CASE("who asks for a look gets it at once", "[disk_budget]")
{
    Watched world;
    auto play = [&]() -> awaitable<void> {
        auto change = [&]() -> awaitable<void> {
            co_await world.clock.sleep_for(1s);
            world.disks.rooms["/engine"].free_bytes = k_gb;
            world.watch.look_now();
            co_await world.clock.sleep_for(1h);
        };
        co_await first_of(world.watch.watch(), change());
    };
    run_to_end(world.loop, world.clock, play());
    CHECK(world.told);
    CHECK(world.clock.elapsed() == 1s);
}

TEST_CASE("a run whose disk gets short stops its steps, runs finally, skips the rest and leaves nothing", "[disk_budget]")
{
    auto first = stage("first", {}, {step("works"), step("next")});
    auto cleans = step("cleans");
    cleans.in_finally = true;
    first.steps.push_back(cleans);
    CacheWorld world;
    Disks disks;
    const auto budget = disks.budget();
    world.disks = &budget;
    std::vector<std::string> ran;
    world.engine.on_start([&](const engine::ContainerSpec& spec) {
        engine::FakeBehaviour behaviour;
        const auto name = spec.labels.contains("gantry.step") ? spec.labels.at("gantry.step") : "";
        if (!name.empty())
            ran.push_back(name);
        behaviour.never_ends = name != "cleans";
        if (name == "works")
            disks.rooms["/engine"].free_bytes = k_gb; // and so it stays
        return behaviour;
    });
    const auto ended = world.run(plan_of({first, stage("second", {"first"}, {step("never")}), stage("alone", {}, {step("beside")})}));
    CHECK(ended.state == State::error);
    CHECK(ended.cause == Cause::disk_full);
    CHECK(std::count(ran.begin(), ran.end(), "never") == 0);
    CHECK(std::count(ran.begin(), ran.end(), "cleans") == 1);
    CHECK(world.engine.objects().empty());
    const auto summary = world.runs->summary(world.runs->run_ids().front());
    CHECK(summary.cause == Cause::disk_full);
    CHECK(summary.stages.at(0).steps.at(0).cause == Cause::disk_full);
    CHECK(summary.stages.at(0).steps.at(1).state == State::skipped);
    CHECK_THAT(summary.stages.at(0).message, ContainsSubstring("/engine"));
}
