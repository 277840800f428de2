// How long a step's output is waited for when its process has ended.
#include "base/scratch.hpp"
#include "runner/step_output.hpp"
#include "support/catch.hpp"
#include "support/manual_clock.hpp"
#include "support/plan_builder.hpp"
#include "support/run_to_end.hpp"

using namespace gantry;
using namespace gantry::test;
using namespace std::chrono_literals;
using runner::k_drain_limit;
using runner::k_longest_drain;

namespace {

struct OutputFixture {
    // Bytes that come when the process has ended, so long after the last ones: `times` times.
    awaitable<void> trickle(std::chrono::nanoseconds pause, int times)
    {
        for (; times > 0; --times) {
            co_await clock.sleep_for(pause);
            output.write_now(engine::Stream::out, "x");
        }
    }
    // How long the rest is waited for, beside `beside`.
    std::chrono::nanoseconds wait(awaitable<void> beside)
    {
        const auto wait_for_rest = [this]() -> awaitable<void> {
            co_await output.wait_for_rest(changed, is_drained, in_haste);
            waited = clock.elapsed();
        };
        run_to_end(loop, clock, both(wait_for_rest(), std::move(beside)));
        return waited;
    }

    const Scratch folder;
    std::unique_ptr<runner::Store> store = runner::open_store(folder.path());
    std::unique_ptr<runner::RunWriter> writer = store->create_run(plan_of({stage("a", {}, {step("one")})}), {});
    const runner::MaskSet masks{std::vector<std::pair<std::string, Secret>>()};
    const std::vector<runner::RunObserver*> nobody;
    asio::io_context loop;
    ManualClock clock;
    runner::StepOutput output{{"a", "one", 1}, writer->open_log({"a", "one", 1}), masks, clock, nobody, {}};
    Signal changed{loop.get_executor()};
    bool drained = false, haste = false;
    std::function<bool()> is_drained = [this] { return drained; };
    std::function<bool()> in_haste = [this] { return haste; };
    std::chrono::nanoseconds waited{};
};

} // namespace

TEST_CASE("silent output is given up after a limit", "[step_output]")
{
    OutputFixture fixture;
    CHECK(fixture.wait(fixture.trickle(1s, 0)) == k_drain_limit);
}

TEST_CASE("bytes that come begin the limit anew", "[step_output]")
{
    OutputFixture fixture;
    const auto waited = fixture.wait(fixture.trickle(1700ms, 5));
    CHECK(waited >= 5 * 1700ms + k_drain_limit - 500ms);
    CHECK(waited <= 5 * 1700ms + k_drain_limit + 500ms);
}

TEST_CASE("output that never ends is given up all the same", "[step_output]")
{
    OutputFixture fixture;
    CHECK(fixture.wait(fixture.trickle(1s, 1000)) == k_longest_drain);
}

TEST_CASE("whoever is in haste waits for the limit alone", "[step_output]")
{
    OutputFixture fixture;
    fixture.haste = true;
    CHECK(fixture.wait(fixture.trickle(100ms, 100)) == k_drain_limit);
}

TEST_CASE("the end of the output ends the waiting at once", "[step_output]")
{
    OutputFixture fixture;
    const auto end = [&fixture]() -> awaitable<void> {
        co_await fixture.clock.sleep_for(300ms);
        fixture.drained = true;
        fixture.changed.notify_all();
    };
    CHECK(fixture.wait(end()) == 300ms);
}

TEST_CASE("a loop that somebody blocks does not use up the limit", "[step_output]")
{
    OutputFixture fixture;
    const auto block = [&fixture]() -> awaitable<void> {
        co_await fixture.clock.sleep_for(100ms);
        fixture.clock.advance(10min); // nothing else runs meanwhile
        co_await fixture.clock.sleep_for(100ms);
        fixture.output.write_now(engine::Stream::out, "what there was to read");
        fixture.drained = true;
        fixture.changed.notify_all();
    };
    CHECK(fixture.wait(block()) == 100ms + 10min + 100ms);
}
