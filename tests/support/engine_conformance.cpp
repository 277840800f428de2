#include "support/engine_conformance.hpp"

#include "base/format.hpp"

#include <charconv>

namespace gantry::test {

using namespace engine;

EngineBench::EngineBench() : id_(random_hex(4)) {}

Labels EngineBench::labels() const
{
    return {{"gantry.instance", "conformance-" + id_},
            {"gantry.run", id_},
            {"gantry.stage", "conformance"},
            {"gantry.step", "conformance"},
            {"gantry.attempt", "1"}};
}

std::string EngineBench::unique_name(const std::string& what) const
{
    return "gantry-conformance-" + id_ + "-" + what;
}

ContainerSpec EngineBench::shell(const std::string& what, const std::string& script) const
{
    ContainerSpec spec;
    spec.name = unique_name(what);
    spec.labels = labels();
    spec.image = image();
    spec.entrypoint = std::vector<std::string>{};
    spec.command = std::vector<std::string>{"/bin/sh", "-c", script};
    spec.security.cap_add = default_capabilities();
    return spec;
}

NetworkSpec EngineBench::network(const std::string& what) const
{
    NetworkSpec spec;
    spec.name = unique_name(what);
    spec.labels = labels();
    return spec;
}

VolumeSpec EngineBench::volume(const std::string& what) const
{
    VolumeSpec spec;
    spec.name = unique_name(what);
    spec.labels = labels();
    return spec;
}

awaitable<void> EngineBench::clear()
{
    const Labels ours{{"gantry.run", id_}};
    const auto left = co_await engine().list(ours);
    for (const auto& object : left)
        co_await engine().remove(object.kind, object.name);
    const auto still = co_await engine().list(ours);
    CHECK(still.empty());
}

std::vector<ConformanceCase> conformance_cases()
{
    auto all = container_cases();
    for (const auto& more : {stream_cases(), object_cases(), file_cases(), image_cases(), use_cases()})
        all.insert(all.end(), more.begin(), more.end());
    return all;
}

void run_case(EngineBench& bench, const ConformanceCase& one)
{
    const auto whole = [](EngineBench& on, awaitable<void> (*check)(EngineBench&)) -> awaitable<void> {
        std::exception_ptr failure;
        try {
            co_await check(on);
        } catch (...) {
            failure = std::current_exception();
        }
        co_await on.clear();
        if (failure)
            std::rethrow_exception(failure);
    };
    bench.run(whole(bench, one.check));
}

// ---- the scripts, as the fake engine plays them

std::string scripts::exit_with(int code)
{
    return "exit " + std::to_string(code);
}

namespace {

std::string all_bytes()
{
    std::string bytes;
    for (int value = 0; value < 256; ++value)
        bytes += static_cast<char>(value);
    return bytes;
}

std::string three_megabytes()
{
    std::string bytes;
    while (bytes.size() < 3'000'000)
        bytes += "0123456789abcdef\n";
    bytes.resize(3'000'000);
    return bytes;
}

FakeBehaviour never_ends(bool speaks)
{
    FakeBehaviour behaviour;
    behaviour.never_ends = true;
    behaviour.output = speaks ? "ready\n" : "";
    behaviour.uses.memory_bytes = 100'000;
    behaviour.uses.memory_peak_bytes = 200'000;
    behaviour.uses.cpu = std::chrono::milliseconds(10);
    return behaviour;
}

std::optional<FakeBehaviour> endless_script(const std::string& script)
{
    if (script == scripts::k_endless)
        return never_ends(true);
    if (script == scripts::k_healthy) {
        auto behaviour = never_ends(false);
        behaviour.healthy_after = std::chrono::milliseconds(200);
        return behaviour;
    }
    auto behaviour = never_ends(true);
    if (script == scripts::k_deaf) {
        behaviour.ignores_signals = true;
        return behaviour;
    }
    if (script == scripts::k_handler) {
        behaviour.exit_code_on_signal = 9;
        behaviour.stops_within = std::chrono::milliseconds(20);
        return behaviour;
    }
    return std::nullopt;
}

std::optional<FakeBehaviour> ending_script(const std::string& script)
{
    FakeBehaviour behaviour;
    if (script.starts_with("exit ")) {
        std::from_chars(script.data() + 5, script.data() + script.size(), behaviour.exit_code);
    } else if (script == scripts::k_half_a_second) {
        behaviour.runs_for = std::chrono::milliseconds(500);
        behaviour.exit_code = 4;
    } else if (script == scripts::k_two_streams) {
        behaviour.output = "one\ntwo";
        behaviour.error_output = "three\nfour";
        behaviour.exit_code = 3;
    } else if (script == scripts::k_all_bytes) {
        behaviour.output = all_bytes();
    } else if (script == scripts::k_three_megabytes) {
        behaviour.output = three_megabytes();
    } else if (script == scripts::k_held) {
        behaviour.waits_for_stdin = true;
        behaviour.exit_code = 5;
    } else if (script == scripts::k_echo) {
        behaviour.echoes_stdin = true;
    } else if (script == scripts::k_exec_echo) {
        behaviour.echoes_stdin = true;
        behaviour.error_output = "end\n";
        behaviour.exit_code = 6;
    } else if (script == scripts::k_leave_files) {
        behaviour.files = {{"/data/a", "A"}, {"/data/sub/b", "B"}};
    } else if (script == scripts::k_read_file) {
        behaviour.output = "hello";
    } else if (script == scripts::k_memory_hog) {
        behaviour.oom_killed = true;
        behaviour.exit_code = 137;
    } else {
        return std::nullopt;
    }
    return behaviour;
}

FakeBehaviour behaviour_of(const std::vector<std::string>& command)
{
    FakeBehaviour broken;
    if (command.size() != 3 || command[0] != "/bin/sh") {
        broken.start_error = "exec: \"" + (command.empty() ? "" : command[0]) + "\": no such file or directory";
        return broken;
    }
    if (auto behaviour = endless_script(command[2]))
        return *behaviour;
    if (auto behaviour = ending_script(command[2]))
        return *behaviour;
    FAIL("the fake engine has no translation of the script: " << command[2]);
    return broken;
}

} // namespace

FakeBehaviour scripted_behaviour(const ContainerSpec& spec)
{
    auto behaviour = behaviour_of(spec.command.value_or(std::vector<std::string>{}));
    if (!spec.user.empty() && spec.user != "root")
        behaviour.start_error = "unable to find user " + spec.user;
    return behaviour;
}

FakeBehaviour scripted_exec(const std::string&, const ExecSpec& spec)
{
    return behaviour_of(spec.command);
}

FakeBuildBehaviour scripted_build(const BuildSpec&, const std::string& dockerfile)
{
    FakeBuildBehaviour behaviour;
    if (dockerfile.find("RUN echo said; exit 7") == std::string::npos)
        return behaviour;
    BuildEvent step, output;
    step.kind = BuildEvent::Kind::step;
    step.step = 1;
    step.steps = 3;
    output.text = "said\n";
    auto second = step;
    second.step = 2;
    behaviour.says = {step, second, output};
    behaviour.exit_code = 7;
    behaviour.error = "it failed";
    return behaviour;
}

// ---- for the cases

awaitable<void> Collected::write(Stream stream, std::string_view bytes)
{
    (stream == Stream::out ? out : err) += bytes;
    co_return;
}

awaitable<Running> start(EngineBench& bench, const ContainerSpec& spec)
{
    Running running;
    Engine::AttachOptions options;
    options.tty = spec.tty;
    options.open_stdin = spec.open_stdin;
    co_await bench.engine().create_container(spec);
    running.attachment = co_await bench.engine().attach(spec.name, options);
    co_await bench.engine().start_container(spec.name);
    co_return running;
}

awaitable<void> while_listening(EngineBench& bench, const ContainerSpec& spec,
                                std::function<awaitable<void>(Listening&)> act)
{
    Listening listening(co_await asio::this_coro::executor);
    std::exception_ptr failure;
    try {
        auto running = co_await start(bench, spec);
        listening.attachment_ = std::move(running.attachment);
        std::function<awaitable<void>()> read = [&listening]() {
            return listening.attachment_->read_all(listening.output);
        };
        listening.beside(read);
        co_await until(bench, "the container says that it is ready",
                       [&listening] { return listening.output.out.find('\n') != std::string::npos; });
        co_await act(listening);
    } catch (...) {
        failure = std::current_exception();
    }
    co_await listening.beside_.close();
    if (failure)
        std::rethrow_exception(failure);
}

awaitable<Ran> whole_life(EngineBench& bench, const ContainerSpec& spec)
{
    const auto running = co_await start(bench, spec);
    Collected output;
    Ran ran;
    const auto wait = [](Engine& engine, const std::string& name, ContainerExit& exit) -> awaitable<void> {
        exit = co_await engine.wait_container(name);
    };
    co_await both(running.attachment->read_all(output), wait(bench.engine(), spec.name, ran.exit));
    co_await bench.engine().remove(ObjectKind::container, spec.name);
    ran.out = output.out;
    ran.err = output.err;
    co_return ran;
}

awaitable<void> until(EngineBench& bench, std::string what, std::function<bool()> condition)
{
    const auto deadline = bench.clock().now() + std::chrono::seconds(20);
    while (!condition()) {
        if (bench.clock().now() > deadline)
            throw Error(Errc::timed_out, "waited in vain for: " + what);
        co_await bench.clock().sleep_for(std::chrono::milliseconds(10));
    }
}

} // namespace gantry::test
