#include "support/engine_conformance.hpp"

#include <algorithm>

// What is there: the engine itself, images, networks, volumes, lists and events.

namespace gantry::test {

using namespace engine;

namespace {

awaitable<void> probe(EngineBench& bench)
{
    const auto info = co_await bench.engine().probe();
    CHECK_FALSE(info.name.empty());
    CHECK_FALSE(info.version.empty());
    CHECK_FALSE(info.id.empty());
    CHECK_FALSE(info.endpoint.empty());
    CHECK(info.os == "linux");
    CHECK_FALSE(info.architecture.empty());
    CHECK(info.cpus > 0);
    CHECK(info.memory_bytes > 0);
    const auto again = co_await bench.engine().probe();
    CHECK(again.id == info.id);
}

awaitable<void> images(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto image = co_await engine.find_image(bench.image());
    REQUIRE(image.has_value());
    CHECK(image->id.starts_with("sha256:"));

    const auto spec = bench.shell("original", scripts::k_nothing);
    const auto running = co_await start(bench, spec);
    co_await engine.wait_container(spec.name);
    const auto tag = bench.unique_name("kept") + ":1";
    const auto labels = bench.labels();
    const auto kept = co_await engine.commit_container(spec.name, tag, labels);
    const auto found = co_await engine.find_image(tag);
    REQUIRE(found.has_value());
    CHECK(found->id == kept.id);
    auto copy = bench.shell("copy", scripts::k_two_streams);
    copy.image = tag;
    const auto ran = co_await whole_life(bench, copy);
    CHECK(ran.out == "one\ntwo");

    co_await engine.remove(ObjectKind::container, spec.name);
    co_await engine.remove(ObjectKind::image, tag);
    const auto gone = co_await engine.find_image(tag);
    CHECK_FALSE(gone.has_value());
    co_await engine.remove(ObjectKind::image, tag);
}

std::vector<std::string> names_of(const std::vector<Object>& objects)
{
    std::vector<std::string> names;
    for (const auto& object : objects)
        names.push_back(std::string(to_string(object.kind)) + " " + object.name);
    return names;
}

awaitable<void> lists(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto volume = bench.volume("v");
    const auto network = bench.network("n");
    auto first = bench.shell("c1", scripts::k_nothing);
    auto second = bench.shell("c2", scripts::k_endless);
    second.labels["gantry.step"] = "other";
    co_await engine.create_volume(volume);
    co_await engine.create_network(network);
    co_await engine.create_container(first);
    const auto running = co_await start(bench, second);

    const Labels of_run{{"gantry.run", bench.labels()["gantry.run"]}};
    auto all = co_await engine.list(of_run);
    REQUIRE(all.size() == 4);
    std::sort(all.begin(), all.begin() + 2, [](const Object& a, const Object& b) { return a.name < b.name; });
    const std::vector<std::string> expected{"container " + first.name, "container " + second.name,
                                            "network " + network.name, "volume " + volume.name};
    CHECK(names_of(all) == expected);
    for (const auto& object : all) {
        CHECK_FALSE(object.id.empty());
        CHECK(object.labels.at("gantry.instance") == bench.labels()["gantry.instance"]);
    }

    auto narrow = bench.labels();
    narrow["gantry.step"] = "other";
    const auto one = co_await engine.list(narrow);
    CHECK(names_of(one) == std::vector<std::string>{"container " + second.name});
    auto any = bench.labels();
    any["gantry.step"] = "";
    const auto every = co_await engine.list(any);
    CHECK(every.size() == 4);
    any["gantry.nothing-has-this"] = "";
    const auto none = co_await engine.list(any);
    CHECK(none.empty());
}

ContainerSpec inside(EngineBench& bench, const std::string& what, const std::string& network)
{
    auto spec = bench.shell(what, scripts::k_endless);
    spec.network = ContainerSpec::Network::endpoints;
    Endpoint endpoint;
    endpoint.network = network;
    endpoint.aliases = {what};
    spec.endpoints.push_back(endpoint);
    return spec;
}

awaitable<void> remove_later(EngineBench& bench, std::string name)
{
    co_await bench.clock().sleep_for(std::chrono::milliseconds(700));
    co_await bench.engine().remove(ObjectKind::container, name);
}

awaitable<void> networks(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto network = bench.network("net");
    const auto before = co_await engine.find_network(network.name);
    CHECK_FALSE(before.has_value());
    co_await engine.create_network(network);
    const auto found = co_await engine.find_network(network.name);
    REQUIRE(found.has_value());
    CHECK(found->name == network.name);
    CHECK(found->driver == "bridge");
    const auto part = co_await engine.find_network(network.name.substr(0, network.name.size() - 1));
    CHECK_FALSE(part.has_value());
    const auto again = co_await failure_of(engine.create_network(network));
    CHECK(again == "conflict");

    const auto spec = inside(bench, "web", network.name);
    const auto running = co_await start(bench, spec);
    const auto status = co_await engine.inspect_container(spec.name);
    CHECK_FALSE(status.ip_address.empty());
    // In use now: the removal waits for the container to go.
    co_await both(engine.remove(ObjectKind::network, network.name), remove_later(bench, spec.name));
    const auto left = co_await engine.list(bench.labels());
    CHECK(left.empty());
}

awaitable<std::vector<std::string>> networks_in_use(EngineBench& bench)
{
    const auto all = co_await bench.engine().list_stored(bench.labels());
    std::vector<std::string> names;
    for (const auto& stored : all)
        if (stored.object.kind == ObjectKind::network && stored.in_use)
            names.push_back(stored.object.name);
    co_return names;
}

awaitable<void> used_networks(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto joined = bench.network("joined"), idle = bench.network("idle");
    co_await engine.create_network(joined);
    co_await engine.create_network(idle);
    const auto spec = inside(bench, "busy", joined.name);
    const auto running = co_await start(bench, spec);
    auto names = co_await networks_in_use(bench);
    CHECK(names == std::vector<std::string>{joined.name});

    co_await engine.remove(ObjectKind::container, spec.name);
    names = co_await networks_in_use(bench);
    CHECK(names.empty());
}

// Side by side, because a daemon looks for a plugin of that name for 15 s.
awaitable<void> unknown_drivers(EngineBench& bench)
{
    auto network = bench.network("strange");
    network.driver = "no-such-driver";
    auto volume = bench.volume("strange");
    volume.driver = network.driver;
    std::string network_refused, volume_refused;
    const auto keep = [](awaitable<std::string> from, std::string& into) -> awaitable<void> {
        into = co_await std::move(from);
    };
    co_await both(keep(failure_of(bench.engine().create_network(network)), network_refused),
                  keep(failure_of(bench.engine().create_volume(volume)), volume_refused));
    CHECK(network_refused == "bad_input");
    CHECK(volume_refused == "bad_input");
}

awaitable<void> subnets(EngineBench& bench)
{
    auto& engine = bench.engine();
    auto first = bench.network("subnet1");
    first.subnets.push_back({"10.213.77.0/24", {}, {}});
    auto second = bench.network("subnet2");
    second.subnets = first.subnets;
    co_await engine.create_network(first);
    const auto refused = co_await failure_of(engine.create_network(second));
    CHECK(refused == "bad_input");
}

awaitable<void> shared_network(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto network = bench.network("shared");
    co_await engine.create_network(network);
    const auto holder = inside(bench, "holder", network.name);
    const auto holding = co_await start(bench, holder);
    auto guest = bench.shell("guest", scripts::exit_with(3));
    guest.network = ContainerSpec::Network::container;
    guest.network_container = holder.name;
    const auto ran = co_await whole_life(bench, guest);
    CHECK(ran.exit.exit_code == 3);

    co_await engine.create_container(guest);
    co_await engine.kill_container(holder.name, "KILL");
    co_await engine.wait_container(holder.name);
    const auto late = co_await failure_of(engine.start_container(guest.name));
    CHECK(late == "conflict");
}

awaitable<void> volumes(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto volume = bench.volume("vol");
    const auto before = co_await engine.find_volume(volume.name);
    CHECK_FALSE(before.has_value());
    const auto made = co_await engine.create_volume(volume);
    CHECK(made.name == volume.name);
    CHECK(made.mountpoint.starts_with("/"));
    const auto found = co_await engine.find_volume(volume.name);
    REQUIRE(found.has_value());
    CHECK(found->mountpoint == made.mountpoint);
    const auto again = co_await failure_of(engine.create_volume(volume));
    CHECK(again == "conflict");

    auto spec = bench.shell("user", scripts::k_nothing);
    Mount mount;
    mount.source = volume.name;
    mount.target = "/data";
    spec.mounts.push_back(mount);
    co_await engine.create_container(spec);
    co_await both(engine.remove(ObjectKind::volume, volume.name), remove_later(bench, spec.name));
    const auto gone = co_await engine.find_volume(volume.name);
    CHECK_FALSE(gone.has_value());
}

std::string text_of(const EngineEvent& event, const std::string& prefix)
{
    static constexpr const char* k_kinds[] = {"started", "died", "oom", "health", "destroyed", "lost", "restored"};
    const auto name = event.container.starts_with(prefix) ? event.container.substr(prefix.size()) : event.container;
    std::string text = std::string(k_kinds[static_cast<int>(event.kind)]) + " " + name;
    if (event.kind == EngineEvent::Kind::died)
        text += " " + std::to_string(event.exit_code);
    if (event.kind == EngineEvent::Kind::health)
        text += " " + event.health;
    return text;
}

// Runs `act` while the events of the bench's objects are written down.
awaitable<void> while_watching(EngineBench& bench, std::vector<std::string>& seen, std::function<awaitable<void>()> act)
{
    const auto prefix = bench.unique_name("");
    const Labels wanted{{"gantry.run", bench.labels()["gantry.run"]}};
    TaskGroup watchers(co_await asio::this_coro::executor);
    bool ready = false;
    std::function<awaitable<void>()> watch = [&]() {
        return bench.engine().watch(wanted, [&ready] { ready = true; },
                                    [&seen, prefix](const EngineEvent& event) { seen.push_back(text_of(event, prefix)); });
    };
    watchers.spawn(watch);
    std::exception_ptr failure;
    try {
        co_await until(bench, "the watch to be ready", [&ready] { return ready; });
        co_await act();
    } catch (...) {
        failure = std::current_exception();
    }
    co_await watchers.close();
    if (failure)
        std::rethrow_exception(failure);
}

awaitable<void> events(EngineBench& bench)
{
    std::vector<std::string> seen;
    std::function<awaitable<void>()> act = [&]() -> awaitable<void> {
        auto other = bench.shell("unwatched", scripts::k_nothing);
        other.labels["gantry.run"] = "other-run-of-" + bench.labels()["gantry.run"];
        const auto unwatched = co_await whole_life(bench, other);
        CHECK(unwatched.exit.exit_code == 0);
        const auto spec = bench.shell("watched", scripts::exit_with(7));
        const auto ran = co_await whole_life(bench, spec);
        CHECK(ran.exit.exit_code == 7);
        co_await until(bench, "three events", [&seen] { return seen.size() >= 3; });
    };
    co_await while_watching(bench, seen, act);
    CHECK(seen == std::vector<std::string>{"started watched", "died watched 7", "destroyed watched"});
}

awaitable<void> health(EngineBench& bench)
{
    std::vector<std::string> seen;
    auto spec = bench.shell("healthy", scripts::k_healthy);
    spec.healthcheck = HealthcheckSpec{};
    spec.healthcheck->test = {"CMD", "/bin/sh", "-c", "exit 0"};
    spec.healthcheck->interval = std::chrono::milliseconds(200);
    spec.healthcheck->timeout = std::chrono::seconds(10);
    spec.healthcheck->retries = 3;
    std::function<awaitable<void>()> act = [&]() -> awaitable<void> {
        const auto running = co_await start(bench, spec);
        auto status = co_await bench.engine().inspect_container(spec.name);
        CHECK((status.health == "starting" || status.health == "healthy"));
        co_await until(bench, "the event of its health", [&seen] { return seen.size() >= 2; });
        status = co_await bench.engine().inspect_container(spec.name);
        CHECK(status.health == "healthy");
    };
    co_await while_watching(bench, seen, act);
    CHECK(seen == std::vector<std::string>{"started healthy", "health healthy healthy"});
}

} // namespace

std::vector<ConformanceCase> object_cases()
{
    return {
        {"the probe names the engine and its machine", probe},
        {"an image can be made of a container, used and removed", images},
        {"a list has what carries all labels: containers, networks, volumes", lists},
        {"a network is created once, and goes when its containers have gone", networks},
        {"a network is in use while a container in it runs", used_networks},
        {"a subnet that is taken is bad input", subnets},
        {"an unknown driver of a network or volume is bad input", unknown_drivers},
        {"a container can share another's network while that one runs", shared_network},
        {"a volume is created once, and goes when its containers have gone", volumes},
        {"events tell the life of the containers with the labels", events},
        {"the health of a container is told by inspect and by an event", health},
    };
}

} // namespace gantry::test
