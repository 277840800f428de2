#include "support/catch.hpp"

#include "pipeline/plan.hpp"
#include "runner/store.hpp"

#include <nlohmann/json.hpp>

using namespace gantry;
using namespace gantry::runner;
using Kind = RunEvent::Kind;
using namespace std::chrono_literals;

namespace {

const std::chrono::system_clock::time_point k_begun(std::chrono::hours(475000));

// build: compile; test: unit, lint
pipeline::Plan plan_of_two()
{
    pipeline::Plan plan;
    plan.pipeline = "shop";
    for (const auto& [stage, steps] : std::vector<std::pair<std::string, std::vector<std::string>>>{{"build", {"compile"}}, {"test", {"unit", "lint"}}}) {
        pipeline::PlanStage planned;
        planned.id = planned.name = stage;
        for (const auto& step : steps) {
            pipeline::PlanStep planned_step;
            planned_step.id = step;
            planned.steps.push_back(planned_step);
        }
        plan.stages.push_back(planned);
    }
    return plan;
}

RunEvent of_step(Kind kind, const std::string& stage, const std::string& step, int attempt, State state = State::pending, Cause cause = Cause::ok)
{
    RunEvent event;
    event.kind = kind;
    event.time = k_begun;
    event.stage = stage;
    event.step = step;
    event.attempt = attempt;
    event.state = state;
    event.cause = cause;
    return event;
}

RunEvent of_run(Kind kind, State state = State::pending, Cause cause = Cause::ok)
{
    return of_step(kind, "", "", 0, state, cause);
}

} // namespace

TEST_CASE("a summary without events shows the whole plan as pending", "[summary]")
{
    const auto run = summarize("7", plan_of_two(), {});
    CHECK(run.id == "7");
    CHECK(run.pipeline == "shop");
    CHECK(run.state == State::pending);
    REQUIRE(run.stages.size() == 2);
    REQUIRE(run.stages[1].steps.size() == 2);
    CHECK(run.stages[1].steps[1].step == "lint");
    CHECK(run.stages[1].steps[1].state == State::pending);
}

TEST_CASE("of several attempts the summary shows the last", "[summary]")
{
    auto failed = of_step(Kind::step_finished, "test", "unit", 1, State::failure, Cause::failed);
    failed.exit_code = 2;
    failed.message = "first";
    failed.outputs = {{"coverage", "81"}};
    std::vector<RunEvent> events{of_run(Kind::run_started), of_step(Kind::stage_started, "test", "", 0), of_step(Kind::step_started, "test", "unit", 1), failed,
                                 of_step(Kind::step_retry, "test", "unit", 2)};
    auto step = summarize("1", plan_of_two(), events).stages[1].steps[0];
    CHECK(step.state == State::pending);
    CHECK(step.exit_code == 2);

    events.push_back(of_step(Kind::step_started, "test", "unit", 2));
    step = summarize("1", plan_of_two(), events).stages[1].steps[0];
    CHECK(step.state == State::running);
    CHECK(step.attempt == 2);
    CHECK_FALSE(step.exit_code);
    CHECK(step.message.empty());
    CHECK(step.outputs.empty());

    auto passed = of_step(Kind::step_finished, "test", "unit", 2, State::success);
    passed.exit_code = 0;
    passed.log_bytes = 12;
    passed.duration = 3s;
    events.push_back(passed);
    step = summarize("1", plan_of_two(), events).stages[1].steps[0];
    CHECK(step.state == State::success);
    CHECK(step.exit_code == 0);
    CHECK(step.log_bytes == 12);
}

TEST_CASE("what made a stage fail that may is allowed with it", "[summary]")
{
    auto stage = of_step(Kind::stage_finished, "test", "", 0, State::failure, Cause::failed);
    stage.allowed_failure = true;
    const auto run = summarize("7", plan_of_two(),
                               {of_step(Kind::step_finished, "test", "unit", 1, State::failure, Cause::failed),
                                of_step(Kind::step_finished, "test", "lint", 1, State::success), stage});
    CHECK(run.stages[1].allowed_failure);
    CHECK(run.stages[1].steps[0].allowed_failure);
    CHECK_FALSE(run.stages[1].steps[1].allowed_failure);
    CHECK(to_json(run)["stages"][1]["allowed_failure"] == true);
    CHECK_FALSE(run.stages[0].allowed_failure);
    CHECK_FALSE(to_json(run)["stages"][0].contains("allowed_failure"));
}

