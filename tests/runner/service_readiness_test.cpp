// When a service counts as ready, and what is told of one that does not get there, on the fake engine.
#include "runner/service_fixture.hpp"

using namespace gantry;
using namespace gantry::test;
using namespace std::chrono_literals;
using pipeline::Condition;
using runner::Cause;
using runner::State;
using Kind = runner::RunEvent::Kind;
using Names = std::vector<std::string>;

TEST_CASE("a service that does not get healthy fails its stage with what its probe said", "[services]")
{
    ServiceFixture fixture(plan_with({checked(service("db"))}));
    fixture.behaviours["services/db"].unhealthy = true;
    fixture.engine.on_exec([](const std::string&, const engine::ExecSpec& spec) {
        CHECK(spec.command == Names{"check"});
        engine::FakeBehaviour does;
        does.output = "trying\nno response\n";
        does.exit_code = 2;
        return does;
    });

    const auto summary = fixture.run();

    CHECK(summary.state == State::error);
    CHECK(summary.cause == Cause::service_unhealthy);
    const auto& stage = summary.stages.at(0);
    CHECK(stage.message == "service db was not ready after 5s: its healthcheck says exit code 2: no response");
    CHECK(stage.steps.at(0).state == State::skipped);
    CHECK(stage.services.at(0).state == State::error);
    CHECK(fixture.began() == Names{"services/db"});
}

TEST_CASE("a healthcheck that hangs is given up after its timeout, and tried again", "[services]")
{
    auto db = checked(service("db"));
    db.container.healthcheck->timeout = 2s;
    ServiceFixture fixture(plan_with({db}));
    fixture.behaviours["services/db"].healthy_after = 60s; // as the engine's own probes would tell
    int probes = 0;
    fixture.engine.on_exec([&probes](const std::string&, const engine::ExecSpec&) {
        ++probes;
        engine::FakeBehaviour does;
        does.never_ends = true;
        return does;
    });

    const auto summary = fixture.run();

    CHECK(summary.stages.at(0).message == "service db was not ready after 15s: its healthcheck says no answer within 2s"); // 5 × (1s + 2s)
    CHECK(probes == 8);
}

TEST_CASE("a finally-step sees what a service that did not get ready has left", "[services]")
{
    auto tidy = step("logs");
    tidy.in_finally = true;
    ServiceFixture fixture(plan_with({checked(service("db"))}, {step("one"), tidy}));
    fixture.behaviours["services/db"].unhealthy = true;
    fixture.engine.on_exec([](const std::string&, const engine::ExecSpec&) {
        engine::FakeBehaviour does;
        does.exit_code = 1;
        return does;
    });

    const auto summary = fixture.run();

    CHECK(summary.cause == Cause::service_unhealthy);
    CHECK(fixture.began() == Names{"services/db", "logs"});
    CHECK(summary.stages.at(0).steps.at(0).state == State::skipped);
    CHECK(summary.stages.at(0).steps.at(1).state == State::success);
}

TEST_CASE("what the engine says of a service's health counts while our own probe hangs", "[services]")
{
    auto db = checked(service("db"));
    db.container.healthcheck->timeout = 30s;
    ServiceFixture fixture(plan_with({db}));
    fixture.behaviours["services/db"].healthy_after = 1s;
    fixture.engine.on_exec([](const std::string&, const engine::ExecSpec&) {
        engine::FakeBehaviour does;
        does.never_ends = true;
        return does;
    });

    const auto summary = fixture.run();

    CHECK(summary.state == State::success);
    CHECK(fixture.ready_after("db") < 2s);
}

TEST_CASE("services come up side by side, and one that is ready from the start is asked at once", "[services]")
{
    ServiceFixture fixture(plan_with({checked(service("db")), checked(service("queue")), checked(service("web"))}));
    fixture.behaviours["services/db"].healthy_after = 3s;
    fixture.behaviours["services/queue"].healthy_after = 3s;
    const auto begun = fixture.clock.now();

    CHECK(fixture.run().state == State::success);

    CHECK(fixture.ready_after("web") == 0s);
    CHECK(fixture.ready_after("db") >= 3s);
    CHECK(fixture.ready_after("queue") >= 3s);
    CHECK(fixture.clock.now() - begun < 5s);
}

