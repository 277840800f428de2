#include "fake_world.hpp"

#include "engine/fake/tar.hpp"

// The failures that the fake engine can inject.

using namespace gantry;
using namespace gantry::engine;

namespace {

// Throws `code` at the first call of `operation`.
void fail_once(FakeEngine& engine, std::string operation, Errc code)
{
    engine.on_call([operation = std::move(operation), code, done = false](const FakeCall& call) mutable {
        if (call.operation == operation && !std::exchange(done, true))
            throw Error(code, "injected");
    });
}

bool exists(const FakeWorld& world, const std::string& name)
{
    const auto all = world.engine.objects();
    return std::any_of(all.begin(), all.end(), [&name](const Object& object) { return object.name == name; });
}

} // namespace

TEST_CASE("a failure before the effect leaves nothing behind", "[fake]")
{
    FakeWorld world;
    fail_once(world.engine, "create_container", Errc::no_space);

    CHECK(world.failure_of(world.engine.create_container(container_spec("web"))) == Errc::no_space);
    CHECK_FALSE(exists(world, "web"));
    CHECK(world.engine.violations().empty());
}

TEST_CASE("a lost answer comes after the effect", "[fake]")
{
    FakeWorld world;
    SECTION("of create: the object exists, and creating it again conflicts")
    {
        fail_once(world.engine, "after create_container", Errc::unavailable);
        CHECK(world.failure_of(world.engine.create_container(container_spec("web"))) == Errc::unavailable);
        CHECK(exists(world, "web"));
        CHECK(world.failure_of(world.engine.create_container(container_spec("web"))) == Errc::conflict);
    }
    SECTION("of start: it was started, and starting it again is no violation")
    {
        fail_once(world.engine, "after start_container", Errc::timed_out);
        world.create("web");
        CHECK(world.failure_of(world.engine.start_container("web")) == Errc::timed_out);
        CHECK(world.engine.started() == std::vector<std::string>{"web"});
        CHECK_NOTHROW(world.run(world.engine.start_container("web")));
        CHECK(world.engine.started().size() == 1);
    }
    SECTION("of remove: it is gone")
    {
        world.create("web");
        fail_once(world.engine, "after remove", Errc::unavailable);
        CHECK(world.failure_of(world.engine.remove(ObjectKind::container, "web")) == Errc::unavailable);
        CHECK_FALSE(exists(world, "web"));
    }
    CHECK(world.engine.violations().empty());
}

