// The rules of schedule.hpp about stages, steps and conditions. Stops and timeouts: schedule_halt_test.cpp.
#include "runner/schedule_driver.hpp"
#include "support/catch.hpp"
#include "support/plan_builder.hpp"

using namespace gantry;
using namespace gantry::test;
using runner::Cause;
using runner::State;
using Names = std::vector<std::string>;

TEST_CASE("a stage opens when all it needs is final", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one")}), stage("b", {}, {step("one")}),
                                stage("c", {"a", "b"}, {step("one")})}));

    run.begin();
    CHECK(run.opens == Names{"a", "b"});
    run.ends("a/one");
    CHECK(run.opens == Names{"a", "b"});
    run.ends("b/one");
    CHECK(run.opens == Names{"a", "b", "c"});
    CHECK(run.state("c") == State::running);
}

TEST_CASE("a stage whose needs failed is skipped, with the reason", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one")}), stage("b", {"a"}, {step("one")}),
                                stage("c", {"b"}, {in_finally(step("one"))})}));

    run.begin().ends("a/one", Cause::failed);

    CHECK(run.state("b") == State::skipped);
    CHECK(run.finished("b").message == "it needs a, which failed");
    CHECK(run.finished("c").message == "it needs b, which was skipped");
    CHECK(run.state("c/one") == State::skipped);
    CHECK(run.opens == Names{"a"});
    CHECK(run.finishes.at(0).state == State::failure);
    CHECK(run.finishes.at(0).cause == Cause::failed);
}

TEST_CASE("a stage with a status condition opens after a failure", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one")}), when("failure()", stage("alarm", {"a"}, {step("one")})),
                                when("success()", stage("ship", {"a"}, {step("one")})),
                                when("always()", stage("tidy", {"a"}, {step("one")}))}));

    run.begin().ends("a/one", Cause::failed);

    CHECK(run.opens == Names{"a", "alarm", "tidy"});
    CHECK(run.state("ship") == State::skipped);
    CHECK(run.state("alarm/one") == State::running);
}

TEST_CASE("a condition without a status function asks for success, too", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one")}), when("branch == 'main'", stage("b", {"a"}, {step("one")}))}));

    run.begin().ends("a/one", Cause::failed);

    CHECK(run.finished("b").message == "it needs a, which failed");
}

TEST_CASE("a stage that its own condition skips is no obstacle", "[schedule]")
{
    auto plan = plan_of({stage("a", {}, {step("one")}), when("branch == 'release'", stage("b", {"a"}, {step("one")})),
                         stage("c", {"b"}, {step("one")})});
    SECTION("if what it needs passed")
    {
        ScheduleDriver run(plan);
        run.begin().ends("a/one");
        CHECK(run.finished("b").message == "its condition is false: branch == 'release'");
        CHECK(run.opens == Names{"a", "c"});
    }
    SECTION("but a failure before it still is")
    {
        ScheduleDriver run(plan);
        run.begin().ends("a/one", Cause::failed);
        CHECK(run.opens == Names{"a"});
        CHECK(run.state("c") == State::skipped);
    }
}

TEST_CASE("allow_failure makes the failure of a stage count as success", "[schedule]")
{
    ScheduleDriver run(plan_of({may_fail(stage("a", {}, {step("one")})), stage("b", {"a"}, {step("one")})}));

    run.begin().ends("a/one", Cause::failed);
    CHECK(run.state("a") == State::failure);
    CHECK(run.finished("a").allowed_failure);
    CHECK(run.opens == Names{"a", "b"});
    run.ends("b/one");
    CHECK(run.finishes.at(0).state == State::success);
}

TEST_CASE("allow_failure does not cover what went wrong on our side", "[schedule]")
{
    ScheduleDriver run(plan_of({may_fail(stage("a", {}, {may_fail(step("one"))})), stage("b", {"a"}, {step("one")})}));

    run.begin().ends("a/one", Cause::engine_lost);

    CHECK(run.state("a") == State::error);
    CHECK(run.opens == Names{"a"});
    CHECK(run.finishes.at(0).cause == Cause::engine_lost);
}

TEST_CASE("a stage that does not open ends in error, is closed, and its steps are skipped", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), in_finally(step("tidy"))})}));
    run.opens_by_itself = false;

    run.begin().failed_to_open("a", Cause::checkout_error);

    CHECK(run.state("a") == State::error);
    CHECK(run.finished("a").message == "no luck");
    CHECK(run.finished("a").hint == "try again");
    CHECK(run.state("a/tidy") == State::skipped);
    CHECK(run.starts.empty());
    CHECK(run.closes == Names{"a"});
    CHECK(run.finishes.at(0).cause == Cause::checkout_error);
}

