#include "base/error.hpp"
#include "base/scratch.hpp"
#include "program.hpp"
#include "support/catch.hpp"
#include "view_world.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <future>
#include <memory>

#include <fcntl.h>
#include <unistd.h>

using namespace gantry;
using namespace std::chrono_literals;
using runner::Cause;
using runner::State;
using test::run_gantry;
using test::ViewFixture;
using Kind = runner::RunEvent::Kind;

namespace {

// A state folder with runs that are written by hand.
struct Runs {
    Scratch scratch;
    ScopedEnv state_home{"XDG_STATE_HOME", scratch.path().c_str()};
    std::unique_ptr<runner::Store> store = runner::open_store(scratch / "gantry");
    ViewFixture world;

    std::unique_ptr<runner::RunWriter> begin()
    {
        runner::RunMeta meta;
        meta.folder = "/src/shop";
        meta.file = ".gantry.yml";
        auto writer = store->create_run(world.plan, meta);
        auto event = world.event(Kind::run_started);
        event.message = "shop";
        event.outputs = {{"branch", "main"}, {"engine", "fake 1"}};
        event.time = world.clock.wall();
        writer->append(event);
        return writer;
    }

    void print(runner::RunWriter& writer, const runner::StepKey& step, const std::string& bytes)
    {
        auto event = world.event(Kind::step_started, step.stage, step.step);
        event.attempt = step.attempt;
        event.state = State::running;
        writer.append(event);
        writer.open_log(step)->write(engine::Stream::out, bytes, world.clock.wall());
    }

    void end_step(runner::RunWriter& writer, const runner::StepKey& step, Cause cause)
    {
        auto event = world.ended(step.stage, step.step, cause, 1500ms);
        event.attempt = step.attempt;
        event.exit_code = cause == Cause::ok ? 0 : 2;
        event.log_bytes = 1;
        writer.append(event);
    }

    void end(runner::RunWriter& writer, State state)
    {
        auto event = world.event(Kind::run_finished);
        event.state = state;
        event.cause = state == State::success ? Cause::ok : Cause::failed;
        event.time = world.clock.wall() + 6s;
        writer.append(event);
    }
};

std::string all_bytes()
{
    std::string bytes;
    for (int i = 0; i < 256; ++i)
        bytes += static_cast<char>(i);
    return bytes;
}

} // namespace

TEST_CASE("ps --all --json is an array of runs, the newest first", "[app]")
{
    Runs runs;
    runs.end(*runs.begin(), State::success);
    runs.end(*runs.begin(), State::failure);
    const auto going_on = runs.begin();
    runs.print(*going_on, {"build", "compile", 1}, "x");

    const auto ran = run_gantry({"ps", "--all", "--json"});

    CHECK(ran.exit_code == 0);
    const auto json = nlohmann::json::parse(ran.out);
    REQUIRE(json.size() == 3);
    CHECK(json[0]["id"] == "3");
    CHECK(json[0]["state"] == "running");
    CHECK(json[0]["running"] == nlohmann::json::array({"build/compile"}));
    CHECK(json[1]["id"] == "2");
    CHECK(json[1]["state"] == "failure");
    CHECK(json[2]["state"] == "success");
    CHECK(json[2]["pipeline"] == "shop");
    CHECK(json[2]["branch"] == "main");
    CHECK(json[2]["started"] == "2024-05-01T00:00:00.000Z");
    CHECK(json[2]["duration_ms"] == 6000);
}

TEST_CASE("ps lists what runs, and says how to see the rest", "[app]")
{
    Runs runs;
    CHECK(nlohmann::json::parse(run_gantry({"ps", "--json"}).out) == nlohmann::json::array());
    runs.end(*runs.begin(), State::success);

    const auto idle = run_gantry({"ps"});
    CHECK(idle.out.empty());
    CHECK_THAT(idle.err, ContainsSubstring("gantry ps --all"));

    const auto going_on = runs.begin();
    CHECK_THAT(run_gantry({"ps"}).out, ContainsSubstring("2    running  shop"));
}

