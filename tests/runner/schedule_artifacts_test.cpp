// The rule of schedule.hpp about artifacts.
#include "runner/schedule_driver.hpp"
#include "support/catch.hpp"
#include "support/plan_builder.hpp"

using namespace gantry;
using namespace gantry::test;
using runner::Cause;
using runner::State;
using namespace std::chrono_literals;
using Names = std::vector<std::string>;

namespace {

pipeline::PlanStage keeping(pipeline::PlanStage stage)
{
    stage.artifacts.emplace();
    return stage;
}

runner::Input collected(const ScheduleDriver& run, const std::string& stage, Cause cause = Cause::ok)
{
    runner::Outcome outcome;
    outcome.cause = cause;
    outcome.message = "a disk is full";
    return runner::input::StageCollected{run.stage_index(stage), outcome};
}

} // namespace

TEST_CASE("a stage with artifacts is final when they are collected, and those who need it open then", "[schedule]")
{
    ScheduleDriver run(plan_of({keeping(stage("a", {}, {step("one"), in_finally(step("last"))})), stage("b", {"a"}, {step("one")})}));

    run.begin().ends("a/one");
    CHECK(run.collects.empty());
    run.ends("a/last");
    CHECK(run.collects == Names{"a success"});
    CHECK(run.opens == Names{"a"});
    CHECK(run.closes.empty());
    CHECK(run.state("a") == State::running);
    run.send(collected(run, "a"));
    CHECK(run.closes == Names{"a"});
    CHECK(run.opens == Names{"a", "b"});
    CHECK(run.state("a") == State::success);
    run.send(collected(run, "a", Cause::disk_full));
    CHECK(run.state("a") == State::success);
}

TEST_CASE("artifacts that cannot be kept end a stage that had succeeded", "[schedule]")
{
    ScheduleDriver run(plan_of({keeping(stage("a", {}, {step("one")})), stage("b", {"a"}, {step("one")})}));

    run.begin().ends("a/one").send(collected(run, "a", Cause::disk_full));

    CHECK(run.finished("a").state == State::error);
    CHECK(run.finished("a").cause == Cause::disk_full);
    CHECK(run.finished("a").message == "a disk is full");
    CHECK(run.state("b") == State::skipped);
    CHECK(run.finishes.at(0).state == State::error);
}

TEST_CASE("a stage that failed stays failed, whatever becomes of its artifacts", "[schedule]")
{
    ScheduleDriver run(plan_of({keeping(stage("a", {}, {step("one")}))}));

    run.begin().ends("a/one", Cause::failed);
    CHECK(run.collects == Names{"a failure"});
    run.send(collected(run, "a", Cause::disk_full));

    CHECK(run.finished("a").cause == Cause::failed);
    CHECK(run.finishes.at(0).state == State::failure);
}

TEST_CASE("a stage that could not open, was skipped or was kept collects nothing", "[schedule]")
{
    runner::ScheduleOptions options;
    options.kept["kept"];
    ScheduleDriver run(plan_of({keeping(stage("kept", {}, {step("one")})), keeping(stage("a", {}, {step("one")})),
                                keeping(stage("b", {"a"}, {step("one")}))}), options);
    run.opens_by_itself = false;

    run.begin().failed_to_open("a", Cause::checkout_error);

    CHECK(run.collects.empty());
    CHECK(run.closes == Names{"a"});
    CHECK(run.finishes.at(0).cause == Cause::checkout_error);
}

TEST_CASE("a cancel while artifacts are collected changes nothing of their stage", "[schedule]")
{
    ScheduleDriver run(plan_of({keeping(stage("a", {}, {step("one")})), stage("b", {"a"}, {step("one")})}));

    run.begin().ends("a/one").cancel();
    CHECK(run.finishes.empty());
    run.send(collected(run, "a"));

    CHECK(run.state("a") == State::success);
    CHECK(run.state("b") == State::cancelled);
    CHECK(run.finishes.at(0).state == State::cancelled);
}

TEST_CASE("a timeout that comes while artifacts are collected ends that", "[schedule]")
{
    const bool of_run = GENERATE(false, true);
    CAPTURE(of_run);
    auto a = keeping(stage("a", {}, {step("one")}));
    auto plan = plan_of({a, stage("b", {"a"}, {step("one")})});
    (of_run ? plan.timeout : plan.stages[0].timeout) = 10s;
    ScheduleDriver run(plan);

    run.begin().ends("a/one");
    CHECK_FALSE(run.schedule.is_collecting_over(0));
    run.pass(10s);
    CHECK(run.schedule.is_collecting_over(0));
    CHECK(run.state("a") == State::running);
    run.send(collected(run, "a", Cause::cancelled));

    CHECK(run.finished("a").state == State::timed_out);
    CHECK(run.finished("a").message == std::string(of_run ? "run" : "stage") + " timeout of 10s, while its artifacts were collected");
    CHECK(run.state("b") == State::skipped);
    CHECK(run.finishes.at(0).state == State::timed_out);
}

TEST_CASE("a timeout while the artifacts of a stage that failed are collected leaves its result", "[schedule]")
{
    auto a = keeping(stage("a", {}, {step("one")}));
    a.timeout = 10s;
    ScheduleDriver run(plan_of({a}));

    run.begin().ends("a/one", Cause::failed).pass(10s);
    CHECK(run.schedule.is_collecting_over(0));
    run.send(collected(run, "a", Cause::cancelled));

    CHECK(run.finished("a").cause == Cause::failed);
}

TEST_CASE("a stage that was halted collects until the time for its finally-steps is over", "[schedule]")
{
    auto a = keeping(stage("a", {}, {step("one")}));
    a.timeout = 10s;
    ScheduleDriver run(plan_of({a}));

    run.begin().begins("a/one").pass(10s).ends("a/one");
    CHECK(run.collects == Names{"a timed_out"});
    CHECK_FALSE(run.schedule.is_collecting_over(0));
    run.pass(5min);
    CHECK(run.schedule.is_collecting_over(0));
}
