#include "fake_world.hpp"

#include "engine/fake/tar.hpp"

// Files, volumes, networks, events and execs of the fake engine.

using namespace gantry;
using namespace gantry::engine;

namespace {

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
