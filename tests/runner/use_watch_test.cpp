#include "engine/fake_world.hpp"
#include "runner/use_watch.hpp"

using namespace gantry;
using namespace gantry::engine;
using namespace std::chrono_literals;
using runner::UseWatch;

namespace {

ResourceUse some_use()
{
    ResourceUse use;
    use.memory_bytes = 300;
    use.memory_peak_bytes = 400;
    use.cpu = 5s;
    use.received_bytes = 1000;
    use.sent_bytes = 50;
    return use;
}

// A container that goes on, with a watch of it.
struct WatchedWorld : FakeWorld {
    WatchedWorld()
    {
        FakeBehaviour behaviour;
        behaviour.never_ends = true;
        behaviour.uses = some_use();
        behave(behaviour);
        attachment = start("step");
    }
    ~WatchedWorld()
    {
        watch.reset();
        run(tasks.close());
    }

    bool was_asked() const
    {
        const auto calls = engine.calls();
        return std::any_of(calls.begin(), calls.end(), [](const FakeCall& call) { return call.operation == "watch_use"; });
    }
    void pass(std::chrono::nanoseconds time)
    {
        clock.advance(time);
        test::settle(io);
    }

    std::unique_ptr<Attachment> attachment;
    TaskGroup tasks{io.get_executor()};
    std::unique_ptr<UseWatch> watch = std::make_unique<UseWatch>(engine, clock, tasks);
};

} // namespace

TEST_CASE("the engine is not asked what a process uses that ends at once", "[runner]")
{
    WatchedWorld world;
    world.watch->start("step", {});
    world.pass(250ms);
    world.watch->stop();
    world.pass(10s);

    CHECK_FALSE(world.was_asked());
    CHECK_FALSE(world.watch->last().has_value());
    CHECK(world.tasks.running() == 0);
}

TEST_CASE("what a process used is known when it ends, and nothing waits for the engine then", "[runner]")
{
    WatchedWorld world;
    world.watch->start("step", {});
    test::settle(world.io);
    world.pass(400ms);
    world.watch->stop();

    REQUIRE(world.watch->last().has_value());
    CHECK(*world.watch->last() == some_use());
    test::settle(world.io);
    CHECK(world.tasks.running() == 0);
}

TEST_CASE("an engine that cannot tell what a process uses is no error", "[runner]")
{
    WatchedWorld world;
    world.watch->start("another", {});
    test::settle(world.io);
    world.pass(400ms);

    CHECK(world.was_asked());
    CHECK_FALSE(world.watch->last().has_value());
    CHECK(world.tasks.running() == 0);
}

TEST_CASE("a watch that goes away leaves nothing behind, also one that never began", "[runner]")
{
    WatchedWorld world;
    world.watch->stop();
    world.watch->start("step", {});
    test::settle(world.io);
    world.watch.reset();
    world.pass(400ms);

    CHECK(world.tasks.running() == 0);
    CHECK_FALSE(world.was_asked());
}

TEST_CASE("what containers send through one network in turn counts once, and through somebody else's not at all", "[runner]")
{
    WatchedWorld world;
    const auto traffic = std::make_shared<runner::SharedTraffic>();
    *traffic = {900, 50};
    UseWatch::Network in_turn{false, traffic}, of_others{false, nullptr};
    UseWatch second(world.engine, world.clock, world.tasks);
    world.watch->start("step", in_turn);
    second.start("step", of_others);
    test::settle(world.io);
    world.pass(400ms);

    REQUIRE(world.watch->last().has_value());
    CHECK(world.watch->last()->received_bytes == 100);
    CHECK(world.watch->last()->sent_bytes == 0);
    CHECK(traffic->received_bytes == 1000);
    REQUIRE(second.last().has_value());
    CHECK(second.last()->received_bytes == 0);
    CHECK(second.last()->memory_peak_bytes == 400);
}
