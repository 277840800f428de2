// What a run tells of values that hold a secret.
#include "runner/cache_world.hpp"
#include "support/catch.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

using namespace gantry;
using namespace gantry::test;

namespace {

pipeline::Text computed(const std::string& before, const std::string& expression)
{
    return pipeline::Text(std::vector{pipeline::Text::Part{false, before, {}}, pipeline::Text::Part{true, expression, {}}});
}

// Its step `mk` gives the secret as an output.
struct TellingWorld : CacheWorld {
    TellingWorld() : CacheWorld(false)
    {
        secrets = {{"TOKEN", Secret("swordfish")}};
        writes["mk"] = {{"/run/gantry/output", "said=swordfish\n"}};
    }

    // All that watchers and readers of the journal get.
    std::string all_told() const
    {
        std::string all;
        for (const auto& event : events)
            all += to_json(event).dump() + '\n';
        for (const auto& event : runs->events("1"))
            all += to_json(event).dump() + '\n';
        for (const auto& text : shown)
            all += text + '\n';
        return all;
    }
};

} // namespace

TEST_CASE("a secret in a step's image is masked in all that is told, as in the hint of its error", "[run_secrets]")
{
    TellingWorld world;
    auto use = step("use");
    use.container.image = computed("registry/", "steps.mk.outputs.said");
    world.engine.images_to_pull({"registry/swordfish"});
    world.on_call = [](const engine::FakeCall& call) {
        if (call.operation == "create_container" && call.object.ends_with("use-1"))
            throw Error(Errc::bad_input, "the engine does not take swordfish", "look at swordfish");
    };

    CHECK(world.run(plan_of({stage("a", {}, {step("mk"), use})})).state == runner::State::error);

    CHECK_THAT(world.all_told(), !ContainsSubstring("swordfish"));
    const auto use_told = world.runs->summary("1").stages.at(0).steps.at(1);
    CHECK(use_told.image == "registry/***");
    CHECK(use_told.message == "the engine does not take ***");
    CHECK(use_told.hint == "look at ***");
    CHECK(world.shown == std::vector<std::string>{"registry/***", "registry/***"});
}

TEST_CASE("a secret in the name of a group is masked where a stage waits for its place", "[run_secrets]")
{
    TellingWorld world;
    runner::ConcurrencyGroups::Request other;
    other.scope = "/src/shop";
    other.group = "g-swordfish";
    other.run = "7";
    const auto place = run_to_end(world.loop, world.clock, world.groups.enter(other, [](const std::string&) {}));
    auto plan = plan_of({stage("a", {}, {step("mk")}), stage("b", {"a"}, {step("use")})});
    plan.stages[1].concurrency.emplace().group = computed("g-", "steps['a/mk'].outputs.said");

    world.begin(plan);
    drive(world.loop, world.clock, [&world] { return !world.shown.empty(); });
    world.execution->cancel("test", true);
    drive(world.loop, world.clock, [&world] { return world.result.has_value(); });
    world.finish();

    CHECK(world.shown.at(0) == "b: for a place in the group g-***, which run 7 has");
    CHECK_THAT(world.all_told(), !ContainsSubstring("swordfish"));
}
