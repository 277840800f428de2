// What a run tells while nothing seems to happen, and of what the engine does not do.
#include "runner/cache_world.hpp"
#include "support/catch.hpp"

#include <string>
#include <vector>

using namespace gantry;
using namespace gantry::test;
using namespace std::chrono_literals;

TEST_CASE("what an engine leaves out of containers is told once a run", "[run_told]")
{
    CacheWorld world(false);
    world.engine.leave_out({"OomKillDisable discarded."});

    CHECK(world.run(plan_of({stage("a", {}, {step("one"), step("two")})})).state == runner::State::success);

    std::vector<std::string> warnings;
    for (const auto& event : world.events)
        if (event.kind == runner::RunEvent::Kind::warning)
            warnings.push_back(event.message);
    CHECK(warnings == std::vector<std::string>{"a/one: the engine says: OomKillDisable discarded."});
}

TEST_CASE("a pull that takes more than a second is told as what the run waits for", "[run_told]")
{
    for (const auto takes : {500ms, 2500ms}) {
        CacheWorld world(false);
        auto one = step("one");
        one.container.image = "slow:1";
        world.engine.images_to_pull({"slow:1"});
        world.engine.on_latency([&](const engine::FakeCall& call) { return call.operation == "pull_image" ? takes : 0ms; });

        CHECK(world.run(plan_of({stage("a", {}, {one})})).state == runner::State::success);

        const auto waits = std::count(world.shown.begin(), world.shown.end(), "for the image slow:1");
        CHECK(waits == (takes > 1s ? 1 : 0));
        CHECK(std::count(world.shown.begin(), world.shown.end(), "") == waits); // it is over
    }
}

TEST_CASE("an image that is not to be had is named, with what to try", "[run_told]")
{
    CacheWorld world(false);
    auto one = step("one");
    one.container.image = "gone:1";
    world.engine.images_to_pull({"gone:1"});
    world.on_call = [](const engine::FakeCall& call) {
        if (call.operation == "pull_image")
            throw Error(Errc::denied, "unknown");
    };

    CHECK(world.run(plan_of({stage("a", {}, {one})})).state == runner::State::error);

    const auto told = world.runs->summary("1").stages.at(0).steps.at(0);
    CHECK(told.message == "image gone:1: unknown");
    CHECK(told.hint == "see whether the engine gets it: docker pull gone:1");
}