TEST_CASE("finally-steps run where a service kept the stage from beginning", "[schedule]")
{
    auto files = stage("a", {}, {step("one"), step("two"), in_finally(step("logs"))});
    files.artifacts.emplace();
    ScheduleDriver run(plan_of({files}));
    run.opens_by_itself = false;

    run.begin().failed_to_open("a", Cause::service_unhealthy, true);

    CHECK(run.state("a/one") == State::skipped);
    CHECK(run.state("a/two") == State::skipped);
    CHECK(run.starts == Names{"a/logs"});
    run.ends("a/logs");
    CHECK(run.collects == Names{"a error"}); // what they left
    run.send(runner::input::StageCollected{0, {}});
    CHECK(run.state("a") == State::error);
    CHECK(run.finished("a").message == "no luck");
    CHECK(run.finishes.at(0).cause == Cause::service_unhealthy);
}

TEST_CASE("groups run in turn, the steps of one side by side", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), step("two"), beside(step("three")), step("four")})}));

    run.begin();
    CHECK(run.starts == Names{"a/one"});
    run.ends("a/one");
    CHECK(run.starts == Names{"a/one", "a/two", "a/three"});
    run.ends("a/three");
    CHECK(run.starts.size() == 3);
    run.ends("a/two");
    CHECK(run.starts.back() == "a/four");
}

TEST_CASE("no more steps run than there are slots", "[schedule]")
{
    runner::ScheduleOptions options;
    options.slots = 2;
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), beside(step("two")), beside(step("three"))}),
                                stage("b", {}, {step("one")})}),
                       options);

    run.begin();
    CHECK(run.starts == Names{"a/one", "a/two"});
    CHECK(run.state("a/three") == State::pending);
    run.ends("a/two");
    CHECK(run.starts == Names{"a/one", "a/two", "a/three"});
    run.ends("a/one");
    CHECK(run.starts.back() == "b/one");
}

TEST_CASE("after a failed step only those run whose condition says so", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), beside(step("two")), step("three"),
                                                when("failure()", step("four")), when("success()", step("five")),
                                                when("always()", step("six"))})}));

    run.begin().ends("a/one", Cause::failed);
    CHECK(run.state("a/two") == State::running); // the rest of the group goes on
    run.ends("a/two").ends("a/four").ends("a/six");

    CHECK(run.starts == Names{"a/one", "a/two", "a/four", "a/six"});
    CHECK(run.finished("a/three").message == "an earlier step failed");
    CHECK(run.finished("a/five").message == "its condition is false: success()");
    CHECK(run.finished("a").message == "step one failed");
    CHECK(run.state("a") == State::failure);
}

TEST_CASE("a step that may fail does not stop those after it", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {may_fail(step("one")), step("two")})}));

    run.begin().ends("a/one", Cause::failed).ends("a/two");

    CHECK(run.state("a/one") == State::failure);
    CHECK(run.finished("a/one").allowed_failure);
    CHECK(run.state("a") == State::success);
}

TEST_CASE("conditions read the outputs of steps before them and of stages that are needed", "[schedule]")
{
    auto plan = plan_of({stage("a", {}, {step("one"), when("steps.one.outputs.go == 'yes'", step("two")),
                                         when("steps.one.outputs.go == 'no'", step("three"))}),
                         when("steps['a/one'].outputs.go == 'yes'", stage("b", {"a"}, {step("one")})),
                         when("steps.two.state == 'failure'", stage("c", {"a"}, {step("one")}))});
    ScheduleDriver run(plan);
    runner::Outcome outcome;
    outcome.outputs["go"] = "yes";

    run.begin().ends_with("a/one", outcome).ends("a/two");

    CHECK(run.starts == Names{"a/one", "a/two", "b/one"});
    CHECK(run.state("a/three") == State::skipped);
    CHECK(run.state("c") == State::skipped);
    CHECK(run.schedule.facts(1).stages.at("a").at("one").outputs.at("go") == "yes");
}

TEST_CASE("a condition that cannot be computed is an error of the definition", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {when("steps.later.outputs.x == 1", step("one")), step("later")}),
                                when("branch <", stage("b", {}, {step("one")}))}));

    run.begin();

    CHECK(run.state("a/one") == State::error);
    CHECK(run.finished("a/one").cause == Cause::config_error);
    CHECK_THAT(run.finished("a/one").message, ContainsSubstring("steps.later.outputs.x"));
    CHECK(run.state("b") == State::error);
    CHECK(run.finishes.at(0).cause == Cause::config_error);
}

