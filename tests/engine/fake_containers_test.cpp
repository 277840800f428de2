#include "fake_world.hpp"

// What the containers of the fake engine do.

using namespace gantry;
using namespace gantry::engine;

TEST_CASE("a container ends when its time is over, with its output and its code", "[fake]")
{
    FakeWorld world;
    FakeBehaviour behaviour;
    behaviour.runs_for = 3s;
    behaviour.exit_code = 4;
    behaviour.output = "hello";
    behaviour.error_output = "oh";
    behaviour.says = {{1s, Stream::out, " world"}, {2s, Stream::err, " no"}, {4s, Stream::out, " too late"}};
    world.behave(behaviour);
    const auto attachment = world.start("web");
    Collector sink;
    const auto reading = world.beside(attachment->read_all(sink));
    CHECK(sink.out == "hello");

    CHECK(world.run(world.engine.wait_container("web")).exit_code == 4);
    test::settle(world.io);

    CHECK(world.clock.elapsed() == 3s);
    CHECK(reading->ended);
    CHECK(sink.out == "hello world");
    CHECK(sink.err == "oh no");
    const auto status = world.run(world.engine.inspect_container("web"));
    CHECK(status.state == ContainerState::exited);
    CHECK(status.finished - status.started == 3s);
}

TEST_CASE("output that came before the reader is kept", "[fake]")
{
    FakeWorld world;
    FakeBehaviour speaks;
    speaks.output = "last line without an end";
    world.behave(speaks);
    const auto attachment = world.start("web");
    world.run(world.engine.wait_container("web"));
    world.run(world.engine.remove(ObjectKind::container, "web"));

    Collector sink;
    world.run(attachment->read_all(sink));

    CHECK(sink.out == "last line without an end");
}

TEST_CASE("a terminal has one stream", "[fake]")
{
    FakeWorld world;
    FakeBehaviour speaks;
    speaks.output = "a";
    speaks.error_output = "b";
    world.behave(speaks);
    auto spec = container_spec("web");
    spec.tty = true;
    world.run(world.engine.create_container(spec));
    Engine::AttachOptions options;
    options.tty = true;
    const auto attachment = world.run(world.engine.attach("web", options));
    world.run(attachment->resize(80, 24));
    world.run(world.engine.start_container("web"));
    Collector sink;
    world.run(attachment->read_all(sink));

    CHECK(sink.out == "ab");
    CHECK(sink.err.empty());
}

TEST_CASE("signals end a container as its behaviour says", "[fake]")
{
    FakeWorld world;
    auto behaviour = endless();
    std::string signal = "SIGTERM";
    int expected = 143;
    std::chrono::nanoseconds takes{0};
    SECTION("TERM") {}
    SECTION("a number")
    {
        signal = "2";
        expected = 130;
    }
    SECTION("KILL")
    {
        signal = "KILL";
        expected = 137;
    }
    SECTION("KILL, although it ignores signals")
    {
        signal = "SIGKILL";
        behaviour.ignores_signals = true;
        expected = 137;
    }
    SECTION("with a handler")
    {
        behaviour.stops_within = 2s;
        behaviour.exit_code_on_signal = 7;
        expected = 7;
        takes = 2s;
    }
    world.behave(behaviour);
    const auto attachment = world.start("web");

    world.run(world.engine.kill_container("web", signal));

    CHECK(world.run(world.engine.wait_container("web")) == ContainerExit{expected, false, {}});
    CHECK(world.clock.elapsed() == takes);
}

TEST_CASE("a signal that is ignored, harmless or late does nothing", "[fake]")
{
    FakeWorld world;
    auto behaviour = endless();
    std::string signal = "TERM";
    SECTION("ignored") { behaviour.ignores_signals = true; }
    SECTION("harmless") { signal = "WINCH"; }
    world.behave(behaviour);
    const auto attachment = world.start("web");
    world.run(world.engine.kill_container("web", signal));
    CHECK(world.run(world.engine.inspect_container("web")).state == ContainerState::running);

    world.run(world.engine.kill_container("web", "KILL"));
    world.run(world.engine.kill_container("web", "TERM")); // it has ended
    CHECK(world.run(world.engine.wait_container("web")).exit_code == 137);
    CHECK_NOTHROW(world.run(world.engine.kill_container("nobody", "TERM")));
    CHECK(world.failure_of(world.engine.kill_container("web", "NONSENSE")) == Errc::bad_input);
}

TEST_CASE("KILL cuts short the grace after TERM", "[fake]")
{
    FakeWorld world;
    auto behaviour = endless();
    behaviour.stops_within = 1h;
    world.behave(behaviour);
    const auto attachment = world.start("web");
    world.run(world.engine.kill_container("web", "TERM"));
    world.run(world.engine.kill_container("web", "KILL"));

    CHECK(world.run(world.engine.wait_container("web")).exit_code == 137);
    test::settle(world.io);
    CHECK(world.clock.sleepers() == 0);
}

TEST_CASE("removing a container that runs ends it, and who waits for it is told", "[fake]")
{
    FakeWorld world;
    world.behave(endless());
    const auto attachment = world.start("web");
    std::optional<ContainerExit> exit;
    const auto wait = [](Engine& engine, std::optional<ContainerExit>& out) -> awaitable<void> {
        out = co_await engine.wait_container("web");
    };
    const auto waiting = world.beside(wait(world.engine, exit));

    world.run(world.engine.remove(ObjectKind::container, "web"));
    test::settle(world.io);

    CHECK(waiting->ended);
    CHECK(exit == ContainerExit{137, false, {}});
    CHECK(world.engine.objects().empty());
    CHECK(world.failure_of(world.engine.wait_container("web")) == Errc::not_found);
    CHECK(world.engine.violations().empty());
}

