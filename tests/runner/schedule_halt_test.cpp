// The rules of schedule.hpp about timeouts and cancelling.
#include "runner/schedule_driver.hpp"
#include "support/catch.hpp"
#include "support/plan_builder.hpp"

using namespace gantry;
using namespace gantry::test;
using namespace std::chrono_literals;
using runner::Cause;
using runner::State;
using Names = std::vector<std::string>;

namespace {

pipeline::PlanStep limited(pipeline::Duration timeout, pipeline::PlanStep step)
{
    step.timeout = timeout;
    return step;
}

} // namespace

TEST_CASE("a step's timeout counts from the start of its process and stops it", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {limited(10s, step("one")), step("two")})}));

    run.begin().pass(60s); // pulls its image
    CHECK(run.stops.empty());
    run.begins("a/one").pass(9s);
    CHECK(run.stops.empty());
    run.pass(1s);
    CHECK(run.stops == Names{"a/one"});
    run.ends("a/one", Cause::killed_by_signal, 143);

    CHECK(run.state("a/one") == State::timed_out);
    CHECK(run.finished("a/one").message == "step timeout of 10s");
    CHECK(run.finished("a/one").exit_code == 143);
    CHECK(run.state("a/two") == State::skipped);
    CHECK(run.finishes.at(0).state == State::timed_out);
    CHECK(run.timers.empty());
}

TEST_CASE("a step that ends in time disarms its timers", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {limited(10s, step("one")), step("two")})}));

    run.begin().begins("a/one").ends("a/one").pass(60s);

    CHECK(run.stops.empty());
    CHECK(run.timers.empty());
    CHECK(run.state("a/two") == State::running);
}

TEST_CASE("a step whose process has ended in time is not timed out while its output is still read", "[schedule]")
{
    auto one = limited(10s, step("one"));
    one.idle_timeout = 5s;
    ScheduleDriver run(plan_of({stage("a", {}, {one, step("two")})}));

    run.begin().begins("a/one").pass(4s).exits("a/one").pass(60s);
    CHECK(run.stops.empty());
    CHECK(run.timers.empty());
    run.begins("a/one").pass(60s); // told late
    CHECK(run.stops.empty());
    run.ends("a/one", Cause::failed, 7);

    CHECK(run.state("a/one") == State::failure);
}

TEST_CASE("the timeouts of stage and run count also when a step's process has ended", "[schedule]")
{
    auto a = stage("a", {}, {step("one")});
    a.timeout = 10s;
    ScheduleDriver run(plan_of({a}));

    run.begin().begins("a/one").pass(4s).exits("a/one").pass(6s);
    CHECK(run.stops == Names{"a/one"});
    run.ends("a/one");

    CHECK(run.state("a/one") == State::timed_out);
}

TEST_CASE("a further attempt has timers of its own", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {retried(1, limited(10s, step("one")))})}));

    run.begin().begins("a/one").exits("a/one").ends("a/one", Cause::failed, 1);
    run.begins("a/one").pass(10s);

    CHECK(run.stops == Names{"a/one"});
}

TEST_CASE("a step's own timeout can be retried and allowed", "[schedule]")
{
    auto flaky = may_fail(retried(1, limited(10s, step("one"))));
    flaky.retry.when = {"timeout"};
    ScheduleDriver run(plan_of({stage("a", {}, {flaky, step("two")})}));

    run.begin().begins("a/one").pass(10s).ends("a/one", Cause::failed);
    CHECK(run.starts == Names{"a/one", "a/one"});
    run.begins("a/one").pass(10s).ends("a/one", Cause::failed).ends("a/two");

    CHECK(run.stops == Names{"a/one", "a/one"});
    CHECK(run.state("a/one") == State::timed_out);
    CHECK(run.state("a") == State::success);
}

TEST_CASE("output puts the idle timeout off", "[schedule]")
{
    auto quiet = step("one");
    quiet.idle_timeout = 10s;
    ScheduleDriver run(plan_of({stage("a", {}, {quiet})}));

    run.begin().begins("a/one");
    for (int i = 0; i < 5; ++i)
        run.pass(9s).says("a/one");
    CHECK(run.stops.empty());
    run.pass(9999ms);
    CHECK(run.stops.empty());
    run.pass(1ms);
    CHECK(run.stops == Names{"a/one"});
    run.ends("a/one");
    CHECK(run.finished("a/one").message == "no output for 10s");
    CHECK(run.state("a/one") == State::timed_out);
}

