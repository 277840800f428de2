#include "engine/docker/api.hpp"
#include "engine/docker_scripted_daemon.hpp"

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::test;
using Asked = ScriptedDaemon::Asked;
using Says = ScriptedDaemon::Says;

namespace {

template <typename T>
Error error_of(ScriptedEngine& world, awaitable<T> task)
{
    try {
        world.loop.run(std::move(task));
    } catch (const Error& error) {
        return error;
    }
    return Error(Errc::internal, "no error");
}

} // namespace

TEST_CASE("one connection serves call after call", "[engine]")
{
    ScriptedEngine world([](const Asked&) { return ScriptedDaemon::json(404, R"({"message":"No such image"})"); });

    for (int round = 0; round < 5; ++round)
        CHECK_FALSE(world.loop.run(world.engine->find_image("x")));

    CHECK(world.daemon.connections == 1);
    CHECK(world.daemon.count("GET /v1.41/images/x/json") == 5);
    CHECK(world.daemon.count("GET /version") == 1);
}

TEST_CASE("the highest version that both know is spoken", "[engine]")
{
    const auto json = [](const std::string& newest, const std::string& oldest) {
        return docker::Json{{"ApiVersion", newest}, {"MinAPIVersion", oldest}, {"Version", "v"}};
    };
    CHECK(docker::negotiate_api_minor(json("1.41", "1.12")) == 41);
    CHECK(docker::negotiate_api_minor(json("1.47", "1.24")) == 47);
    CHECK(docker::negotiate_api_minor(json("1.52", "1.44")) == 47);
    CHECK_THROWS_WITH(docker::negotiate_api_minor(json("1.40", "1.12")), ContainsSubstring("needs 1.41"));
    CHECK_THROWS_WITH(docker::negotiate_api_minor(json("1.60", "1.48")), ContainsSubstring("up to 1.47"));
    CHECK_THROWS_AS(docker::negotiate_api_minor(docker::Json()), Error);
}

TEST_CASE("first calls that overlap ask for the version once", "[engine]")
{
    ScriptedEngine world([](const Asked&) { return ScriptedDaemon::json(404, "{}"); });
    const auto find = [](Engine& engine) -> awaitable<void> { co_await engine.find_image("x"); };

    world.loop.run(both(find(*world.engine), both(find(*world.engine), find(*world.engine))));

    CHECK(world.daemon.count("GET /version") == 1);
    CHECK(world.daemon.count("/images/") == 3);
}

TEST_CASE("a connection that died while it was idle is replaced", "[engine]")
{
    ScriptedEngine world([](const Asked&) {
        auto says = ScriptedDaemon::json(404, "{}");
        says.close = true;
        return says;
    });

    for (int round = 0; round < 3; ++round)
        CHECK_FALSE(world.loop.run(world.engine->find_image("x")));

    CHECK(world.daemon.count("/images/") == 3);
}

TEST_CASE("a read is repeated when the connection ends before its answer; a creation is not", "[engine]")
{
    int refused = 0;
    ScriptedEngine world([&refused](const Asked& asked) -> Says {
        const bool creation = asked.line.find("POST") == 0;
        if (creation || refused++ == 0)
            return {"", true};
        return ScriptedDaemon::json(404, "{}");
    });
    world.loop.run(world.engine->find_image("x"));
    CHECK(world.daemon.count("/images/") == 2);

    NetworkSpec network;
    network.name = "n";
    const auto error = error_of(world, world.engine->create_network(network));
    CHECK(error.code() == Errc::unavailable);
    CHECK(world.daemon.count("/networks/create") == 1);
}