TEST_CASE("a run that waits to begin has its name", "[app]")
{
    Runs runs;
    const auto waiting = runs.store->create_run(runs.world.plan, {});
    const auto ran = run_gantry({"ps"});
    INFO(ran.out << ran.err);
    CHECK(ran.exit_code == 0);
    CHECK_THAT(ran.out, ContainsSubstring("pending") && ContainsSubstring("shop"));
}

TEST_CASE("a run whose process died is interrupted", "[app]")
{
    Runs runs;
    runs.begin().reset();

    CHECK(nlohmann::json::parse(run_gantry({"ps", "--all", "--json"}).out)[0]["state"] == "interrupted");
    CHECK_THAT(run_gantry({"show"}).out, ContainsSubstring("gantry resume 1"));
}

TEST_CASE("logs of a step are exactly its bytes", "[app]")
{
    Runs runs;
    const auto writer = runs.begin();
    const auto bytes = all_bytes() + "\nlast line without end";
    runs.print(*writer, {"build", "compile", 1}, bytes);

    const auto ran = run_gantry({"logs", "1", "compile"});

    CHECK(ran.exit_code == 0);
    CHECK(ran.out == bytes);
    CHECK(ran.err.empty());
    CHECK(run_gantry({"logs", "latest", "build/compile", "--tail", "1"}).out == "last line without end");
}

TEST_CASE("logs of another attempt than the last can be asked for", "[app]")
{
    Runs runs;
    const auto writer = runs.begin();
    runs.print(*writer, {"build", "compile", 1}, "first\n");
    runs.print(*writer, {"build", "compile", 2}, "second\n");

    CHECK(run_gantry({"logs", "1", "compile"}).out == "second\n");
    CHECK(run_gantry({"logs", "1", "compile", "--attempt", "1"}).out == "first\n");
    const auto none = run_gantry({"logs", "1", "compile", "--attempt", "3"});
    CHECK(none.exit_code == 2);
    CHECK_THAT(none.err, ContainsSubstring("attempt 3"));
}

TEST_CASE("logs of a run stand behind their steps, with times if asked for", "[app]")
{
    Runs runs;
    const auto writer = runs.begin();
    runs.print(*writer, {"build", "configure", 1}, "checking\n");
    runs.print(*writer, {"build", "compile", 1}, "one\ntwo");

    CHECK(run_gantry({"logs", "1"}).out == "build/configure | checking\nbuild/compile | one\nbuild/compile | two\n");
    CHECK(run_gantry({"logs", "1", "--timestamps", "--tail", "1"}).out ==
          "2024-05-01T00:00:00.000Z build/configure | checking\n2024-05-01T00:00:00.000Z build/compile | two\n");
}

TEST_CASE("logs -f prints what comes until the step ends", "[app]")
{
    Runs runs;
    const auto writer = runs.begin();
    const runner::StepKey compile{"build", "compile", 1};
    auto event = runs.world.event(Kind::step_started, "build", "compile");
    event.attempt = 1;
    event.state = State::running;
    writer->append(event);
    const auto log = writer->open_log(compile);
    log->write(engine::Stream::out, "early\n", runs.world.clock.wall());
    std::promise<void> go;
    auto steps = std::async(std::launch::async, [&, gone = go.get_future()]() mutable {
        gone.wait();
        for (int i = 0; i < 1000; ++i)
            log->write(engine::Stream::out, "line\n", runs.world.clock.wall());
        runs.end_step(*writer, compile, Cause::ok);
    });

    go.set_value();
    const auto ran = run_gantry({"logs", "-f", "1", "compile"});
    steps.get();

    std::string expected = "early\n";
    for (int i = 0; i < 1000; ++i)
        expected += "line\n";
    CHECK(ran.exit_code == 0);
    CHECK(ran.out == expected);
}

TEST_CASE("logs of a step that did not begin say so", "[app]")
{
    Runs runs;
    const auto writer = runs.begin();

    const auto ran = run_gantry({"logs", "1", "compile"});

    CHECK(ran.exit_code == 2);
    CHECK_THAT(ran.err, ContainsSubstring("has not begun"));
}

