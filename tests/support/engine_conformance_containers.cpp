#include "support/engine_conformance.hpp"

// From create to remove: exits, signals, names, and many at once.

namespace gantry::test {

using namespace engine;

namespace {

awaitable<void> a_life(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto spec = bench.shell("life", scripts::k_half_a_second);
    co_await engine.create_container(spec);
    auto status = co_await engine.inspect_container(spec.name);
    CHECK(status.state == ContainerState::created);

    const Engine::AttachOptions options;
    const auto attachment = co_await engine.attach(spec.name, options);
    co_await engine.start_container(spec.name);
    status = co_await engine.inspect_container(spec.name);
    CHECK(status.state == ContainerState::running);

    const auto exit = co_await engine.wait_container(spec.name);
    CHECK(exit.exit_code == 4);
    CHECK_FALSE(exit.oom_killed);
    CHECK(exit.error.empty());
    status = co_await engine.inspect_container(spec.name);
    CHECK(status.state == ContainerState::exited);
    CHECK(status.exit.exit_code == 4);
    CHECK(status.finished - status.started >= std::chrono::milliseconds(400));

    co_await engine.remove(ObjectKind::container, spec.name);
    status = co_await engine.inspect_container(spec.name);
    CHECK(status.state == ContainerState::missing);
}

awaitable<void> exit_codes(EngineBench& bench)
{
    for (const int code : {0, 1, 126, 127, 137, 143, 255}) {
        const auto spec = bench.shell("exit-" + std::to_string(code), scripts::exit_with(code));
        const auto ran = co_await whole_life(bench, spec);
        CHECK(ran.exit.exit_code == code);
        CHECK_FALSE(ran.exit.oom_killed);
    }
}

awaitable<void> exit_before_wait(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto spec = bench.shell("early", scripts::exit_with(7));
    const auto running = co_await start(bench, spec);
    co_await bench.clock().sleep_for(std::chrono::milliseconds(500));

    const auto first = co_await engine.wait_container(spec.name);
    CHECK(first.exit_code == 7);
    const auto second = co_await engine.wait_container(spec.name);
    CHECK(second == first);
}

awaitable<void> killed(EngineBench& bench, std::string script, std::string signal, int expected)
{
    auto& engine = bench.engine();
    const auto spec = bench.shell("killed-" + signal, script);
    std::function<awaitable<void>(Listening&)> act = [&](Listening& listening) -> awaitable<void> {
        co_await engine.kill_container(spec.name, signal);
        const auto exit = co_await engine.wait_container(spec.name);
        CHECK(exit.exit_code == expected);
        CHECK_FALSE(exit.oom_killed);
        co_await listening.end();
        co_await engine.kill_container(spec.name, signal); // it does not run any more
    };
    co_await while_listening(bench, spec, act);
    co_await engine.remove(ObjectKind::container, spec.name);
    co_await engine.kill_container(spec.name, signal); // there is none
}

awaitable<void> killed_by_term(EngineBench& bench)
{
    co_await killed(bench, scripts::k_endless, "SIGTERM", 143);
    co_await killed(bench, scripts::k_endless, "15", 143);
}

awaitable<void> killed_by_kill(EngineBench& bench)
{
    co_await killed(bench, scripts::k_deaf, "KILL", 137);
}

awaitable<void> handles_term(EngineBench& bench)
{
    co_await killed(bench, scripts::k_handler, "TERM", 9);
}

awaitable<void> deaf_to_term(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto spec = bench.shell("deaf", scripts::k_deaf);
    std::function<awaitable<void>(Listening&)> act = [&](Listening& listening) -> awaitable<void> {
        co_await engine.kill_container(spec.name, "SIGTERM");
        co_await bench.clock().sleep_for(std::chrono::milliseconds(300));
        const auto status = co_await engine.inspect_container(spec.name);
        CHECK(status.state == ContainerState::running);
        co_await engine.remove(ObjectKind::container, spec.name);
        co_await listening.end();
    };
    co_await while_listening(bench, spec, act);
}

awaitable<void> oom(EngineBench& bench)
{
    auto spec = bench.shell("oom", scripts::k_memory_hog);
    spec.limits.memory_bytes = 16 << 20;
    const auto ran = co_await whole_life(bench, spec);
    CHECK(ran.exit.oom_killed);
    CHECK(ran.exit.exit_code == 137);
}

awaitable<void> remove_running(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto spec = bench.shell("forced", scripts::k_endless);
    std::function<awaitable<void>(Listening&)> act = [&](Listening& listening) -> awaitable<void> {
        std::function<awaitable<void>()> wait = [&]() -> awaitable<void> {
            const auto exit = co_await engine.wait_container(spec.name);
            CHECK(exit.exit_code == 137);
        };
        listening.beside(wait);
        co_await bench.clock().sleep_for(std::chrono::milliseconds(100));
        co_await engine.remove(ObjectKind::container, spec.name);
        co_await listening.end();
    };
    co_await while_listening(bench, spec, act);

    const auto status = co_await engine.inspect_container(spec.name);
    CHECK(status.state == ContainerState::missing);
    const auto waited = co_await failure_of(engine.wait_container(spec.name));
    CHECK(waited == "not_found");
}

awaitable<void> remove_twice(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto spec = bench.shell("twice", scripts::k_endless);
    const auto running = co_await start(bench, spec);

    co_await both(engine.remove(ObjectKind::container, spec.name), engine.remove(ObjectKind::container, spec.name));
    co_await engine.remove(ObjectKind::container, spec.name);

    for (const auto kind : {ObjectKind::container, ObjectKind::network, ObjectKind::volume}) {
        const auto never = bench.unique_name("never-was");
        co_await engine.remove(kind, never);
    }
}

awaitable<void> name_conflict(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto spec = bench.shell("name", scripts::k_nothing);
    co_await engine.create_container(spec);
    const auto second = co_await failure_of(engine.create_container(spec));
    CHECK(second == "conflict");

    co_await engine.remove(ObjectKind::container, spec.name);
    const auto again = co_await failure_of(engine.create_container(spec));
    CHECK(again == "none");
}

awaitable<void> unknown_image(EngineBench& bench)
{
    auto& engine = bench.engine();
    const std::string unknown = "gantry-conformance-has-no-such-image:1";
    const auto found = co_await engine.find_image(unknown);
    CHECK_FALSE(found.has_value());
    auto spec = bench.shell("imageless", scripts::k_nothing);
    spec.image = unknown;
    const auto created = co_await failure_of(engine.create_container(spec));
    CHECK(created == "not_found");
    const auto status = co_await engine.inspect_container(spec.name);
    CHECK(status.state == ContainerState::missing);
}

awaitable<void> bad_start(EngineBench& bench, ContainerSpec spec)
{
    auto& engine = bench.engine();
    const auto started = co_await failure_of(start(bench, spec));
    CHECK(started == "bad_input");
    const auto status = co_await engine.inspect_container(spec.name);
    CHECK(status.state != ContainerState::running);
    co_await engine.remove(ObjectKind::container, spec.name);
}

awaitable<void> bad_program(EngineBench& bench)
{
    auto spec = bench.shell("no-program", scripts::k_nothing);
    spec.init = false;
    spec.command = std::vector<std::string>{"/no/such/program"};
    co_await bad_start(bench, spec);
}

awaitable<void> bad_user(EngineBench& bench)
{
    auto spec = bench.shell("no-user", scripts::k_nothing);
    spec.user = "nobody-of-this-name";
    co_await bad_start(bench, spec);
}

awaitable<void> cancelled_wait(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto spec = bench.shell("awaited", scripts::k_endless);
    const auto running = co_await start(bench, spec);
    bool ended = false;
    const auto wait = [](Engine& on, std::string name, bool& out) -> awaitable<void> {
        co_await on.wait_container(name);
        out = true;
    };
    co_await first_of(wait(engine, spec.name, ended), bench.clock().sleep_for(std::chrono::milliseconds(200)));

    CHECK_FALSE(ended);
    const auto status = co_await engine.inspect_container(spec.name);
    CHECK(status.state == ContainerState::running);
    co_await engine.kill_container(spec.name, "KILL");
    const auto exit = co_await engine.wait_container(spec.name);
    CHECK(exit.exit_code == 137);
}

awaitable<void> forty_at_once(EngineBench& bench)
{
    constexpr int k_count = 40;
    TaskGroup lives(co_await asio::this_coro::executor);
    int right = 0;
    for (int index = 0; index < k_count; ++index)
        lives.spawn([&bench, &right, index]() -> awaitable<void> {
            const auto script = index % 2 == 0 ? scripts::k_two_streams : scripts::exit_with(index);
            const auto spec = bench.shell("many-" + std::to_string(index), script);
            const auto ran = co_await whole_life(bench, spec);
            const bool spoke = ran.out == "one\ntwo" && ran.err == "three\nfour" && ran.exit.exit_code == 3;
            const bool silent = ran.out.empty() && ran.err.empty() && ran.exit.exit_code == index;
            right += index % 2 == 0 ? spoke : silent;
        });
    co_await lives.join();
    CHECK(right == k_count);
    const auto left = co_await bench.engine().list(bench.labels());
    CHECK(left.empty());
}

} // namespace

std::vector<ConformanceCase> container_cases()
{
    return {
        {"a container is created, runs, exits and is gone", a_life},
        {"each exit code comes back as it is", exit_codes},
        {"a container that ended before the wait is told as well, and again", exit_before_wait},
        {"TERM ends a container with 143", killed_by_term},
        {"KILL ends a container that ignores TERM, with 137", killed_by_kill},
        {"a handler of TERM decides the exit code", handles_term},
        {"a container that ignores TERM goes on", deaf_to_term},
        {"a container that was killed for its memory says so", oom},
        {"removing a running container ends it", remove_running},
        {"removing twice, side by side, or what never was, is no error", remove_twice},
        {"a name that is taken is a conflict", name_conflict},
        {"an image that is not there is not found", unknown_image},
        {"a program that cannot be run is bad input before it runs", bad_program},
        {"a user that the image lacks is bad input before it runs", bad_user},
        {"a cancelled wait leaves the container running", cancelled_wait},
        {"forty containers at once keep their output and exit codes apart", forty_at_once},
    };
}

} // namespace gantry::test
