#include "support/engine_conformance.hpp"

// Standard streams of containers and execs.

namespace gantry::test {

using namespace engine;

namespace {

awaitable<void> both_streams(EngineBench& bench)
{
    const auto spec = bench.shell("streams", scripts::k_two_streams);
    const auto ran = co_await whole_life(bench, spec);
    CHECK(ran.out == "one\ntwo");
    CHECK(ran.err == "three\nfour");
    CHECK(ran.exit.exit_code == 3);
}

awaitable<void> every_byte(EngineBench& bench)
{
    const auto spec = bench.shell("bytes", scripts::k_all_bytes);
    const auto ran = co_await whole_life(bench, spec);
    REQUIRE(ran.out.size() == 256);
    int wrong = 0;
    for (int value = 0; value < 256; ++value)
        wrong += static_cast<unsigned char>(ran.out[static_cast<std::size_t>(value)]) != value;
    CHECK(wrong == 0);
}

awaitable<void> much_output(EngineBench& bench)
{
    const auto spec = bench.shell("much", scripts::k_three_megabytes);
    const auto ran = co_await whole_life(bench, spec);
    REQUIRE(ran.out.size() == 3'000'000);
    bool right = true;
    const std::string_view line = "0123456789abcdef\n";
    for (std::size_t at = 0; at < ran.out.size(); at += line.size())
        right = right && line.starts_with(std::string_view(ran.out).substr(at, line.size()));
    CHECK(right);
}

awaitable<void> late_reader(EngineBench& bench)
{
    const auto spec = bench.shell("late", scripts::k_two_streams);
    const auto running = co_await start(bench, spec);
    co_await bench.engine().wait_container(spec.name);
    co_await bench.engine().remove(ObjectKind::container, spec.name);
    Collected output;
    co_await running.attachment->read_all(output);
    CHECK(output.out == "one\ntwo");
    CHECK(output.err == "three\nfour");
}

awaitable<void> terminal(EngineBench& bench)
{
    auto spec = bench.shell("terminal", scripts::k_two_streams);
    spec.tty = true;
    const auto ran = co_await whole_life(bench, spec);
    // A terminal turns each line feed into carriage return and line feed, where there is a real one.
    std::string plain;
    for (const char byte : ran.out)
        if (byte != '\r')
            plain += byte;
    CHECK(plain == "one\ntwothree\nfour");
    CHECK(ran.err.empty());
}

ContainerSpec with_stdin(EngineBench& bench, const std::string& what, const std::string& script)
{
    auto spec = bench.shell(what, script);
    spec.open_stdin = true;
    return spec;
}

awaitable<void> held(EngineBench& bench)
{
    const auto spec = with_stdin(bench, "held", scripts::k_held);
    const auto running = co_await start(bench, spec);
    co_await bench.clock().sleep_for(std::chrono::milliseconds(300));
    const auto status = co_await bench.engine().inspect_container(spec.name);
    CHECK(status.state == ContainerState::running);

    co_await running.attachment->write("\n");
    co_await running.attachment->close_stdin();

    const auto exit = co_await bench.engine().wait_container(spec.name);
    CHECK(exit.exit_code == 5);
}

awaitable<void> held_and_closed(EngineBench& bench)
{
    const auto spec = with_stdin(bench, "closed", scripts::k_held);
    const auto running = co_await start(bench, spec);
    co_await running.attachment->close_stdin();
    const auto exit = co_await bench.engine().wait_container(spec.name);
    CHECK(exit.exit_code == 1);
}

awaitable<void> held_and_left(EngineBench& bench)
{
    const auto spec = with_stdin(bench, "left", scripts::k_held);
    auto running = co_await start(bench, spec);
    running.attachment.reset();
    const auto exit = co_await bench.engine().wait_container(spec.name);
    CHECK(exit.exit_code == 1);
}

awaitable<void> echo(EngineBench& bench)
{
    const auto spec = with_stdin(bench, "echo", scripts::k_echo);
    const auto running = co_await start(bench, spec);
    std::string sent;
    for (int index = 0; index < 20'000; ++index)
        sent += "line " + std::to_string(index) + "\n";
    const auto feed = [](Attachment& to, std::string_view bytes) -> awaitable<void> {
        co_await to.write(bytes);
        co_await to.close_stdin();
    };
    Collected output;
    co_await both(running.attachment->read_all(output), feed(*running.attachment, sent));
    CHECK(output.out.size() == sent.size());
    CHECK((output.out == sent));
    const auto exit = co_await bench.engine().wait_container(spec.name);
    CHECK(exit.exit_code == 0);
}

awaitable<void> cancelled_reader(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto spec = bench.shell("unread", scripts::k_endless);
    const auto running = co_await start(bench, spec);
    Collected output;
    co_await first_of(running.attachment->read_all(output), bench.clock().sleep_for(std::chrono::milliseconds(300)));
    CHECK(output.out == "ready\n");
    const auto status = co_await engine.inspect_container(spec.name);
    CHECK(status.state == ContainerState::running);
}

awaitable<void> exec_streams(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto spec = bench.shell("host", scripts::k_endless);
    const auto running = co_await start(bench, spec);
    ExecSpec exec;
    exec.command = {"/bin/sh", "-c", scripts::k_exec_echo};
    exec.open_stdin = true;
    const auto session = co_await engine.exec(spec.name, exec);
    co_await session->write("a\nb");
    co_await session->close_stdin();
    Collected output;
    co_await session->read_all(output);
    const int code = co_await session->exit_code();
    CHECK(output.out == "a\nb");
    CHECK(output.err == "end\n");
    CHECK(code == 6);

    exec.open_stdin = false;
    exec.command = {"/bin/sh", "-c", scripts::k_two_streams};
    const auto second = co_await engine.exec(spec.name, exec);
    Collected more;
    co_await second->read_all(more);
    const int second_code = co_await second->exit_code();
    CHECK(more.out == "one\ntwo");
    CHECK(more.err == "three\nfour");
    CHECK(second_code == 3);
    const auto status = co_await engine.inspect_container(spec.name);
    CHECK(status.state == ContainerState::running);
}

awaitable<void> exec_without_host(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto spec = bench.shell("gone", scripts::k_nothing);
    const auto running = co_await start(bench, spec);
    co_await engine.wait_container(spec.name);
    ExecSpec exec;
    exec.command = {"/bin/sh", "-c", scripts::k_nothing};
    const auto ended = co_await failure_of(engine.exec(spec.name, exec));
    CHECK(ended == "conflict");
    const auto nobody = bench.unique_name("nobody");
    const auto missing = co_await failure_of(engine.exec(nobody, exec));
    CHECK(missing == "not_found");
}

} // namespace

std::vector<ConformanceCase> stream_cases()
{
    return {
        {"both streams come byte for byte, with their last unterminated lines", both_streams},
        {"every byte value comes through", every_byte},
        {"three megabytes come through whole", much_output},
        {"output that nobody read in time is kept, even beyond the removal", late_reader},
        {"a terminal has one stream", terminal},
        {"a container waits on its input until a line comes", held},
        {"a container sees the end of its input", held_and_closed},
        {"a container sees the end of its input when the attachment goes", held_and_left},
        {"what is written comes back while it is written", echo},
        {"a cancelled reader leaves the container running", cancelled_reader},
        {"an exec has its own streams and exit code", exec_streams},
        {"an exec needs a container that runs", exec_without_host},
    };
}

} // namespace gantry::test