TEST_CASE("what the plan decided to skip is skipped, with its reason", "[schedule]")
{
    auto skipped = step("two");
    skipped.skip_reason = "not asked for";
    auto other = stage("b", {}, {step("one")});
    other.skip_reason = "not on this branch";
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), skipped}), other}));

    run.begin().ends("a/one");

    CHECK(run.finished("a/two").message == "not asked for");
    CHECK(run.finished("b").message == "not on this branch");
    CHECK(run.state("b/one") == State::skipped);
    CHECK(run.finishes.at(0).state == State::success);
}

TEST_CASE("a pipeline that the event does not start runs nothing and passes", "[schedule]")
{
    auto plan = plan_of({stage("a", {}, {step("one")})});
    plan.skip_reason = "no trigger for tags";
    ScheduleDriver run(plan);

    run.begin();

    CHECK(run.opens.empty());
    CHECK(run.event(runner::RunEvent::Kind::run_finished).message == "no trigger for tags");
    CHECK(run.finishes.at(0).state == State::success);
}

TEST_CASE("finally-steps run after success and after failure, one after the other's failure", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), step("two"), in_finally(step("logs")),
                                                in_finally(when("failure()", step("alarm"))), in_finally(step("tidy"))})}));
    SECTION("failure")
    {
        run.begin().ends("a/one", Cause::failed).ends("a/logs", Cause::failed).ends("a/alarm").ends("a/tidy");
        CHECK(run.starts == Names{"a/one", "a/logs", "a/alarm", "a/tidy"});
        CHECK(run.state("a") == State::failure);
    }
    SECTION("success")
    {
        run.begin().ends("a/one").ends("a/two").ends("a/logs").ends("a/tidy");
        CHECK(run.starts == Names{"a/one", "a/two", "a/logs", "a/tidy"});
        CHECK(run.state("a") == State::success);
    }
    SECTION("a failure of theirs is one of the stage")
    {
        run.begin().ends("a/one").ends("a/two").ends("a/logs", Cause::failed).ends("a/alarm").ends("a/tidy");
        CHECK(run.state("a") == State::failure);
    }
}

TEST_CASE("a failed attempt is tried again, each time after twice the back-off", "[schedule]")
{
    using namespace std::chrono_literals;
    auto flaky = retried(2, step("one"));
    flaky.retry.backoff = 5s;
    ScheduleDriver run(plan_of({stage("a", {}, {flaky, step("two")})}));

    run.begin().ends("a/one", Cause::failed, 75);
    CHECK(run.starts == Names{"a/one"});
    CHECK(run.state("a/one") == State::pending);
    const auto retry = run.event(runner::RunEvent::Kind::step_retry, "a/one");
    CHECK(retry.attempt == 2);
    CHECK(retry.duration == 5s);
    CHECK(retry.exit_code == 75);
    run.pass(4999ms);
    CHECK(run.starts.size() == 1);
    run.pass(1ms);
    CHECK(run.starts.size() == 2);
    CHECK(run.schedule.attempt(run.index("a/one")) == 2);
    run.ends("a/one", Cause::failed).pass(9999ms);
    CHECK(run.starts.size() == 2);
    run.pass(1ms).ends("a/one", Cause::failed);
    CHECK(run.starts.size() == 3);
    CHECK(run.state("a/one") == State::failure);
    CHECK(run.finished("a/one").attempt == 3);
    CHECK(run.state("a/two") == State::skipped);
}

TEST_CASE("only listed causes and exit codes are tried again", "[schedule]")
{
    const auto is_retried = [](std::vector<std::string> causes, std::vector<int> codes, Cause cause, int code = 1) {
        auto flaky = retried(1, step("one"));
        flaky.retry.when = std::move(causes);
        flaky.retry.exit_codes = std::move(codes);
        ScheduleDriver run(plan_of({stage("a", {}, {flaky})}));
        run.begin().ends("a/one", cause, code);
        return run.starts.size() == 2;
    };
    CHECK(is_retried({}, {}, Cause::failed));
    CHECK(is_retried({}, {}, Cause::engine_lost));
    CHECK_FALSE(is_retried({}, {}, Cause::timeout));
    CHECK_FALSE(is_retried({}, {}, Cause::config_error));
    CHECK(is_retried({"infra"}, {}, Cause::image_error));
    CHECK_FALSE(is_retried({"infra"}, {}, Cause::failed));
    CHECK(is_retried({"infra"}, {75}, Cause::failed, 75));
    CHECK_FALSE(is_retried({"infra"}, {75}, Cause::failed, 76));
    CHECK_FALSE(is_retried({}, {75}, Cause::failed, 1));
    CHECK(is_retried({"failure"}, {}, Cause::oom));
    CHECK(is_retried({"oom"}, {}, Cause::oom));
    CHECK_FALSE(is_retried({"oom"}, {}, Cause::failed));
    CHECK(is_retried({"always"}, {}, Cause::disk_full));
    CHECK_FALSE(is_retried({"always"}, {}, Cause::cancelled));
}

