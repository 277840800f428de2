// What a second cancel does not wait for, once the steps are over.
#include "runner/cache_world.hpp"
#include "support/catch.hpp"

#include <algorithm>

using namespace gantry;
using namespace gantry::test;
using namespace std::chrono_literals;

namespace {

bool saves_layer(const engine::FakeCall& call)
{
    return call.operation == "download" && call.object.find(".save") != std::string::npos;
}

} // namespace

TEST_CASE("a second cancel does not wait until the files of stages that passed are saved", "[run]")
{
    CacheWorld world;
    world.exit_codes["two"] = 1;
    world.engine.on_latency([](const engine::FakeCall& call) { return saves_layer(call) ? std::chrono::nanoseconds(1h) : 0ns; });
    world.begin(plan_of({stage("a", {}, {step("one")}), stage("b", {"a"}, {step("two")})}));
    drive(world.loop, world.clock, [&] {
        const auto& calls = world.engine.calls();
        return std::any_of(calls.begin(), calls.end(), saves_layer);
    });
    const auto asked = world.clock.now();

    world.execution->cancel("SIGINT", false);
    world.execution->cancel("SIGINT", false);
    drive(world.loop, world.clock, [&] { return world.result.has_value(); });
    world.finish();

    CHECK(world.clock.now() - asked < 1min);
    CHECK(world.result->state == runner::State::failure);
    CHECK(world.engine.objects().empty());
}
