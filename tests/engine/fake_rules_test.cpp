#include "fake_world.hpp"

// Each duty of a caller that the fake engine watches over, broken once.

using namespace gantry;
using namespace gantry::engine;

TEST_CASE("a caller that keeps the order breaks no rule", "[fake]")
{
    FakeWorld world;
    world.run(world.engine.create_network(network_spec("net")));
    world.run(world.engine.create_volume(volume_spec("vol")));
    auto spec = container_spec("web");
    spec.network = ContainerSpec::Network::endpoints;
    spec.endpoints.push_back({"net", {"web"}, {}, {}});
    Mount mount;
    mount.source = "vol";
    mount.target = "/data";
    spec.mounts.push_back(mount);
    world.run(world.engine.create_container(spec));
    {
        const auto attachment = world.attach("web");
        world.run(world.engine.start_container("web"));
        Collector sink;
        world.run(attachment->read_all(sink));
    }
    CHECK(world.run(world.engine.wait_container("web")) == ContainerExit{});
    world.run(world.engine.remove(ObjectKind::container, "web"));
    world.run(world.engine.remove(ObjectKind::network, "net"));
    world.run(world.engine.remove(ObjectKind::volume, "vol"));

    CHECK(world.engine.violations().empty());
    CHECK(world.engine.objects().empty());
    CHECK(world.engine.started() == std::vector<std::string>{"web"});
    std::string calls;
    for (const auto& call : world.engine.calls())
        calls += to_string(call) + "\n";
    CHECK(calls == "create_network net\ncreate_volume vol\ncreate_container web alpine\nattach web\n"
                   "start_container web\nread_all web\nwait_container web\nremove web container\n"
                   "remove net network\nremove vol volume\n");
}

TEST_CASE("attaching to or starting what was never created is a violation", "[fake]")
{
    FakeWorld world;

    CHECK(world.failure_of(world.engine.attach("web", {})) == Errc::internal);
    CHECK(world.failure_of(world.engine.start_container("web")) == Errc::internal);

    CHECK(world.violated("attach web, which was never created"));
    CHECK(world.violated("start web, which was never created"));
}

TEST_CASE("attaching to or starting what was removed is a violation", "[fake]")
{
    FakeWorld world;
    world.create("web");
    world.run(world.engine.remove(ObjectKind::container, "web"));

    CHECK(world.failure_of(world.engine.attach("web", {})) == Errc::internal);
    CHECK(world.failure_of(world.engine.start_container("web")) == Errc::internal);

    CHECK(world.violated("attach web, which was removed before"));
    CHECK(world.violated("start web, which was removed before"));
}

TEST_CASE("starting twice is a violation", "[fake]")
{
    FakeWorld world;
    const auto attachment = world.start("web");

    CHECK(world.failure_of(world.engine.start_container("web")) == Errc::internal);
    CHECK(world.violated("start web twice"));
}

TEST_CASE("attaching after the start is a violation", "[fake]")
{
    FakeWorld world;
    world.create("web");
    world.run(world.engine.start_container("web"));

    CHECK(world.failure_of(world.engine.attach("web", {})) == Errc::internal);
    CHECK(world.violated("attach web, which was started before"));
}

TEST_CASE("attaching twice at a time is a violation, one after the other is none", "[fake]")
{
    FakeWorld world;
    world.create("web");
    {
        const auto attachment = world.attach("web");
        CHECK(world.failure_of(world.engine.attach("web", {})) == Errc::internal);
        CHECK(world.violated("attach web twice"));
    }
    CHECK_NOTHROW(world.attach("web"));
}

TEST_CASE("attaching with other options than in the spec is a violation", "[fake]")
{
    FakeWorld world;
    world.create("web");
    Engine::AttachOptions options;
    options.tty = true;

    CHECK(world.failure_of(world.engine.attach("web", options)) == Errc::internal);
    CHECK(world.violated("other options"));
}

TEST_CASE("starting what writes output without an attachment is a violation", "[fake]")
{
    FakeWorld world;
    FakeBehaviour speaks;
    speaks.output = "hello";
    world.behave(speaks);
    world.create("web");

    CHECK(world.failure_of(world.engine.start_container("web")) == Errc::internal);
    CHECK(world.violated("its output is lost"));
}

TEST_CASE("waiting for what was not started is a violation", "[fake]")
{
    FakeWorld world;
    world.create("web");

    CHECK(world.failure_of(world.engine.wait_container("web")) == Errc::internal);
    CHECK(world.violated("wait_container web, which was not started"));
}

TEST_CASE("reading the output twice is a violation", "[fake]")
{
    FakeWorld world;
    const auto attachment = world.start("web");
    Collector sink;
    world.run(attachment->read_all(sink));

    CHECK(world.failure_of(attachment->read_all(sink)) == Errc::internal);
    CHECK(world.violated("read_all web twice"));
}