TEST_CASE("the run's own events give its state, times, details and warnings", "[summary]")
{
    auto started = of_run(Kind::run_started);
    started.message = "shop on main";
    started.outputs = {{"branch", "main"}};
    auto warning = of_run(Kind::warning);
    warning.message = "disk is nearly full";
    auto stage = of_step(Kind::stage_finished, "build", "", 0, State::error, Cause::engine_lost);
    stage.message = "docker went away";
    auto finished = of_run(Kind::run_finished, State::error, Cause::engine_lost);
    finished.time = k_begun + 90s;
    const auto run = summarize("1", plan_of_two(), {started, warning, stage, finished});
    CHECK(run.pipeline == "shop on main");
    CHECK(run.details.at("branch") == "main");
    CHECK(run.state == State::error);
    CHECK(run.cause == Cause::engine_lost);
    CHECK(run.finished - run.started == 90s);
    REQUIRE(run.warnings.size() == 1);
    CHECK(run.stages[0].state == State::error);
    CHECK(run.stages[0].message == "docker went away");
}

TEST_CASE("a resumed run has nothing running that ran when its process died", "[summary]")
{
    const auto run = summarize("1", plan_of_two(),
                               {of_run(Kind::run_started), of_step(Kind::stage_started, "build", "", 0), of_step(Kind::step_started, "build", "compile", 1),
                                of_step(Kind::step_finished, "test", "lint", 1, State::success), of_run(Kind::resumed)});
    CHECK(run.state == State::running);
    CHECK(run.stages[0].state == State::pending);
    CHECK(run.stages[0].steps[0].state == State::pending);
    CHECK(run.stages[1].steps[1].state == State::success);
}

TEST_CASE("how often a service was unhealthy after it was ready is counted, for each attempt", "[summary]")
{
    const auto health = [](const std::string& word) {
        auto event = of_step(Kind::service_health, "test", "services/db", 1);
        event.message = word;
        return event;
    };
    std::vector<RunEvent> events{of_step(Kind::service_started, "test", "services/db", 1), health("unhealthy"), health("healthy"), health("unhealthy")};
    const auto twice = summarize("1", plan_of_two(), events);
    CHECK(twice.stages.at(1).services.at(0).lapses == 2);
    CHECK(to_json(twice).at("stages").at(1).at("services").at(0).at("lapses") == 2);
    events.push_back(of_step(Kind::service_started, "test", "services/db", 2));
    CHECK(summarize("1", plan_of_two(), events).stages.at(1).services.at(0).lapses == 0);
}

TEST_CASE("steps that the plan does not have are not lost", "[summary]")
{
    const auto run = summarize("1", plan_of_two(), {of_step(Kind::step_finished, "deploy", "push", 1, State::success)});
    REQUIRE(run.stages.size() == 3);
    CHECK(run.stages[2].stage == "deploy");
    CHECK(run.stages[2].steps.at(0).step == "push");
}

TEST_CASE("a summary as JSON: ids, states, exit codes; bytes that are no text are escaped", "[summary]")
{
    auto failed = of_step(Kind::step_finished, "test", "unit", 1, State::failure, Cause::oom);
    failed.exit_code = 137;
    failed.message = "out of memory \xff";
    const auto json = to_json(summarize("12", plan_of_two(), {of_run(Kind::run_started), failed, of_run(Kind::run_finished, State::failure, Cause::oom)}));
    CHECK(json.at("id") == "12");
    CHECK(json.at("state") == "failure");
    CHECK(json.at("cause") == "oom");
    CHECK(json.at("interrupted") == false);
    const auto& step = json.at("stages").at(1).at("steps").at(0);
    CHECK(step.at("exit_code") == 137);
    CHECK(step.at("cause") == "oom");
    CHECK(step.count("signal") == 0);
    CHECK(json.at("stages").at(0).at("steps").at(0).count("cause") == 0);
    CHECK_NOTHROW(json.dump());
}