TEST_CASE("a step cannot wait for the health of a service that has no check", "[services]")
{
    const auto reader = step_after("db", Condition::service_healthy);
    const auto summary = ServiceFixture(plan_with({service("db")}, {reader})).run();

    CHECK(summary.cause == Cause::config_error);
    CHECK_THAT(summary.stages.at(0).message, ContainsSubstring("step one waits until db is healthy"));
}

TEST_CASE("nobody can wait for the health of a service that has no check", "[services]")
{
    ServiceFixture fixture(plan_with({after("db", Condition::service_healthy, service("web")), service("db")}));
    const auto summary = fixture.run();
    CHECK(summary.cause == Cause::config_error);
    CHECK(summary.stages.at(0).message ==
          "service web waits until db is healthy, and neither its image nor the file says how to find out");
}

TEST_CASE("a line of its output can make a service ready", "[services]")
{
    auto db = checked(service("db")); // healthy at once, which does not count beside `ready`
    db.ready.emplace();
    db.ready->log = "ready to accept";
    ServiceFixture fixture(plan_with({db}));
    auto& does = fixture.behaviours["services/db"];
    does.output = "ready";
    does.says = {{1s, engine::Stream::out, " to acc"}, {2s, engine::Stream::out, "ept\nmore"}};

    const auto summary = fixture.run();

    CHECK(summary.state == State::success);
    CHECK(fixture.ready_after("db") == 2s);
}

TEST_CASE("a line without an end makes a service ready where its end cannot matter", "[services]")
{
    const auto ready_after = [](const char* pattern, const char* first, const char* second) {
        auto db = service("db");
        db.ready.emplace();
        db.ready->log = pattern;
        ServiceFixture fixture(plan_with({db}));
        fixture.behaviours["services/db"].says = {{1s, engine::Stream::out, first}, {2s, engine::Stream::out, second}};
        CHECK(fixture.run().state == State::success);
        return fixture.ready_after("db");
    };
    CHECK(ready_after("prompt> ", "welcome\nprompt> ", "") == 1s);
    CHECK(ready_after("port 80$", "port 80", "80\nport 80\n") == 2s);
    CHECK(ready_after("port\\b", "port", "s\nport 80\n") == 2s);
    const auto wide = std::string(2000, '.'); // is looked at when it ends
    CHECK(ready_after("up", (wide + "up").c_str(), "\n") == 2s);
}

TEST_CASE("a line that never comes is named", "[services]")
{
    auto db = checked(service("db"));
    db.ready.emplace();
    db.ready->log = "^up$";
    ServiceFixture fixture(plan_with({db}));
    fixture.behaviours["services/db"].output = "upwards\n";

    const auto summary = fixture.run();

    CHECK(summary.stages.at(0).message == "service db was not ready after 5s: its output has no line that matches ^up$");
}

TEST_CASE("probe: declared leaves it to the engine", "[services]")
{
    auto db = checked(service("db"));
    db.probe = "declared";
    ServiceFixture fixture(plan_with({db}));
    fixture.behaviours["services/db"].healthy_after = 4s;
    fixture.engine.on_exec([](const std::string&, const engine::ExecSpec&) -> engine::FakeBehaviour {
        FAIL("probed");
        return {};
    });
    CHECK(fixture.run().state == State::success);
}

TEST_CASE("what became of a service's health while the engine could not be heard is asked for when it is back", "[services]")
{
    auto db = checked(service("db"));
    db.probe = "declared";
    // A step with a condition is not made ahead: one that was made would be lost with the engine.
    ServiceFixture fixture(plan_with({db}, {when("success()", step("one"))}));
    fixture.behaviours["services/db"].healthy_after = 2s;
    // Its end is awaited on another connection than its events, one that takes longer to see that the engine was gone.
    fixture.engine.on_latency([](const engine::FakeCall& call) -> std::chrono::nanoseconds {
        return call.operation == "wait_container" && call.object.find("services-db") != std::string::npos ? 20s : 0s;
    });
    fixture.begin();
    run_to_end(fixture.loop, fixture.clock, fixture.clock.sleep_for(1s));
    fixture.engine.go_away();
    run_to_end(fixture.loop, fixture.clock, fixture.clock.sleep_for(2s));
    CHECK(fixture.told("db") == std::vector{Kind::service_started});
    fixture.engine.come_back(true);

    const auto summary = fixture.finish();

    CHECK(summary.state == State::success);
    CHECK(fixture.ready_after("db") == 3s);
}