TEST_CASE("logs of a step that an ended run did not come to are not to be waited for", "[app]")
{
    Runs runs;
    const auto writer = runs.begin();
    runs.end(*writer, State::failure);

    const auto ran = run_gantry({"logs", "1", "compile"});

    CHECK(ran.exit_code == 2);
    CHECK_THAT(ran.err, ContainsSubstring("compile of run 1 did not run") && !ContainsSubstring("-f"));
}

TEST_CASE("show suggests to look inside of a step, and not of a build", "[app]")
{
    for (const bool is_build : {false, true}) {
        INFO(is_build);
        Runs runs;
        if (is_build)
            runs.world.plan.stages[0].steps[1].build = pipeline::Build{};
        const auto writer = runs.begin();
        runs.print(*writer, {"build", "compile", 1}, "no rule\n");
        runs.end_step(*writer, {"build", "compile", 1}, Cause::failed);
        runs.end(*writer, State::failure);

        const auto text = run_gantry({"show", "1"}).out;

        CHECK_THAT(text, ContainsSubstring("gantry rerun 1 --failed "));
        CHECK((text.find("gantry shell") == std::string::npos) == is_build);
    }
}

TEST_CASE("show suggests to look inside of a step that timed out, and not of one that was cancelled", "[app]")
{
    for (const auto cause : {Cause::timeout, Cause::cancelled}) {
        INFO(runner::to_string(cause));
        Runs runs;
        const auto writer = runs.begin();
        runs.print(*writer, {"build", "compile", 1}, "waiting\n");
        runs.end_step(*writer, {"build", "compile", 1}, cause);
        runs.end(*writer, runner::state_of(cause));

        const auto text = run_gantry({"show", "1"}).out;

        CHECK((text.find("kept for gantry shell") != std::string::npos) == (cause == Cause::timeout));
    }
}

TEST_CASE("show tells how each step ended, and what to do", "[app]")
{
    Runs runs;
    const auto writer = runs.begin();
    runs.print(*writer, {"build", "compile", 1}, "cc: no input files\n");
    runs.end_step(*writer, {"build", "compile", 1}, Cause::failed);
    auto stage = runs.world.event(Kind::stage_finished, "build");
    stage.state = State::failure;
    stage.cause = Cause::failed;
    writer->append(stage);
    runs.end(*writer, State::failure);

    const auto text = run_gantry({"show", "1"}).out;

    CHECK_THAT(text, ContainsSubstring("compile  exit code 2"));
    CHECK_THAT(text, ContainsSubstring("    cc: no input files\n"));
    CHECK_THAT(text, ContainsSubstring("gantry rerun 1 --failed"));
    CHECK(nlohmann::json::parse(run_gantry({"show", "1", "--json"}).out)["id"] == "1");
}

TEST_CASE("a run that has ended cannot be cancelled", "[app]")
{
    Runs runs;
    runs.end(*runs.begin(), State::success);

    const auto ran = run_gantry({"cancel", "latest"});

    CHECK(ran.exit_code == 2);
    CHECK_THAT(ran.err, ContainsSubstring("has ended"));
}

TEST_CASE("an output that is not written is an error, and a reader that goes away is none, but ends a run", "[app]")
{
    Runs runs;
    auto writer = runs.begin();
    runs.print(*writer, {"build", "compile", 1}, "all of it\n");
    runs.end_step(*writer, {"build", "compile", 1}, Cause::ok);
    runs.end(*writer, State::success);
    writer.reset();
    write_file_atomic(runs.scratch / "p.yml", "image: debian\nsteps: [make]\n", 0644);
    const auto pipeline = runs.scratch / "p.yml";
    const std::vector<std::vector<std::string>> commands{
        {"ps", "--all", "--json"}, {"logs", "1"}, {"logs", "1", "compile"}, {"show", "1"}, {"schema"}, {"completion", "bash"},
        {"plan", pipeline}, {"run", pipeline, "--engine", "fake", "--json"}, {"run", "--help"}, {}};
    for (const auto& command : commands) {
        CAPTURE(command);
        const auto full = run_gantry(command, ::open("/dev/full", O_WRONLY | O_CLOEXEC));
        CHECK(full.exit_code == 3);
        CHECK_THAT(full.err, ContainsSubstring("gantry: write to standard output: No space left on device\n"));

        std::array<int, 2> pipe{};
        REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
        ::close(pipe[0]);
        const auto unread = run_gantry(command, pipe[1]);
        const bool is_run = command.size() > 2 && command.front() == "run";
        CHECK(unread.exit_code == (is_run ? 143 : 0));
        CHECK_THAT(unread.err, !ContainsSubstring("standard output"));
    }
}