TEST_CASE("a stage's timeout stops what runs, skips the rest and still runs finally-steps", "[schedule]")
{
    auto limited_stage = stage("a", {}, {step("one"), step("two"), in_finally(when("failure()", step("logs")))});
    limited_stage.timeout = 60s;
    ScheduleDriver run(plan_of({limited_stage, stage("b", {"a"}, {step("x")})}));

    run.begin().pass(60s);
    CHECK(run.stops == Names{"a/one"});
    run.ends("a/one");
    CHECK(run.starts == Names{"a/one", "a/logs"});
    run.ends("a/logs");

    CHECK(run.state("a/one") == State::timed_out);
    CHECK(run.finished("a/two").message == "stage timeout of 1m");
    CHECK(run.state("a/two") == State::skipped);
    CHECK(run.state("a") == State::timed_out);
    CHECK(run.finished("a").message == "stage timeout of 1m");
    CHECK(run.state("b") == State::skipped);
    CHECK(run.finishes.at(0).state == State::timed_out);
}

TEST_CASE("the run's timeout stops everything, runs finally-steps and skips what has not begun", "[schedule]")
{
    auto plan = plan_of({stage("a", {}, {step("one"), in_finally(step("logs"))}), stage("b", {"a"}, {step("x")})});
    plan.timeout = 60s;
    ScheduleDriver run(plan);

    run.begin().pass(60s).ends("a/one").ends("a/logs");

    CHECK(run.state("a") == State::timed_out);
    CHECK(run.finished("a/one").message == "run timeout of 1m");
    CHECK(run.state("b") == State::skipped);
    CHECK(run.finished("b").message == "the run timed out");
    CHECK(run.finishes.at(0).state == State::timed_out);
}

TEST_CASE("the outermost timeout that expired is named", "[schedule]")
{
    auto limited_stage = stage("a", {}, {limited(30s, step("one"))});
    limited_stage.timeout = 32s;
    auto plan = plan_of({limited_stage});
    plan.timeout = 34s;
    ScheduleDriver run(plan);

    run.begin().begins("a/one").pass(31s); // its grace is long
    CHECK(run.stops == Names{"a/one"});
    run.pass(2s);
    SECTION("the stage's")
    {
        run.ends("a/one");
        CHECK(run.finished("a/one").message == "stage timeout of 32s");
    }
    SECTION("the run's")
    {
        run.pass(2s).ends("a/one");
        CHECK(run.finished("a/one").message == "run timeout of 34s");
        CHECK(run.finished("a").message == "run timeout of 34s");
    }
    CHECK(run.stops == Names{"a/one"}); // once is enough
}

TEST_CASE("cancel stops what runs, starts only finally-steps of opened stages, and is the run's state", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), step("two"), in_finally(step("logs"))}),
                                stage("b", {"a"}, {step("x"), in_finally(step("logs"))}), when("always()", stage("c", {"a"}, {step("x")}))}));

    run.begin().cancel();
    CHECK(run.stops == Names{"a/one"});
    CHECK(run.event(runner::RunEvent::Kind::cancel_requested).message == "SIGINT");
    CHECK(run.state("a/one") == State::running); // cancelled when it has ended
    CHECK(run.state("b") == State::cancelled);
    run.ends("a/one", Cause::ok);
    CHECK(run.state("a/one") == State::cancelled);
    CHECK(run.starts == Names{"a/one", "a/logs"});
    run.ends("a/logs");

    CHECK(run.opens == Names{"a"});
    CHECK(run.state("a") == State::cancelled);
    CHECK(run.state("a/two") == State::cancelled);
    CHECK(run.state("a/logs") == State::success);
    CHECK(run.state("c") == State::cancelled);
    CHECK(run.finishes.at(0).state == State::cancelled);
    CHECK(run.finishes.at(0).cause == Cause::cancelled);
}