TEST_CASE("an OOM is told by the exit and by an event, and never for a kill", "[fake]")
{
    FakeWorld world;
    FakeBehaviour behaviour;
    behaviour.runs_for = 1s;
    behaviour.exit_code = 137;
    behaviour.oom_killed = true;
    world.behave(behaviour);
    const auto first = world.start("a");
    CHECK(world.run(world.engine.wait_container("a")) == ContainerExit{137, true, {}});

    const auto second = world.start("b");
    world.run(world.engine.kill_container("b", "KILL"));
    CHECK(world.run(world.engine.wait_container("b")) == ContainerExit{137, false, {}});
}

TEST_CASE("a program that cannot be run is bad input at start, and the container can be removed", "[fake]")
{
    FakeWorld world;
    FakeBehaviour broken;
    broken.start_error = "exec: \"nope\": executable file not found in $PATH";
    world.behave(broken);
    world.create("web");

    CHECK(world.failure_of(world.engine.start_container("web")) == Errc::bad_input);
    CHECK(world.engine.started().empty());
    CHECK(world.run(world.engine.inspect_container("web")).state == ContainerState::created);
    world.run(world.engine.remove(ObjectKind::container, "web"));
    CHECK(world.engine.objects().empty());
}

TEST_CASE("a container that is held on its input begins when that is closed", "[fake]")
{
    FakeWorld world;
    FakeBehaviour behaviour;
    behaviour.waits_for_stdin = true;
    behaviour.runs_for = 2s;
    behaviour.output = "go";
    world.behave(behaviour);
    auto spec = container_spec("web");
    spec.open_stdin = true;
    world.run(world.engine.create_container(spec));
    Engine::AttachOptions options;
    options.open_stdin = true;
    auto attachment = world.run(world.engine.attach("web", options));
    world.run(world.engine.start_container("web"));
    Collector sink;

    SECTION("a line and the end of the input let it go")
    {
        const auto reading = world.beside(attachment->read_all(sink));
        world.clock.advance(1h);
        test::settle(world.io);
        CHECK(sink.out.empty());

        world.run(attachment->write("\n"));
        world.run(attachment->close_stdin());

        CHECK(world.run(world.engine.wait_container("web")).exit_code == 0);
        CHECK(world.clock.elapsed() == 1h + 2s);
        CHECK(sink.out == "go");
        CHECK(world.engine.stdin_of("web") == "\n");
    }
    SECTION("a caller that hangs up without a line ends it")
    {
        attachment.reset();
        CHECK(world.run(world.engine.wait_container("web")).exit_code == 1);
        CHECK(world.clock.elapsed() == 0s);
    }
    SECTION("it can be killed while it waits")
    {
        world.run(world.engine.kill_container("web", "TERM"));
        CHECK(world.run(world.engine.wait_container("web")).exit_code == 143);
    }
}

TEST_CASE("what has no label of a step runs until it is killed", "[fake]")
{
    FakeWorld world;
    auto holder = container_spec("holder");
    holder.labels.erase("gantry.step");
    world.run(world.engine.create_container(holder));
    world.run(world.engine.start_container("holder"));
    auto spec = container_spec("web");
    spec.network = ContainerSpec::Network::container;
    spec.network_container = "holder";
    world.run(world.engine.create_container(spec));

    SECTION("others can join its network")
    {
        CHECK_NOTHROW(world.run(world.engine.start_container("web")));
        CHECK(world.run(world.engine.inspect_container("holder")).state == ContainerState::running);
    }
    SECTION("not any more when it has ended")
    {
        world.run(world.engine.kill_container("holder", "KILL"));
        CHECK(world.failure_of(world.engine.start_container("web")) == Errc::conflict);
    }
    CHECK(world.engine.violations().empty());
}

TEST_CASE("health comes from the behaviour, at its time", "[fake]")
{
    FakeWorld world;
    auto behaviour = endless();
    behaviour.healthy_after = 5s;
    SECTION("healthy") {}
    SECTION("unhealthy") { behaviour.unhealthy = true; }
    world.behave(behaviour);
    auto spec = container_spec("db");
    spec.healthcheck = HealthcheckSpec{};
    spec.healthcheck->test = {"CMD", "true"};
    world.run(world.engine.create_container(spec));
    world.run(world.engine.start_container("db"));
    CHECK(world.run(world.engine.inspect_container("db")).health == "starting");

    world.clock.advance(5s);
    test::settle(world.io);

    const std::string expected = behaviour.unhealthy ? "unhealthy" : "healthy";
    CHECK(world.run(world.engine.inspect_container("db")).health == expected);
}

TEST_CASE("an engine that goes while others wait for it unwinds them", "[fake]")
{
    asio::io_context io;
    test::ManualClock clock;
    auto engine = std::make_unique<FakeEngine>(io.get_executor(), clock);
    FakeBehaviour long_one;
    long_one.runs_for = 1h;
    engine->on_start([long_one](const ContainerSpec&) { return long_one; });
    bool gone = false;
    const auto work = [](Engine& at, bool* out) -> awaitable<void> {
        struct Mark {
            bool* gone;
            ~Mark() { *gone = true; }
        };
        const Mark mark{out};
        const auto spec = container_spec("web");
        co_await at.create_container(spec);
        co_await at.start_container("web");
        co_await at.wait_container("web");
    };
    asio::co_spawn(io, work(*engine, &gone), [](std::exception_ptr) {});
    test::settle(io);
    REQUIRE(engine->started().size() == 1);

    engine.reset();
    test::settle(io);

    CHECK(gone);
    CHECK(clock.sleepers() == 0);
}
