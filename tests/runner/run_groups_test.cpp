// Groups of a run and of its stages, on the fake engine.
#include "runner/cache_world.hpp"
#include "support/catch.hpp"

using namespace gantry;
using namespace gantry::test;

TEST_CASE("a stage has its place in the group that its own run is in", "[groups]")
{
    CacheWorld world(true);
    auto plan = plan_of({stage("a", {}, {step("one")})});
    pipeline::Concurrency group;
    group.group = pipeline::Text("deploy");
    plan.concurrency = group;
    plan.stages[0].concurrency = group;
    CHECK(world.run(plan).state == runner::State::success);
}