TEST_CASE("statuses become what the caller can do, with the daemon's words", "[engine]")
{
    const auto [status, message, code] = GENERATE(table<int, std::string, Errc>({
        {400, "bad parameter", Errc::bad_input},
        {401, "who are you", Errc::denied},
        {403, "not you", Errc::denied},
        {404, "No such container: x", Errc::not_found},
        {409, "is not running", Errc::conflict},
        {500, "write /x: no space left on device", Errc::no_space},
        {500, "exec: nope: executable file not found in $PATH", Errc::bad_input},
        {403, "Address already in use", Errc::bad_input},
        {500, "Cannot mkdir: /etc/passwd is not a directory", Errc::bad_input},
        {500, "unable to find user x: no matching entries in passwd file", Errc::bad_input},
        {500, "something else", Errc::internal},
        {503, "starting", Errc::unavailable},
        {409, "The container name /unauthorized is in use", Errc::conflict},
    }));
    ScriptedEngine world([status = status, message = message](const Asked&) {
        return ScriptedDaemon::json(status, R"({"message":")" + message + "\"}");
    });
    const auto error = error_of(world, world.engine->start_container("x"));
    CHECK(error.code() == code);
    CHECK_THAT(error.what(), ContainsSubstring(message.substr(0, 9)));
}

TEST_CASE("what a runtime refuses is told without those who passed it on, with what to do", "[engine]")
{
    const auto messengers = GENERATE(as<std::string>(), "", "failed to create task for container: ");
    ScriptedEngine world([messengers](const Asked&) {
        return ScriptedDaemon::json(400, R"({"message":")" + messengers +
                                             R"(failed to create shim task: OCI runtime create failed: runc create failed: )"
                                             R"(unable to start container process: exec: \"x\": executable file not found in $PATH: unknown"})");
    });
    const auto error = error_of(world, world.engine->start_container("x"));
    CHECK(error.what() == std::string(R"(exec: "x": executable file not found in $PATH)"));
    CHECK_THAT(error.hint(), ContainsSubstring("entrypoint, command and shell"));
}

TEST_CASE("what engines refuse is told with what to do, in the words of each age", "[engine]")
{
    const auto [message, code, hint] = GENERATE(table<std::string, Errc, std::string>({
        {"failed to reach build target x in Dockerfile", Errc::bad_input, "AS NAME"},        // Docker 20.10
        {R"(target stage \"x\" could not be found)", Errc::bad_input, "AS NAME"},            // Docker 28
        {R"(Unknown runtime specified nosuch)", Errc::bad_input, "docker info"},               // Docker 20.10
        {R"(unknown or invalid runtime name: nosuch)", Errc::bad_input, "docker info"},        // Docker 28
        {R"(open sysctl net.nosuch file: unsafe procfs detected)", Errc::bad_input, "sysctls"}, // runc 1.3
        {R"(Requested address 10.9.9.9 does not belong to any of this network's subnets)", Errc::bad_input, "an address of the network's subnet"},
        {R"(invalid endpoint settings:\nno configured subnet or ip-range contain the IP address 10.9.9.9)", Errc::bad_input,
         "an address of the network's subnet"},
        {R"(failed to resolve reference \"h/x:1\": unexpected status from HEAD request to http://h/v2/x: 429 Too Many Requests)",
         Errc::unavailable, "limits how often"}, // containerd's store
        {R"(failed to resolve reference \"h/x:1\": unexpected status from HEAD request to http://h/v2/x: 500 Internal Server Error)",
         Errc::unavailable, "the registry is in trouble"},
        {R"(failed to init repo at /x: : exec: \"git\": executable file not found in $PATH)", Errc::unsupported, "needs git"},
    }));
    ScriptedEngine world([message = message](const Asked&) { return ScriptedDaemon::json(500, R"({"message":")" + message + "\"}"); });
    const auto error = error_of(world, world.engine->start_container("x"));
    CHECK(error.code() == code);
    CHECK_THAT(error.hint(), ContainsSubstring(hint));
}

