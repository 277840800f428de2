#include "base/error.hpp"
#include "base/scratch.hpp"
#include "engine/fake/fake.hpp"
#include "runner/workspaces.hpp"
#include "support/catch.hpp"
#include "support/manual_clock.hpp"
#include "support/run_to_end.hpp"

#include <filesystem>
#include <string>

using namespace gantry;
using namespace gantry::runner;
using namespace gantry::test;

namespace {

namespace fs = std::filesystem;

// Whether an engine can mount our files is asked once. An engine without a disk cannot: what it keeps are its answers.
struct Probe {
    Scratch scratch;
    asio::io_context io;
    ManualClock clock;
    engine::FakeEngine engine{io.get_executor(), clock};
    WorkspacesOptions options;

    Probe()
    {
        options.cache_folder = scratch / "cache";
        options.instance = "i1";
        options.info.id = "engine";
    }

    WorkspaceKind ask()
    {
        return run_to_end(io, clock, probe_workspaces(engine, options, [](auto, const auto&) {}));
    }
    void fails(const std::string& operation, Errc code)
    {
        engine.on_call([=](const engine::FakeCall& call) {
            if (call.operation == operation)
                throw Error(code, "it does not");
        });
    }
    // What is kept of the answers: one verdict an engine, and no folder of a probe.
    std::size_t kept() const
    {
        std::size_t count = 0;
        for (const auto& entry : fs::directory_iterator(options.cache_folder + "/engines")) {
            CHECK(entry.is_regular_file());
            ++count;
        }
        return count;
    }
};

} // namespace

TEST_CASE("what an engine cannot mount is asked once, and nothing of the question stays", "[workspaces]")
{
    Probe probe;
    CHECK(probe.ask() == WorkspaceKind::copy);
    CHECK(probe.kept() == 1);
    CHECK(probe.engine.objects().empty());
    const auto calls = probe.engine.calls().size();
    CHECK(probe.ask() == WorkspaceKind::copy);
    CHECK(probe.engine.calls().size() == calls);
}

TEST_CASE("an engine that is away or has no room is asked again by the next run", "[workspaces]")
{
    const auto code = GENERATE(Errc::no_space, Errc::unavailable, Errc::timed_out);
    Probe probe;
    probe.fails("create_volume", code);
    CHECK_THROWS_AS(probe.ask(), Error);
    CHECK(probe.kept() == 0);
    probe.engine.on_call([](const engine::FakeCall&) {});
    CHECK(probe.ask() == WorkspaceKind::copy);
    CHECK(probe.kept() == 1);
}

TEST_CASE("an engine that refuses to mount gets copies", "[workspaces]")
{
    Probe probe;
    probe.fails("create_container", Errc::bad_input);
    CHECK(probe.ask() == WorkspaceKind::copy);
    CHECK(probe.kept() == 1);
}

TEST_CASE("what the question leaves at the engine is no reason to ask again", "[workspaces]")
{
    Probe probe;
    probe.fails("remove", Errc::conflict);
    CHECK(probe.ask() == WorkspaceKind::copy);
    CHECK(probe.kept() == 1);
}

TEST_CASE("a question that is cancelled leaves no folder behind", "[workspaces]")
{
    Probe probe;
    probe.engine.on_latency([](const engine::FakeCall&) { return std::chrono::hours(1); });
    auto in_a_minute = [](Clock& clock) -> awaitable<void> { co_await clock.sleep_for(std::chrono::minutes(1)); };
    auto ask = [](Probe& asked) -> awaitable<void> {
        (void)co_await probe_workspaces(asked.engine, asked.options, [](auto, const auto&) {});
    };
    run_to_end(probe.io, probe.clock, first_of(in_a_minute(probe.clock), ask(probe)));
    CHECK(probe.kept() == 0);
}