TEST_CASE("every call of an engine fails where it is told to, before its effect and after", "[fake]")
{
    const auto once = [](std::string bytes) -> ReadPiece {
        auto left = std::make_shared<std::string>(std::move(bytes));
        return [left]() -> awaitable<std::string> { co_return std::exchange(*left, {}); };
    };
    const auto context = write_tar({{"Dockerfile", "FROM scratch\n"}});
    ExecSpec command;
    command.command = {"true"};
    const WritePiece ignore = [](std::string_view) -> awaitable<void> { co_return; };
    const TellBuild unheard = [](const BuildEvent&) -> awaitable<void> { co_return; };
    const Labels labels{{"gantry.instance", "i"}, {"gantry.run", "7"}};
    NetworkSpec network;
    network.name = "net";
    network.labels = labels;
    VolumeSpec volume;
    volume.name = "vol";
    volume.labels = labels;
    BuildSpec build;
    build.tags = {"made:1"};
    const std::map<std::string, std::function<Errc(FakeWorld&)>> calls = {
        {"probe", [&](FakeWorld& at) { return at.failure_of(at.engine.probe()); }},
        {"find_image", [&](FakeWorld& at) { return at.failure_of(at.engine.find_image("alpine")); }},
        {"pull_image", [&](FakeWorld& at) { return at.failure_of(at.engine.pull_image("alpine", "", {})); }},
        {"import_image", [&](FakeWorld& at) { return at.failure_of(at.engine.import_image("new:1", labels, {}, "")); }},
        {"commit_container", [&](FakeWorld& at) { return at.failure_of(at.engine.commit_container("web", "kept:1", labels)); }},
        {"build_image", [&](FakeWorld& at) { return at.failure_of(at.engine.build_image(build, once(context), unheard)); }},
        {"tag_image", [&](FakeWorld& at) { return at.failure_of(at.engine.tag_image("alpine", "alpine:2")); }},
        {"push_image", [&](FakeWorld& at) { return at.failure_of(at.engine.push_image("alpine", {})); }},
        {"save_images", [&](FakeWorld& at) { return at.failure_of(at.engine.save_images({"alpine"}, ignore)); }},
        {"load_images", [&](FakeWorld& at) { return at.failure_of(at.engine.load_images(once("alpine:3\n"))); }},
        {"list_images", [&](FakeWorld& at) { return at.failure_of(at.engine.list_images(labels)); }},
        {"create_network", [&](FakeWorld& at) { return at.failure_of(at.engine.create_network(network)); }},
        {"find_network", [&](FakeWorld& at) { return at.failure_of(at.engine.find_network("net")); }},
        {"create_volume", [&](FakeWorld& at) { return at.failure_of(at.engine.create_volume(volume)); }},
        {"find_volume", [&](FakeWorld& at) { return at.failure_of(at.engine.find_volume("vol")); }},
        {"create_container", [&](FakeWorld& at) { return at.failure_of(at.engine.create_container(container_spec("other"))); }},
        {"attach", [&](FakeWorld& at) { return at.failure_of(at.engine.attach("idle", {})); }},
        {"start_container", [&](FakeWorld& at) { return at.failure_of(at.engine.start_container("idle")); }},
        {"wait_container", [&](FakeWorld& at) { return at.failure_of(at.engine.wait_container("web")); }},
        {"kill_container", [&](FakeWorld& at) { return at.failure_of(at.engine.kill_container("web", "TERM")); }},
        {"watch_use", [&](FakeWorld& at) { return at.failure_of(at.engine.watch_use("web", [](const ResourceUse&) {})); }},
        {"inspect_container", [&](FakeWorld& at) { return at.failure_of(at.engine.inspect_container("web")); }},
        {"exec", [&](FakeWorld& at) { return at.failure_of(at.engine.exec("web", command)); }},
        {"upload", [&](FakeWorld& at) { return at.failure_of(at.engine.upload("web", "/", once(""))); }},
        {"download", [&](FakeWorld& at) { return at.failure_of(at.engine.download("web", "/f", ignore)); }},
        {"list", [&](FakeWorld& at) { return at.failure_of(at.engine.list(labels)); }},
        {"list_stored", [&](FakeWorld& at) { return at.failure_of(at.engine.list_stored(labels)); }},
        {"remove", [&](FakeWorld& at) { return at.failure_of(at.engine.remove(ObjectKind::container, "web")); }},
    };
    for (const auto& [name, call] : calls)
        for (const auto* when : {"", "after "}) {
            INFO(when << name);
            FakeWorld world;
            FakeBehaviour behaviour;
            behaviour.never_ends = true;
            behaviour.files["/f"] = "x";
            world.behave(behaviour);
            const auto attachment = world.start("web");
            world.create("idle");
            std::unique_ptr<Attachment> of_idle;
            if (name == "start_container")
                of_idle = world.attach("idle");
            if (name == "commit_container" || (*when && (name == "wait_container" || name == "watch_use")))
                world.run(world.engine.kill_container("web", "KILL"));
            fail_once(world.engine, when + name, Errc::denied);
            CHECK(call(world) == Errc::denied);
        }
}