TEST_CASE("an answer that is none is an error, and never a hang", "[engine]")
{
    const auto bytes = GENERATE(as<std::string>{}, "SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
                                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 200 OK\r\n",
                                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{{{");
    ScriptedEngine world([bytes](const Asked&) { return Says{bytes, true}; });
    const auto found = error_of(world, world.engine->find_image("x"));
    const bool expected = found.code() == Errc::unavailable || found.code() == Errc::internal;
    CHECK(expected);
    CHECK(std::string(found.what()) != "no error");
}

TEST_CASE("a header without end is cut off", "[engine]")
{
    ScriptedEngine world([](const Asked&) {
        return Says{"HTTP/1.1 200 OK\r\nX: " + std::string(200'000, 'x') + "\r\n\r\n", true};
    });
    const auto error = error_of(world, world.engine->find_image("x"));
    CHECK(error.code() == Errc::unavailable);
    CHECK_THAT(error.what(), ContainsSubstring("limit"));
}

TEST_CASE("a line of a chunk without end is cut off", "[engine]")
{
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const auto before = GENERATE(as<std::string>{}, "1;", "2\r\n{}\r\n0\r\nX: ");
    ScriptedEngine world([&](const Asked&) { return Says{head + before + std::string(200'000, 'x'), true}; });
    const auto error = error_of(world, world.engine->find_image("x"));
    CHECK(error.code() == Errc::unavailable);
    CHECK_THAT(error.what(), ContainsSubstring("has no end"));
}

TEST_CASE("names cannot leave their place in a path or a query", "[engine]")
{
    ScriptedEngine world([](const Asked&) { return ScriptedDaemon::json(200, "{}"); });
    world.loop.run(world.engine->kill_container("a b?c#d%\r\nX: y", "KILL&x=1"));
    REQUIRE(world.daemon.asked.size() == 2);
    CHECK(world.daemon.asked[1].line == "POST /v1.41/containers/a%20b%3Fc%23d%25%0D%0AX:%20y/kill?signal=KILL%26x%3D1");
}

TEST_CASE("chunked answers come together whatever the pieces", "[engine]")
{
    ScriptedEngine world([](const Asked&) {
        std::string bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (const char character : std::string(R"({"Id":"sha256:1","Config":{"Cmd":["sh"]}})"))
            bytes += "1\r\n" + std::string(1, character) + "\r\n";
        return Says{bytes + "0\r\n\r\n"};
    });
    const auto image = world.loop.run(world.engine->find_image("x"));
    REQUIRE(image);
    CHECK(image->id == "sha256:1");
    world.loop.run(world.engine->find_image("x"));
    CHECK(world.daemon.connections == 1);
}

TEST_CASE("a creation that is cancelled is seen through to its answer", "[engine]")
{
    asio::cancellation_signal cancel;
    ScriptedEngine world([&](const Asked&) {
        cancel.emit(asio::cancellation_type::terminal);
        return ScriptedDaemon::json(201, "{}");
    });
    const auto create = [&](std::function<awaitable<void>()> creation) -> awaitable<void> {
        co_await asio::co_spawn(co_await asio::this_coro::executor, creation(),
                                asio::bind_cancellation_slot(cancel.slot(), use_awaitable));
    };

    ContainerSpec container;
    container.name = container.image = "x";
    NetworkSpec network;
    network.name = "x";
    world.loop.run(create([&]() -> awaitable<void> { (void)co_await world.engine->create_container(container); }));
    world.loop.run(create([&] { return world.engine->create_network(network); }));
    CHECK(world.daemon.connections == 1); // none was broken off
}

TEST_CASE("what a daemon cannot write down as it shuts down is not removed", "[engine]")
{
    const auto* not_kept = R"({"message":"error marking network n for deletion: failed to update store for object"})";
    std::vector<ScriptedDaemon::Says> says{ScriptedDaemon::json(500, not_kept),
                                           ScriptedDaemon::json(404, "{}"), ScriptedDaemon::json(204, ""), ScriptedDaemon::json(404, "{}")};
    std::size_t next = 0;
    ScriptedEngine world([&](const Asked&) { return says.at(next++); });
    const auto remove = [&] { world.loop.run(world.engine->remove(ObjectKind::network, "n")); };
    CHECK_THROWS_WITH(remove(), ContainsSubstring("failed to update store"));
    CHECK_THROWS_WITH(remove(), ContainsSubstring("may still come"));
    CHECK_NOTHROW(remove()); // the daemon is back, and so was the network
    CHECK_NOTHROW(remove());
    CHECK(next == 4);
}

TEST_CASE("what is not created in time may still come, and is not taken for removed before that", "[engine]")
{
    int removals = 0;
    ScriptedEngine world([&](const Asked& asked) {
        if (asked.line.starts_with("GET /v1.41/volumes/"))
            return ScriptedDaemon::json(404, "{}");
        if (!asked.line.starts_with("DELETE "))
            return unended({});
        return ++removals % 2 == 1 ? ScriptedDaemon::json(404, "{}") : ScriptedDaemon::json(204, "");
    });
    auto options = world.daemon.options();
    options.creation_limit = std::chrono::milliseconds(20);
    const auto engine = make_docker(world.loop.pool, options);
    ContainerSpec container;
    container.name = container.image = "x";
    NetworkSpec network;
    network.name = "x";
    VolumeSpec volume;
    volume.name = "x";
    CHECK(error_of(world, engine->create_container(container)).code() == Errc::timed_out);
    CHECK(error_of(world, engine->create_network(network)).code() == Errc::timed_out);
    CHECK(error_of(world, engine->create_volume(volume)).code() == Errc::timed_out);
    for (const auto kind : {ObjectKind::container, ObjectKind::network, ObjectKind::volume}) {
        CHECK(error_of(world, engine->remove(kind, "x")).code() == Errc::unavailable);
        CHECK_NOTHROW(world.loop.run(engine->remove(kind, "x")));
        removals = 0;
        CHECK_NOTHROW(world.loop.run(engine->remove(kind, "x"))); // it has come and gone
        removals = 0;
    }
}

TEST_CASE("a wait that the daemon breaks off is unavailable, never an exit", "[engine]")
{
    ScriptedEngine world([](const Asked&) {
        return Says{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true};
    });
    CHECK(error_of(world, world.engine->wait_container("x")).code() == Errc::unavailable);

    ScriptedEngine closed([](const Asked&) { return Says{"HTTP/1.1 200 OK\r\n\r\n", true}; });
    CHECK(error_of(closed, closed.engine->wait_container("x")).code() == Errc::unavailable);
}

TEST_CASE("an output stream that ends inside a frame is unavailable", "[engine]")
{
    ScriptedEngine world([](const Asked& asked) {
        if (asked.line.find("/attach") == std::string::npos)
            return ScriptedDaemon::json(200, "OK");
        return Says{"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n" + std::string("\x01\0\0\0\0\0\0\x05" "ab", 10), true};
    });
    const Engine::AttachOptions options;
    const auto attachment = world.loop.run(world.engine->attach("x", options));
    TextSink sink;
    CHECK(error_of(world, attachment->read_all(sink)).code() == Errc::unavailable);
    CHECK(sink.out == "ab");
}

TEST_CASE("a pull does not wait for an engine that is not there", "[engine]")
{
    RealLoop loop;
    DockerOptions options;
    options.host = "unix:///nowhere/docker.sock";
    options.retry_delay = std::chrono::hours(1);
    const auto engine = make_docker(loop.pool, options);
    try {
        loop.run(engine->pull_image("debian:12", "", nullptr));
        FAIL("no error");
    } catch (const Error& error) {
        CHECK(error.code() == Errc::unavailable);
        CHECK_THAT(error.what(), ContainsSubstring("cannot reach Docker") && !ContainsSubstring("tries"));
    }
}

TEST_CASE("an engine that is not there names its place and what to do", "[engine]")
{
    RealLoop loop;
    DockerOptions options;
    options.host = "unix:///nowhere/docker.sock";
    const auto engine = make_docker(loop.pool, options);
    try {
        loop.run(engine->probe());
        FAIL("no error");
    } catch (const Error& error) {
        CHECK(error.code() == Errc::unavailable);
        CHECK_THAT(error.what(), ContainsSubstring("cannot reach Docker at unix:///nowhere/docker.sock: no such file"));
        CHECK_THAT(error.hint(), ContainsSubstring("systemctl start docker"));
    }
}
