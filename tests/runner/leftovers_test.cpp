// What runs leave in the engine when their process dies.
#include "engine/fake_world.hpp"
#include "runner/run.hpp"

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::test;

TEST_CASE("leftovers that are in use stay and are told, and the others go", "[runner]")
{
    FakeWorld world;
    const Labels ours{{"gantry.instance", "i"}, {"gantry.run", "7"}};
    for (const std::string name : {"used", "unused"}) {
        VolumeSpec volume = volume_spec(name);
        volume.labels = ours;
        world.run(world.engine.create_volume(volume));
    }
    ContainerSpec user = container_spec("of-somebody");
    user.mounts.push_back({.source = "used", .target = "/u"});
    world.run(world.engine.create_container(user));

    const auto first = world.run(runner::remove_leftovers(world.engine, "i", "7"));
    CHECK(first.removed == std::set<std::string>{"unused"});
    REQUIRE(first.in_use);
    CHECK_THROWS_WITH(std::rethrow_exception(first.in_use), ContainsSubstring("volume used is in use"));

    world.run(world.engine.remove(ObjectKind::container, "of-somebody"));
    const auto second = world.run(runner::remove_leftovers(world.engine, "i", "7"));
    CHECK(second.removed == std::set<std::string>{"used"});
    CHECK_FALSE(second.in_use);
}