TEST_CASE("every call tells when it comes and when its effect is there", "[fake]")
{
    FakeWorld world;
    std::vector<std::string> seen;
    world.engine.on_call([&seen](const FakeCall& call) { seen.push_back(to_string(call)); });
    const auto attachment = world.start("web");
    world.run(world.engine.probe());
    world.run(world.engine.find_image("alpine"));
    world.run(world.engine.pull_image("alpine", "linux/arm64", {}));
    world.run(world.engine.kill_container("web", "TERM"));
    world.run(world.engine.inspect_container("web"));
    world.run(world.engine.list({{"gantry.run", "7"}}));

    CHECK(seen == std::vector<std::string>{
                      "create_container web alpine", "after create_container web alpine", "attach web",
                      "after attach web", "start_container web", "after start_container web", "probe", "after probe",
                      "find_image alpine", "after find_image alpine", "pull_image alpine linux/arm64",
                      "after pull_image alpine linux/arm64", "kill_container web TERM", "after kill_container web TERM",
                      "inspect_container web", "after inspect_container web", "list gantry.run=7",
                      "after list gantry.run=7"});
}

TEST_CASE("an image that does not exist is not found, at create and at pull", "[fake]")
{
    FakeWorld world;
    world.engine.only_images({"busybox"});

    CHECK(world.run(world.engine.find_image("busybox")).has_value());
    CHECK_FALSE(world.run(world.engine.find_image("alpine")).has_value());
    CHECK(world.failure_of(world.engine.pull_image("alpine", {}, {})) == Errc::not_found);
    CHECK(world.failure_of(world.engine.create_container(container_spec("web"))) == Errc::not_found);
    CHECK(world.engine.violations().empty());
}

TEST_CASE("an image can be at its registry only until it is pulled", "[fake]")
{
    FakeWorld world;
    world.engine.images_to_pull({"alpine"});
    CHECK_FALSE(world.run(world.engine.find_image("alpine")).has_value());
    CHECK(world.failure_of(world.engine.create_container(container_spec("web"))) == Errc::not_found);

    int steps = 0;
    const auto info = world.run(world.engine.pull_image("alpine", {}, [&steps](const PullProgress&) { ++steps; }));

    CHECK(steps == 2);
    CHECK(info.digest == "alpine@" + info.id);
    CHECK(world.run(world.engine.find_image("alpine")).has_value());
    CHECK_NOTHROW(world.create("web"));
}

TEST_CASE("images that are made here exist until they are removed", "[fake]")
{
    FakeWorld world;
    world.engine.only_images({"alpine"});
    world.run(world.engine.import_image("holder", {}, {"/hold"}, "tar"));
    CHECK(world.run(world.engine.find_image("holder")).has_value());
    const auto attachment = world.start("web");
    world.run(world.engine.commit_container("web", "kept", {}));
    CHECK(world.run(world.engine.find_image("kept")).has_value());

    world.run(world.engine.remove(ObjectKind::image, "kept"));
    CHECK_FALSE(world.run(world.engine.find_image("kept")).has_value());
}

TEST_CASE("calls take as long as they are told, half before the effect and half behind it", "[fake]")
{
    FakeWorld world;
    world.engine.on_latency([](const FakeCall&) { return 10ms; });
    const auto spec = container_spec("web");
    const auto call = world.beside(world.engine.create_container(spec));

    CHECK_FALSE(exists(world, "web"));
    world.clock.advance(5ms);
    test::settle(world.io);
    CHECK(exists(world, "web"));
    CHECK_FALSE(call->ended);
    world.clock.advance(5ms);
    test::settle(world.io);
    CHECK(call->ended);
}

TEST_CASE("a cancelled call has had its effect or not", "[fake]")
{
    FakeWorld world;
    world.engine.on_latency([](const FakeCall&) { return 10ms; });
    const auto spec = container_spec("web");
    const auto call = world.beside(world.engine.create_container(spec));
    bool happened = false;
    SECTION("cancelled on the way there") { world.clock.advance(4ms); }
    SECTION("cancelled on the way back")
    {
        world.clock.advance(6ms);
        happened = true;
    }
    test::settle(world.io);

    call->cancel.emit(asio::cancellation_type::terminal);
    test::settle(world.io);

    CHECK(is_cancellation(call->failure));
    CHECK(exists(world, "web") == happened);
    CHECK(world.clock.sleepers() == 0);
}