TEST_CASE("a step that comes next for certain is prepared ahead", "[schedule]")
{
    SECTION("two, while one before them runs")
    {
        ScheduleDriver run(plan_of({stage("a", {}, {step("one"), step("two"), step("three"), step("four")})}));
        run.begin();
        CHECK(run.prepares == Names{"a/two", "a/three"});
        run.ends("a/one");
        CHECK(run.prepares == Names{"a/two", "a/three", "a/four"});
    }
    SECTION("none behind one that has to wait")
    {
        ScheduleDriver run(plan_of({stage("a", {}, {step("one"), when("steps.one.state == 'success'", step("two")), step("three")})}));
        run.begin();
        CHECK(run.prepares.empty());
        run.ends("a/one");
        CHECK(run.prepares == Names{"a/three"});
    }
    SECTION("never one of several, or of finally")
    {
        ScheduleDriver run(plan_of({stage("a", {}, {step("one"), step("two"), beside(step("three")), in_finally(step("x"))})}));
        run.begin().ends("a/one").ends("a/two").ends("a/three");
        CHECK(run.prepares.empty());
    }
    SECTION("unless it depends on what is not known yet")
    {
        auto reads = step("two");
        reads.container.environment.emplace_back(
            "X", pipeline::Text(std::vector{pipeline::Text::Part{true, "steps.one.outputs.x", {}}}));
        for (const auto& second : {reads, when("failure()", step("two")), when("branch == 'x'", step("two")),
                                   when("steps.one.state == 'success'", step("two"))}) {
            ScheduleDriver run(plan_of({stage("a", {}, {step("one"), second})}));
            run.begin();
            CHECK(run.prepares.empty());
        }
    }
    SECTION("with a condition that holds if what runs now succeeds")
    {
        ScheduleDriver run(plan_of({stage("a", {}, {step("one"), when("success() && branch == 'main'", step("two"))})}));
        run.begin();
        CHECK(run.prepares == Names{"a/two"});
    }
    SECTION("skipped ones do not come next")
    {
        auto skipped = step("two");
        skipped.skip_reason = "no";
        ScheduleDriver run(plan_of({stage("a", {}, {step("one"), skipped, step("three")})}));
        run.begin();
        CHECK(run.prepares == Names{"a/three"});
    }
}

TEST_CASE("the run ends when every stage is final and closed", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one")}), stage("b", {"a"}, {step("one")})}));
    run.closes_by_itself = false;

    run.begin().ends("a/one").ends("b/one").closed("b");
    CHECK(run.state("a") == State::success);
    CHECK_FALSE(run.schedule.finished());
    run.closed("a");
    CHECK(run.schedule.finished());
    CHECK(run.finishes.size() == 1);
}

TEST_CASE("of several ends of stages the worst is that of the run", "[schedule]")
{
    const auto state_after = [](Cause a, Cause b) {
        ScheduleDriver run(plan_of({stage("a", {}, {step("one")}), stage("b", {}, {step("one")})}));
        run.begin().ends("a/one", a).ends("b/one", b);
        return run.finishes.at(0).state;
    };
    CHECK(state_after(Cause::ok, Cause::ok) == State::success);
    CHECK(state_after(Cause::ok, Cause::failed) == State::failure);
    CHECK(state_after(Cause::engine_lost, Cause::failed) == State::error);
    CHECK(state_after(Cause::engine_lost, Cause::timeout) == State::timed_out);
    CHECK(state_after(Cause::cancelled, Cause::timeout) == State::cancelled);
}

