#include "app/junit.hpp"

#include "base/scratch.hpp"
#include "golden.hpp"
#include "view_world.hpp"

using namespace gantry;
using namespace std::chrono_literals;
using runner::Cause;
using runner::State;
using test::ViewFixture;

namespace {

runner::RunSummary mixed_run()
{
    ViewFixture world;
    auto summary = world.summary();
    summary.state = State::failure;
    summary.started = world.clock.wall();
    summary.finished = summary.started + 12s;
    auto& stages = summary.stages;
    const auto end = [](runner::StepSummary& step, Cause cause) {
        step.attempt = 1;
        step.cause = cause;
        step.state = state_of(cause);
        step.duration = 1500ms;
        step.log_bytes = 10;
    };
    end(stages[0].steps[0], Cause::ok);
    end(stages[0].steps[1], Cause::failed);
    stages[0].steps[1].exit_code = 2;
    end(stages[1].steps[0], Cause::image_error);
    stages[1].steps[0].message = "there is no image <gcc:99> & \"co\"";
    stages[2].state = State::error;
    stages[2].cause = Cause::service_unhealthy;
    stages[2].message = "db is not healthy";
    for (auto& step : stages[2].steps)
        step.state = State::skipped;
    return summary;
}

} // namespace

TEST_CASE("JUnit has a suite for each stage and a case for each step, with why it failed", "[app]")
{
    const Scratch scratch;
    const auto file = scratch.path() + "/report.xml";

    app::write_junit(mixed_run(), file, [](const runner::StepKey&, int) { return std::string("a < b && \x1b[31mred\x01\n]]>\xff\n"); });

    test::check_golden("junit.xml", read_file(file, 1 << 20));
}

TEST_CASE("a report that cannot be written is an error with the file's name", "[app]")
{
    CHECK_THROWS_WITH(app::write_junit(mixed_run(), "/nonexistent/report.xml", [](const runner::StepKey&, int) { return std::string(); }),
                      ContainsSubstring("/nonexistent/report.xml"));
}
