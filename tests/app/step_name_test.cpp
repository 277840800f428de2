#include "app/step_name.hpp"

#include "base/error.hpp"
#include "support/catch.hpp"

using namespace gantry;
using runner::State;

namespace {

// Two stages with a service `db` and a step `tests` each; the second ended as `second` says.
runner::RunSummary run_with(State second)
{
    runner::RunSummary run;
    run.id = "7";
    for (const auto& [name, state] : {std::pair{"test", State::success}, std::pair{"released", second}}) {
        runner::StageSummary stage;
        stage.stage = name;
        runner::StepSummary one;
        one.stage = name;
        one.state = state;
        one.step = "tests";
        stage.steps = {one, one};
        stage.steps[1].step = "other";
        one.step = "services/db";
        stage.services = {one};
        run.stages.push_back(std::move(stage));
    }
    return run;
}

} // namespace

TEST_CASE("a name means the one that ran where the others of that name were skipped", "[app]")
{
    for (const auto never : {State::skipped, State::pending}) {
        const auto run = run_with(never);
        CHECK(app::find_log(run, "db").stage == "test");
        CHECK(app::find_step(run, "tests").stage == "test");
        CHECK(app::find_log(run, "released/services/db").stage == "released");
    }
}

TEST_CASE("a name that several have is refused with what may be meant", "[app]")
{
    const auto run = run_with(State::failure);
    for (const auto* name : {"db", "tests"})
        try {
            (void)app::find_log(run, name);
            FAIL("it was taken");
        } catch (const Error& error) {
            CHECK(error.code() == Errc::bad_input);
            CHECK_THAT(error.hint(), ContainsSubstring("test/") && ContainsSubstring("released/"));
        }
}
