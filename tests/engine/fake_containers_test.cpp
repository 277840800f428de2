#include "fake_world.hpp"

#include "engine/fake/tar.hpp"

// What the containers of the fake engine do.

using namespace gantry;
using namespace gantry::engine;

namespace {

FakeBehaviour endless()
{
    FakeBehaviour behaviour;
    behaviour.never_ends = true;
    return behaviour;
}

// Gives the whole archive as one piece.
ReadPiece all_of(std::string archive)
{
    auto pieces = std::make_shared<std::vector<std::string>>(1, std::move(archive));
    return [pieces]() -> awaitable<std::string> {
        std::string piece;
        if (!pieces->empty()) {
            piece = std::move(pieces->back());
            pieces->pop_back();
        }
        co_return piece;
    };
}

FakeFiles download(FakeWorld& world, const std::string& container, const std::string& path)
{
    std::string archive;
    bool ended = false;
    world.run(world.engine.download(container, path, [&](std::string_view piece) -> awaitable<void> {
        CHECK_FALSE(ended);
        ended = piece.empty();
        archive += piece;
        co_return;
    }));
    CHECK(ended);
    return read_tar(archive);
}

} // namespace

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

TEST_CASE("the files of a container can be downloaded when it has ended", "[fake]")
{
    FakeWorld world;
    FakeBehaviour behaviour;
    behaviour.runs_for = 1s;
    behaviour.files = {{"/out/a.txt", "A"}, {"/out/sub/b.txt", std::string(2000, 'b')}};
    world.behave(behaviour);
    const auto attachment = world.start("web");
    const auto nowhere = [](std::string_view) -> awaitable<void> { co_return; };
    CHECK(world.failure_of(world.engine.download("web", "/out", nowhere)) == Errc::not_found);

    world.run(world.engine.wait_container("web"));

    CHECK(download(world, "web", "/out/a.txt") == FakeFiles{{"a.txt", "A"}});
    CHECK(download(world, "web", "/out/") ==
          FakeFiles{{"out/", ""}, {"out/a.txt", "A"}, {"out/sub/b.txt", std::string(2000, 'b')}});
    CHECK(world.failure_of(world.engine.download("web", "/other", nowhere)) == Errc::not_found);
}

TEST_CASE("what is uploaded is recorded, and is seen through every container with the volume", "[fake]")
{
    FakeWorld world;
    world.run(world.engine.create_volume(volume_spec("vol")));
    for (const auto* name : {"a", "b"}) {
        auto spec = container_spec(name);
        Mount mount;
        mount.source = "vol";
        mount.target = std::string("/mnt-") + name;
        spec.mounts.push_back(mount);
        world.run(world.engine.create_container(spec));
    }
    const auto archive = write_tar({{"d/", ""}, {"d/x", "hello"}});

    world.run(world.engine.upload("a", "/mnt-a", all_of(archive)));

    REQUIRE(world.engine.uploads().size() == 1);
    CHECK(world.engine.uploads()[0].container == "a");
    CHECK(world.engine.uploads()[0].path == "/mnt-a");
    CHECK(world.engine.uploads()[0].tar == archive);
    CHECK(download(world, "b", "/mnt-b/d") == FakeFiles{{"d/", ""}, {"d/x", "hello"}});
}

TEST_CASE("an archive holds long paths, and refuses what it cannot hold", "[fake]")
{
    const auto long_path = std::string(90, 'a') + "/" + std::string(90, 'b');
    CHECK(read_tar(write_tar({{long_path, "x"}})) == FakeFiles{{long_path, "x"}});
    CHECK_THROWS_WITH(write_tar({{std::string(101, 'a'), ""}}), ContainsSubstring("too long"));
    CHECK_THROWS_WITH(read_tar(write_tar({{"a", std::string(600, 'x')}}).substr(0, 1024)),
                      ContainsSubstring("in the middle"));
}

TEST_CASE("a volume in use is a conflict after ten seconds, a network only while its containers run", "[fake]")
{
    FakeWorld world;
    FakeBehaviour behaviour;
    behaviour.runs_for = 3s;
    world.behave(behaviour);
    world.run(world.engine.create_network(network_spec("net")));
    world.run(world.engine.create_volume(volume_spec("vol")));
    auto spec = container_spec("web");
    spec.network = ContainerSpec::Network::endpoints;
    spec.endpoints.push_back({"net", {}, {}, {}});
    Mount mount;
    mount.source = "vol";
    mount.target = "/data";
    spec.mounts.push_back(mount);
    world.run(world.engine.create_container(spec));
    world.run(world.engine.start_container("web"));

    CHECK_NOTHROW(world.run(world.engine.remove(ObjectKind::network, "net")));
    CHECK(world.clock.elapsed() == 3s);
    CHECK(world.failure_of(world.engine.remove(ObjectKind::volume, "vol")) == Errc::conflict);
    CHECK(world.clock.elapsed() == 13s);
    world.run(world.engine.remove(ObjectKind::container, "web"));
    CHECK_NOTHROW(world.run(world.engine.remove(ObjectKind::volume, "vol")));
}