TEST_CASE("a second cancel, or a hard one, stops at once and runs no finally-steps", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), in_finally(step("logs")), in_finally(step("more"))})}));
    SECTION("hard from the first")
    {
        run.begin().cancel(true);
        CHECK(run.stops == Names{"a/one hard"});
        CHECK(run.event(runner::RunEvent::Kind::cancel_requested).outputs.contains("at_once"));
        run.ends("a/one");
        CHECK(run.starts == Names{"a/one"});
    }
    SECTION("during the grace of the first")
    {
        run.begin().cancel().cancel();
        CHECK(run.stops == Names{"a/one", "a/one hard"});
        run.cancel(); // no more than that
        CHECK(run.stops.size() == 2);
        run.ends("a/one");
        CHECK(run.starts == Names{"a/one"});
    }
    SECTION("while finally-steps run")
    {
        run.begin().cancel().ends("a/one").cancel();
        CHECK(run.stops == Names{"a/one", "a/logs hard"});
        run.ends("a/logs");
        CHECK(run.starts == Names{"a/one", "a/logs"});
    }
    CHECK(run.state("a/more") == State::cancelled);
    CHECK(run.finishes.at(0).state == State::cancelled);
}

TEST_CASE("a step that was stopped is not tried again, and one in back-off ends", "[schedule]")
{
    auto flaky = retried(3, step("one"));
    flaky.retry.when = {"always"};
    flaky.retry.backoff = 10s;
    ScheduleDriver run(plan_of({stage("a", {}, {flaky})}));
    SECTION("running")
    {
        run.begin().cancel().ends("a/one", Cause::failed);
    }
    SECTION("waiting for its next attempt")
    {
        run.begin().ends("a/one", Cause::failed).cancel();
    }
    CHECK(run.starts == Names{"a/one"});
    CHECK(run.state("a/one") == State::cancelled);
    CHECK(run.timers.empty());
    CHECK(run.schedule.finished());
}

TEST_CASE("a step that may still run is not tried again, and says so also when it was stopped", "[schedule]")
{
    auto flaky = retried(2, limited(10s, step("one")));
    flaky.retry.when = {"always"};
    ScheduleDriver lost(plan_of({stage("a", {}, {flaky})}));
    lost.begin().begins("a/one").is_given_up("a/one");
    CHECK(lost.starts == Names{"a/one"});
    CHECK(lost.finished("a/one").cause == Cause::engine_lost);

    ScheduleDriver stopped(plan_of({stage("a", {}, {flaky})}));
    stopped.begin().begins("a/one").pass(10s).is_given_up("a/one");
    CHECK(stopped.starts == Names{"a/one"});
    CHECK(stopped.finished("a/one").cause == Cause::engine_lost);
    CHECK(stopped.finished("a/one").hint == "look");
    CHECK(stopped.finishes.at(0).state == State::error);
}

TEST_CASE("after its stage's timeout a step is not tried again, its finally-steps are", "[schedule]")
{
    auto flaky = retried(3, step("one"));
    flaky.retry.when = {"always"};
    auto tidy = in_finally(retried(1, step("tidy")));
    auto limited_stage = stage("a", {}, {flaky, tidy});
    limited_stage.timeout = 60s;
    SECTION("running")
    {
        ScheduleDriver run(plan_of({limited_stage}));
        run.begin().pass(60s).ends("a/one", Cause::failed).ends("a/tidy", Cause::failed).ends("a/tidy");
        CHECK(run.starts == Names{"a/one", "a/tidy", "a/tidy"});
        CHECK(run.state("a/one") == State::timed_out);
        CHECK(run.state("a/tidy") == State::success);
        CHECK(run.state("a") == State::timed_out);
    }
    SECTION("waiting for its next attempt")
    {
        limited_stage.steps[0].retry.backoff = 50s;
        ScheduleDriver run(plan_of({limited_stage}));
        run.begin().pass(20s).ends("a/one", Cause::failed).pass(40s);
        CHECK(run.starts == Names{"a/one", "a/tidy"});
        CHECK(run.state("a/one") == State::timed_out);
        CHECK(run.finished("a/one").message == "stage timeout of 1m");
        run.ends("a/tidy");
        CHECK(run.schedule.finished());
    }
}