TEST_CASE("writing to a container without open_stdin, or after close_stdin, is a violation", "[fake]")
{
    FakeWorld world;
    const auto closed = world.start("deaf");
    CHECK(world.failure_of(closed->write("x")) == Errc::internal);
    CHECK(world.failure_of(closed->close_stdin()) == Errc::internal);
    CHECK(world.violated("write to deaf"));
    CHECK(world.violated("close_stdin of deaf"));

    auto spec = container_spec("ear");
    spec.open_stdin = true;
    world.run(world.engine.create_container(spec));
    Engine::AttachOptions options;
    options.open_stdin = true;
    const auto open = world.run(world.engine.attach("ear", options));
    world.run(open->close_stdin());
    CHECK(world.failure_of(open->write("x")) == Errc::internal);
    CHECK(world.violated("write to ear, after close_stdin") == false);
    CHECK(world.violated("write to ear after close_stdin"));
}

TEST_CASE("what a container uses must exist when it is created", "[fake]")
{
    FakeWorld world;
    auto spec = container_spec("web");
    std::string expected;
    SECTION("network")
    {
        spec.network = ContainerSpec::Network::endpoints;
        spec.endpoints.push_back({"net", {}, {}, {}});
        expected = "network net, which does not exist";
    }
    SECTION("volume")
    {
        Mount mount;
        mount.source = "vol";
        mount.target = "/data";
        spec.mounts.push_back(mount);
        expected = "volume vol, which does not exist";
    }
    SECTION("a container whose network it shares")
    {
        spec.network = ContainerSpec::Network::container;
        spec.network_container = "holder";
        expected = "network of holder, which does not exist";
    }
    SECTION("a container whose volumes it has")
    {
        spec.volumes_from.push_back("data:ro");
        expected = "volumes of data:ro, which does not exist";
    }
    CHECK(world.failure_of(world.engine.create_container(spec)) == Errc::internal);
    CHECK(world.violated(expected));
    CHECK(world.engine.objects().empty());
}

TEST_CASE("a spec that contradicts itself is a violation", "[fake]")
{
    FakeWorld world;
    auto spec = container_spec("web");
    Mount mount;
    mount.type = Mount::Type::tmpfs;
    mount.target = "/data";
    SECTION("no name") { spec.name.clear(); }
    SECTION("a name with a blank") { spec.name = "we b"; }
    SECTION("no image") { spec.image.clear(); }
    SECTION("endpoints without a network") { spec.endpoints.push_back({"net", {}, {}, {}}); }
    SECTION("a network without endpoints") { spec.network = ContainerSpec::Network::endpoints; }
    SECTION("two mounts at one place") { spec.mounts = {mount, mount}; }
    SECTION("a mount at a relative place")
    {
        mount.target = "data";
        spec.mounts = {mount};
    }
    CHECK(world.failure_of(world.engine.create_container(spec)) == Errc::internal);
    CHECK(world.engine.violations().size() == 1);
}

TEST_CASE("everything that is created carries its labels", "[fake]")
{
    FakeWorld world;
    auto container = container_spec("web");
    container.labels.erase("gantry.run");
    auto network = network_spec("net");
    network.labels.erase("gantry.instance");
    auto cache = volume_spec("cache");
    cache.labels.erase("gantry.run");
    auto volume = volume_spec("vol");
    volume.labels.clear();

    CHECK(world.failure_of(world.engine.create_container(container)) == Errc::internal);
    CHECK(world.failure_of(world.engine.create_network(network)) == Errc::internal);
    CHECK(world.failure_of(world.engine.create_volume(volume)) == Errc::internal);
    CHECK_NOTHROW(world.run(world.engine.create_volume(cache))); // outlives the run

    CHECK(world.violated("container web has no label gantry.run"));
    CHECK(world.violated("network net has no label gantry.instance"));
    CHECK(world.violated("volume vol has no label gantry.instance"));
}

TEST_CASE("the labels that are demanded can be chosen", "[fake]")
{
    FakeWorld world;
    world.engine.require_labels({"gantry.instance", "gantry.attempt"});

    CHECK(world.failure_of(world.engine.create_container(container_spec("web"))) == Errc::internal);
    CHECK(world.violated("container web has no label gantry.attempt"));
}

TEST_CASE("making an image of a container that runs, and running nothing, are violations", "[fake]")
{
    FakeWorld world;
    FakeBehaviour endless;
    endless.never_ends = true;
    world.behave(endless);
    const auto attachment = world.start("web");

    CHECK(world.failure_of(world.engine.commit_container("web", "kept", {})) == Errc::internal);
    CHECK(world.violated("commit_container web, which still runs"));
    const ExecSpec nothing;
    CHECK(world.failure_of(world.engine.exec("web", nothing)) == Errc::internal);
    CHECK(world.violated("exec in web without a command"));
}

TEST_CASE("asking an exec for its exit code while it runs is a violation", "[fake]")
{
    FakeWorld world;
    FakeBehaviour endless;
    endless.never_ends = true;
    world.behave(endless);
    world.engine.on_exec([endless](const std::string&, const ExecSpec&) { return endless; });
    const auto attachment = world.start("web");
    ExecSpec spec;
    spec.command = {"sleep"};
    const auto session = world.run(world.engine.exec("web", spec));

    CHECK(world.failure_of(session->exit_code()) == Errc::internal);
    CHECK(world.violated("exit_code of an exec in web"));
}