TEST_CASE("what exists outside of a run can be provided", "[fake]")
{
    FakeWorld world;
    world.engine.provide({ObjectKind::network, {}, "outer", {}});
    world.engine.provide({ObjectKind::volume, {}, "shared", {}});
    auto spec = container_spec("web");
    spec.network = ContainerSpec::Network::endpoints;
    spec.endpoints.push_back({"outer", {}, {}, {}});

    CHECK_NOTHROW(world.run(world.engine.create_container(spec)));
    CHECK(world.run(world.engine.find_volume("shared")).has_value());
    CHECK(world.run(world.engine.list({{"gantry.run", ""}})).size() == 1);
}

TEST_CASE("events come in their order and with their labels; lost and restored come to all", "[fake]")
{
    FakeWorld world;
    FakeBehaviour behaviour;
    behaviour.exit_code = 5;
    behaviour.oom_killed = true;
    world.behave(behaviour);
    std::string log;
    bool ready = false;
    const Labels wanted{{"gantry.run", "7"}};
    const auto on_event = [&log](const EngineEvent& event) {
        static constexpr const char* k_kinds[] = {"started", "died", "oom", "health", "destroyed", "lost", "restored"};
        log += k_kinds[static_cast<int>(event.kind)];
        log += event.container.empty() ? "" : " " + event.container;
        log += event.kind == EngineEvent::Kind::died ? " " + std::to_string(event.exit_code) + "\n" : "\n";
    };
    const auto watching = world.beside(world.engine.watch(wanted, [&ready] { ready = true; }, on_event));
    CHECK(ready);

    auto other = container_spec("other");
    other.labels["gantry.run"] = "8";
    world.run(world.engine.create_container(other));
    world.run(world.engine.start_container("other"));
    const auto attachment = world.start("web");
    world.run(world.engine.remove(ObjectKind::container, "web"));
    world.engine.go_away();
    world.engine.come_back(true);
    test::settle(world.io);

    CHECK(log == "started web\noom web\ndied web 5\ndestroyed web\nlost\nrestored\n");
    watching->cancel.emit(asio::cancellation_type::terminal);
    test::settle(world.io);
    CHECK(is_cancellation(watching->failure));
}

TEST_CASE("events can be late", "[fake]")
{
    FakeWorld world;
    world.engine.on_latency(
        [](const FakeCall& call) { return call.operation == "event" ? std::chrono::nanoseconds(1s) : 0ns; });
    std::vector<std::chrono::nanoseconds> times;
    const Labels all;
    const auto watching = world.beside(
        world.engine.watch(all, {}, [&](const EngineEvent&) { times.push_back(world.clock.elapsed()); }));
    const auto attachment = world.start("web");
    while (world.clock.advance_to_next())
        test::settle(world.io);

    CHECK(times == std::vector<std::chrono::nanoseconds>{1s, 2s});
}

TEST_CASE("an exec has its own streams and exit code, and needs a container that runs", "[fake]")
{
    FakeWorld world;
    world.behave(endless());
    world.engine.on_exec([](const std::string&, const ExecSpec& spec) {
        FakeBehaviour behaviour;
        behaviour.echoes_stdin = true;
        behaviour.error_output = spec.command.front();
        behaviour.exit_code = 6;
        return behaviour;
    });
    const auto attachment = world.start("web");
    ExecSpec spec;
    spec.command = {"cat"};
    spec.open_stdin = true;
    const auto session = world.run(world.engine.exec("web", spec));
    world.run(session->write("ab"));
    world.run(session->write("c"));
    world.run(session->close_stdin());
    Collector sink;
    world.run(session->read_all(sink));

    CHECK(sink.out == "abc");
    CHECK(sink.err == "cat");
    CHECK(world.run(session->exit_code()) == 6);
    world.run(world.engine.kill_container("web", "KILL"));
    CHECK(world.failure_of(world.engine.exec("web", spec)) == Errc::conflict);
    CHECK(world.engine.violations().empty());
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