TEST_CASE("a step that waits for a slot is cancelled without having run", "[schedule]")
{
    runner::ScheduleOptions options;
    options.slots = 1;
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), beside(step("two"))})}), options);

    run.begin().cancel();
    CHECK(run.state("a/two") == State::cancelled);
    run.ends("a/one");
    CHECK(run.starts == Names{"a/one"});
    CHECK(run.schedule.finished());
}

TEST_CASE("a stage that opens after the cancel runs nothing and is closed", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), in_finally(step("logs"))})}));
    run.opens_by_itself = false;

    run.begin().cancel();
    CHECK_FALSE(run.schedule.finished());
    SECTION("opened") { run.opened("a"); }
    SECTION("or not") { run.failed_to_open("a", Cause::engine_lost); }

    CHECK(run.starts.empty());
    CHECK(run.closes == Names{"a"});
    CHECK(run.state("a") == State::cancelled);
    CHECK(run.state("a/logs") == State::cancelled);
    CHECK(run.schedule.finished());
}

TEST_CASE("finally-steps after a cancel have a limit in all", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), in_finally(step("logs")), in_finally(step("more"))})}));

    run.begin().cancel().ends("a/one").pass(299s);
    CHECK(run.stops == Names{"a/one"});
    run.pass(1s);
    CHECK(run.stops == Names{"a/one", "a/logs"});
    run.ends("a/logs");

    CHECK(run.state("a/logs") == State::timed_out);
    CHECK(run.finished("a/logs").message == "finally-steps took more than 5m");
    CHECK(run.starts == Names{"a/one", "a/logs"});
    CHECK(run.finishes.at(0).state == State::cancelled);
}

TEST_CASE("a cancel while finally-steps run gives them the same limit, from then on", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), in_finally(step("logs")), in_finally(step("more"))})}));

    run.begin().ends("a/one").pass(1h).cancel().pass(299s);
    CHECK(run.stops.empty());
    run.pass(1s);
    CHECK(run.stops == Names{"a/logs"});
    run.ends("a/logs");

    CHECK(run.state("a/logs") == State::timed_out);
    CHECK(run.state("a/more") == State::cancelled);
    CHECK(run.schedule.finished());
}

TEST_CASE("without a halt finally-steps take the time they need", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), in_finally(step("logs"))})}));

    run.begin().ends("a/one").pass(24h).ends("a/logs");

    CHECK(run.stops.empty());
    CHECK(run.finishes.at(0).state == State::success);
}

TEST_CASE("a cancel while only finally-steps run leaves the stage its own end", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), in_finally(step("logs"))})}));

    run.begin().ends("a/one").cancel();
    CHECK(run.stops.empty());
    run.ends("a/logs");

    CHECK(run.state("a") == State::success);
    CHECK(run.finishes.at(0).state == State::cancelled);
}

TEST_CASE("final states do not change", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one")}), stage("b", {"a"}, {step("x")})}));

    run.begin().ends("a/one").cancel().ends("a/one", Cause::failed).ends("b/x");
    CHECK(run.state("a") == State::success);
    CHECK(run.state("a/one") == State::success);
    CHECK(run.state("b") == State::cancelled);
    const auto events = run.events.size();
    run.cancel().ends("b/x", Cause::failed).begin().closed("a").opened("a").pass(1h);
    CHECK(run.events.size() == events);
    CHECK(run.finishes.size() == 1);
}

TEST_CASE("a cancel when every stage is over changes nothing", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one")})}));
    run.closes_by_itself = false;

    run.begin().ends("a/one").cancel().closed("a");

    CHECK(run.finishes.at(0).state == State::success);
}

TEST_CASE("the run's timeout does not count what is removed after the last step", "[schedule]")
{
    auto plan = plan_of({stage("a", {}, {step("one")})});
    plan.timeout = 60s;
    ScheduleDriver run(plan);
    run.closes_by_itself = false;

    run.begin().pass(59s).ends("a/one").pass(2s).closed("a");

    CHECK(run.finishes.at(0).state == State::success);
}