TEST_CASE("a state folder that cannot be used is told with what to do, and only by who needs it", "[app]")
{
    const Scratch scratch;
    const ScopedEnv config("XDG_CONFIG_HOME", (scratch / "config").c_str()), cache("XDG_CACHE_HOME", (scratch / "cache").c_str());
    const ScopedEnv state("XDG_STATE_HOME", (scratch / "state").c_str());
    SECTION("it is a file")
    {
        make_directories(scratch / "state", 0700);
        write_file_atomic(scratch / "state/gantry", "", 0600);
    }
    SECTION("what it lies in is a file")
    {
        write_file_atomic(scratch / "state", "", 0600);
    }
    SECTION("the way there has no end")
    {
        REQUIRE(::symlink("state", (scratch / "state").c_str()) == 0);
    }
    const auto idle = run_gantry({"secret", "ls"});
    CHECK(idle.exit_code == 0);
    CHECK(idle.err.empty());
    const auto refused = run_gantry({"ps"});
    CHECK(refused.exit_code == 2);
    CHECK_THAT(refused.err, ContainsSubstring("gantry: cannot use the folder " + (scratch / "state/gantry")));
    CHECK_THAT(refused.err, ContainsSubstring("XDG_STATE_HOME=FOLDER"));
    CHECK_THAT(refused.err, !ContainsSubstring("interrupted"));
}

TEST_CASE("a limit of caches that is none is told by who needs it alone", "[app]")
{
    Runs runs;
    const ScopedEnv config("XDG_CONFIG_HOME", (runs.scratch / "config").c_str()), cache("XDG_CACHE_HOME", (runs.scratch / "cache").c_str());
    const ScopedEnv wrong("GANTRY_CACHE_MAX", "x");
    CHECK(run_gantry({"secret", "ls"}).err.empty());
    const auto refused = run_gantry({"cache", "ls"});
    CHECK(refused.exit_code == 2);
    CHECK_THAT(refused.err, ContainsSubstring("gantry: GANTRY_CACHE_MAX=x"));
}

TEST_CASE("a run that a power loss damaged is told once, and can be removed", "[app]")
{
    Runs runs;
    auto writer = runs.store->create_run(runs.world.plan, {});
    for (const char* file : {"/meta.json", "/plan.json"})
        write_file_atomic(writer->folder() + file, "", 0600);
    writer.reset();
    const auto engine = GENERATE(as<std::string>(), "--engine=fake", "--engine-host=unix:///nowhere/docker.sock");
    if (engine == "--engine=fake") {
        const auto first = run_gantry({"ps", engine});
        CHECK(first.exit_code == 0);
        CHECK_THAT(first.err, ContainsSubstring("run 1 was damaged") && ContainsSubstring("gantry rm 1"));
        CHECK_THAT(run_gantry({"ps", engine}).err, !ContainsSubstring("damaged"));
    }
    const auto removed = run_gantry({"rm", "1", engine});
    INFO(removed.err);
    CHECK(removed.exit_code == 0);
    CHECK(runs.store->run_ids().empty());
}

TEST_CASE("rm removes nothing where one of the runs is not there", "[app]")
{
    Runs runs;
    for (int i = 0; i < 2; ++i)
        runs.end(*runs.begin(), State::success);
    CHECK(run_gantry({"rm", "1", "99", "2", "--engine", "fake"}).exit_code == 2);
    CHECK(runs.store->run_ids() == std::vector<std::string>{"2", "1"});
}