TEST_CASE("a cancelled wait leaves the container running", "[fake]")
{
    FakeWorld world;
    FakeBehaviour long_one;
    long_one.runs_for = 1h;
    world.behave(long_one);
    const auto attachment = world.start("web");
    const auto wait = [](Engine& engine) -> awaitable<void> { co_await engine.wait_container("web"); };
    const auto waiting = world.beside(wait(world.engine));

    waiting->cancel.emit(asio::cancellation_type::terminal);
    test::settle(world.io);

    CHECK(is_cancellation(waiting->failure));
    CHECK(world.run(world.engine.inspect_container("web")).state == ContainerState::running);
    CHECK(world.run(world.engine.wait_container("web")).exit_code == 0);
    CHECK(world.clock.elapsed() == 1h);
}

TEST_CASE("while the engine is away every call is unavailable", "[fake]")
{
    FakeWorld world;
    const auto attachment = world.start("web");
    world.engine.go_away();
    auto& engine = world.engine;
    Collector sink;

    CHECK(world.failure_of(engine.probe()) == Errc::unavailable);
    CHECK(world.failure_of(engine.create_container(container_spec("db"))) == Errc::unavailable);
    CHECK(world.failure_of(engine.wait_container("web")) == Errc::unavailable);
    CHECK(world.failure_of(engine.remove(ObjectKind::container, "web")) == Errc::unavailable);
    CHECK(world.failure_of(attachment->read_all(sink)) == Errc::unavailable);

    engine.come_back(true);
    CHECK(world.run(engine.probe()).name == "fake");
    CHECK(exists(world, "web"));
    CHECK_FALSE(exists(world, "db"));
    CHECK(engine.violations().empty());
}

TEST_CASE("an engine that goes away breaks what waits for it", "[fake]")
{
    FakeWorld world;
    FakeBehaviour long_one;
    long_one.output = "first\n";
    long_one.runs_for = 1h;
    long_one.says = {{30min, Stream::out, "second\n"}};
    world.behave(long_one);
    const auto attachment = world.start("web");
    Collector sink;
    const auto wait = [](Engine& engine) -> awaitable<void> { co_await engine.wait_container("web"); };
    const auto waiting = world.beside(wait(world.engine));
    const auto reading = world.beside(attachment->read_all(sink));

    world.engine.go_away();
    test::settle(world.io);

    REQUIRE(waiting->ended);
    REQUIRE(reading->ended);
    CHECK(to_error(waiting->failure).code() == Errc::unavailable);
    CHECK(to_error(reading->failure).code() == Errc::unavailable);
    CHECK(sink.out == "first\n");

    SECTION("containers that survive go on to their end")
    {
        world.engine.come_back(true);
        CHECK(world.run(world.engine.inspect_container("web")).state == ContainerState::running);
        CHECK(world.run(world.engine.wait_container("web")).exit_code == 0);
        CHECK(world.clock.elapsed() == 1h);
        CHECK(world.failure_of(attachment->resize(80, 24)) == Errc::unavailable); // that connection is gone
    }
    SECTION("others have been killed")
    {
        world.engine.come_back(false);
        const auto status = world.run(world.engine.inspect_container("web"));
        CHECK(status.state == ContainerState::exited);
        CHECK(status.exit.exit_code == 137);
        CHECK(world.clock.sleepers() == 0);
    }
    CHECK(world.engine.violations().empty());
}

TEST_CASE("a call that was under way when the engine went away has no answer, even if it came back", "[fake]")
{
    FakeWorld world;
    world.engine.on_latency([](const FakeCall&) { return 10ms; });
    const auto spec = container_spec("web");
    const auto call = world.beside(world.engine.create_container(spec));
    bool happened = false;
    SECTION("on its way there") {}
    SECTION("on its way back")
    {
        world.clock.advance(5ms);
        test::settle(world.io);
        happened = true;
    }

    world.engine.go_away();
    world.engine.come_back(true);
    world.clock.advance(10ms);
    test::settle(world.io);

    REQUIRE(call->ended);
    CHECK(to_error(call->failure).code() == Errc::unavailable);
    CHECK(exists(world, "web") == happened);
}