TEST_CASE("a cancel before the beginning cancels everything", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one")})}));

    run.cancel().begin();

    CHECK(run.opens.empty());
    CHECK(run.state("a/one") == State::cancelled);
    CHECK(run.finishes.at(0).state == State::cancelled);
}

TEST_CASE("a service that goes away stops the steps of its stage, which end with its cause", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {retried(2, step("one")), step("two"), in_finally(step("tidy"))}),
                                stage("b", {"a"}, {step("late")}), stage("c", {}, {step("other")})}));

    run.begin().begins("a/one").loses_service("a");
    CHECK(run.stops == Names{"a/one"});
    run.loses_service("a"); // another one, with it
    run.ends("a/one", Cause::failed, 1);

    CHECK(run.state("a/one") == State::error);
    CHECK(run.finished("a/one").cause == Cause::service_unhealthy);
    CHECK(run.finished("a/one").message == "service db ended");
    CHECK(run.state("a/two") == State::skipped);
    CHECK(run.state("a/tidy") == State::running);
    CHECK(run.state("c/other") == State::running);
    run.begins("a/tidy").ends("a/tidy").begins("c/other").ends("c/other");

    CHECK(run.state("b/late") == State::skipped);
    CHECK(run.finishes.at(0).state == State::error);
    CHECK(run.finishes.at(0).cause == Cause::service_unhealthy);
}

TEST_CASE("a service that goes away before its stage is told to be open halts it when it is", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), in_finally(step("tidy"))})}));
    run.opens_by_itself = false;

    run.begin().loses_service("a");
    CHECK(run.state("a") == State::running);
    run.opened("a");
    CHECK(run.starts == Names{"a/tidy"});
    CHECK(run.state("a/one") == State::skipped);
    run.begins("a/tidy").ends("a/tidy");

    CHECK(run.finished("a").message == "service db ended");
    CHECK(run.finishes.at(0).cause == Cause::service_unhealthy);
}

TEST_CASE("a service that goes away when a step's process has ended leaves the step its own end", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), step("two")})}));

    run.begin().begins("a/one").exits("a/one").loses_service("a");
    CHECK(run.stops.empty());
    run.ends("a/one");

    CHECK(run.state("a/one") == State::success);
    CHECK(run.state("a/two") == State::skipped);
    CHECK(run.finishes.at(0).cause == Cause::service_unhealthy);
}

TEST_CASE("once only finally-steps run, a service may go", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one"), in_finally(step("tidy"))})}));

    run.begin().begins("a/one").ends("a/one").begins("a/tidy").loses_service("a");
    CHECK(run.stops.empty());
    run.ends("a/tidy");

    CHECK(run.finishes.at(0).state == State::success);
}

TEST_CASE("a full disk stops every step with its cause, finally still runs, and nothing new begins", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {retried(2, step("one")), step("two"), in_finally(step("tidy"))}),
                                stage("b", {"a"}, {step("late")}), stage("c", {}, {step("other")})}));

    run.begin().begins("a/one").begins("c/other").fills_disk();
    CHECK(run.stops == Names{"a/one", "c/other"});
    run.fills_disk(); // once is enough
    run.ends("a/one", Cause::failed, 1).ends("c/other");

    CHECK(run.state("a/one") == State::error);
    CHECK(run.finished("a/one").cause == Cause::disk_full);
    CHECK(run.finished("a/one").message == "1 GB free");
    CHECK(run.state("c/other") == State::error);
    CHECK(run.state("a/two") == State::skipped);
    CHECK(run.state("a/tidy") == State::running);
    run.begins("a/tidy").ends("a/tidy");

    CHECK(run.state("b/late") == State::skipped);
    CHECK(run.finishes.at(0).state == State::error);
    CHECK(run.finishes.at(0).cause == Cause::disk_full);
}

TEST_CASE("a cancel counts for more than a full disk", "[schedule]")
{
    ScheduleDriver run(plan_of({stage("a", {}, {step("one")})}));

    run.begin().begins("a/one").fills_disk().cancel();
    run.ends("a/one", Cause::failed, 1);

    CHECK(run.finishes.at(0).state == State::cancelled);
}