TEST_CASE("stages that are kept from an earlier run do not run again, and their outputs are there", "[schedule]")
{
    runner::ScheduleOptions options;
    options.kept["a"].state = State::success;
    options.kept["a"].steps["one"].outputs["go"] = "yes";
    const auto plan = plan_of({stage("a", {}, {step("one")}), when("steps['a/one'].outputs.go == 'yes'", stage("b", {"a"}, {step("x")}))});
    SECTION("in a new run, which tells of them")
    {
        ScheduleDriver run(plan, options);
        run.begin().ends("b/x");
        CHECK(run.opens == Names{"b"});
        CHECK(run.finished("a/one").outputs.at("go") == "yes");
        CHECK(run.finishes.at(0).state == State::success);
    }
    SECTION("in a resumed one, which has told already")
    {
        options.resumed = true;
        ScheduleDriver run(plan, options);
        run.begin().ends("b/x");
        CHECK_THROWS(run.finished("a"));
        CHECK_THROWS(run.event(runner::RunEvent::Kind::run_started));
        CHECK(run.finishes.at(0).state == State::success);
    }
}

TEST_CASE("the steps of a kept stage keep their own states and images", "[schedule]")
{
    runner::ScheduleOptions options;
    options.kept["a"].steps["one"] = {"busybox:1", {}, "failure"}; // allowed to, or the stage would not be kept
    const auto plan = plan_of({stage("a", {}, {may_fail(step("one")), step("two")}),
                               when("steps['a/one'].state == 'failure' && steps['a/one'].image == 'busybox:1'",
                                    stage("b", {"a"}, {step("x")}))});
    ScheduleDriver run(plan, options);

    run.begin().ends("b/x");

    CHECK(run.opens == Names{"b"});
    CHECK(run.finished("a/one").state == State::failure);
    CHECK(run.finished("a/one").allowed_failure);
    CHECK(run.state("a/two") == State::success);
    CHECK(run.finishes.at(0).state == State::success);
}

TEST_CASE("attempts are numbered on after those of an earlier process, and retries count anew", "[schedule]")
{
    runner::ScheduleOptions options;
    options.resumed = true;
    options.attempts["a"]["one"] = 2;
    ScheduleDriver run(plan_of({stage("a", {}, {retried(1, step("one"))})}), options);

    run.begin();
    CHECK(run.schedule.attempt(run.index("a/one")) == 3);
    run.ends("a/one", Cause::failed);
    CHECK(run.schedule.attempt(run.index("a/one")) == 4);
    run.ends("a/one", Cause::failed);
    CHECK(run.schedule.finished());
    CHECK(run.finished("a/one").attempt == 4);
}

TEST_CASE("what a step reports of itself is in its last event", "[schedule]")
{
    using namespace std::chrono_literals;
    ScheduleDriver run(plan_of({stage("a", {}, {step("one")})}));
    runner::Outcome outcome;
    outcome.cause = Cause::killed_by_signal;
    outcome.exit_code = 139;
    outcome.signal = 11;
    outcome.image = "busybox";
    outcome.log_bytes = 42;
    outcome.timings.pull = 7ms;
    outcome.outputs["k"] = "v";

    run.begin().pass(3s).ends_with("a/one", outcome);

    const auto& event = run.finished("a/one");
    CHECK(event.state == State::failure);
    CHECK(event.signal == 11);
    CHECK(event.exit_code == 139);
    CHECK(event.image == "busybox");
    CHECK(event.log_bytes == 42);
    CHECK(event.timings.pull == 7ms);
    CHECK(event.outputs.at("k") == "v");
    CHECK(event.duration == 3s);
    CHECK(run.event(runner::RunEvent::Kind::run_finished).duration == 3s);
}

TEST_CASE("the cost of steps grows with their number, not with its square", "[schedule]")
{
    const auto seconds_for = [](const pipeline::Plan& plan) {
        const auto start = std::chrono::steady_clock::now();
        ScheduleDriver run(plan);
        run.begin();
        for (std::size_t i = 0; i < run.started.size(); ++i)
            run.send(runner::input::StepEnded{run.started[i], {}});
        CHECK(run.finishes.size() == 1);
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    const auto chain = [](int count) {
        std::vector<pipeline::PlanStage> stages;
        for (int i = 0; i < count; ++i)
            stages.push_back(stage("s" + std::to_string(i), i ? std::vector{"s" + std::to_string(i - 1)} : std::vector<std::string>{}, {step("x")}));
        return plan_of(std::move(stages));
    };
    const auto list = [](int count) {
        std::vector<pipeline::PlanStep> steps;
        for (int i = 0; i < count; ++i)
            steps.push_back(when("steps.s0.state != 'failure'", step("s" + std::to_string(i))));
        steps[0].condition.reset();
        return plan_of({stage("a", {}, std::move(steps))});
    };

    // Ten times as many cost about ten times as much; a hundred times where each looks at all the others.
    CHECK(seconds_for(chain(10'000)) < 40 * seconds_for(chain(1000)));
    CHECK(seconds_for(list(10'000)) < 40 * seconds_for(list(1000)));
}
