// Services of a stage, from their start to their end, on the fake engine.
#include "runner/service_fixture.hpp"

#include <algorithm>
#include <optional>

using namespace gantry;
using namespace gantry::test;
using namespace std::chrono_literals;
using pipeline::Condition;
using runner::Cause;
using runner::State;
using Kind = runner::RunEvent::Kind;
using Names = std::vector<std::string>;

namespace {

pipeline::ContainerFile file_from(const std::string& source, const std::string& target)
{
    pipeline::ContainerFile file;
    file.source = source;
    file.target = pipeline::Text(target);
    return file;
}

Names signals_to_service(const SingleRun& run, const std::string& name)
{
    Names signals;
    for (const auto& call : run.engine.calls())
        if (call.operation == "kill_container" && call.object.find("services-" + name) != std::string::npos)
            signals.push_back(call.detail);
    return signals;
}

// Its service has much time to end, and ends by SIGKILL alone; its step does not end by itself. Both have begun.
struct StubbornService : ServiceFixture {
    StubbornService() : ServiceFixture(plan_with({patient(test::service("db"))}))
    {
        behaviours["services/db"].ignores_signals = true;
        behaviours["one"].never_ends = true;
        begin();
        drive(loop, clock, [this] { return began().size() == 2; });
    }

    static pipeline::Service patient(pipeline::Service service)
    {
        service.container.stop_grace_period = 10min;
        return service;
    }
};

} // namespace

TEST_CASE("a step starts when the service of its stage is ready", "[services]")
{
    ServiceFixture fixture(plan_with({checked(service("db"))}));
    fixture.behaviours["services/db"].healthy_after = 3s;
    fixture.behaviours["services/db"].output = "listening\n";

    const auto summary = fixture.run();

    CHECK(summary.state == State::success);
    CHECK(fixture.began() == Names{"services/db", "one"});
    CHECK(fixture.told("db") == std::vector{Kind::service_started, Kind::service_ready, Kind::service_finished});
    CHECK(fixture.ready_after("db") >= 3s);
    CHECK(fixture.ready_after("db") < 3600ms);
    REQUIRE(summary.stages.at(0).services.size() == 1);
    CHECK(summary.stages.at(0).services[0].state == State::success);
    CHECK(fixture.store->read_log(fixture.id, {"a", "services/db", 1}, 0, 100) == "listening\n");
}

TEST_CASE("a service is found by its name, its aliases and what others link to it by, on the network of its stage",
          "[services]")
{
    auto db = service("db");
    db.container.networks.push_back({"default", {"database"}, {}, {}, {}});
    auto web = service("web");
    web.container.links = {{"db", "store", {}}, {"db", "db", {}}};
    auto one = step("one");
    one.container.links = {{"db", "records", {}}, {"db", "store", {}}};
    ServiceFixture fixture(plan_with({web, db}, {one}));
    fixture.run();

    CHECK(fixture.began() == Names{"services/db", "services/web", "one"}); // what is linked to comes first
    const auto calls = fixture.engine.calls();
    const auto created = std::find_if(calls.begin(), calls.end(), [](const auto& call) {
        return call.operation == "create_container" && call.object.find("services-db") != std::string::npos;
    });
    REQUIRE(created != calls.end());
    const auto* spec = fixture.engine.spec_of(created->object);
    REQUIRE(spec->endpoints.size() == 1);
    CHECK(spec->endpoints[0].aliases == Names{"db", "database", "records", "store"});
    CHECK(spec->endpoints[0].network.find("-a.net") != std::string::npos);
    CHECK(spec->labels.at("gantry.step") == "services/db");
}

TEST_CASE("a log that cannot be written at the end of a service ends nothing but the log", "[services]")
{
    ServiceFixture fixture(plan_with({service("db")}));
    fixture.options.secrets = {{"TOKEN", Secret("hunter22")}};
    fixture.behaviours["services/db"].output = "hun"; // held back until the end: it may become the secret
    fixture.unwritable = "hun";

    const auto summary = fixture.run();

    CHECK(summary.state == State::success);
    CHECK(fixture.told("db").back() == Kind::service_finished);
    CHECK(fixture.store->read_log(fixture.id, {"a", "services/db", 1}, 0, 100).empty());
}

TEST_CASE("what may become a secret is in a service's log when its end shows that it does not", "[services]")
{
    ServiceFixture fixture(plan_with({service("db")}));
    fixture.options.secrets = {{"TOKEN", Secret("hunter22")}};
    fixture.behaviours["services/db"].output = "hun";

    const auto summary = fixture.run();

    CHECK(fixture.store->read_log(fixture.id, {"a", "services/db", 1}, 0, 100) == "hun");
    CHECK(summary.stages.at(0).services.at(0).log_bytes == 3);
}

TEST_CASE("a service that cannot be killed does not keep its run from ending, and is told", "[services]")
{
    ServiceFixture fixture(plan_with({service("db")}));
    const auto is_of_db = [](const engine::FakeCall& call) { return call.object.find("services-db") != std::string::npos; };
    fixture.engine.on_call([&](const engine::FakeCall& call) {
        if (is_of_db(call) && (call.operation == "kill_container" || call.operation == "remove"))
            throw Error(Errc::timed_out, "no answer");
    });
    const auto begun = fixture.clock.now();
    auto& process = fixture.begin();
    drive(fixture.loop, fixture.clock, [&process] { return process.has_ended(); });
    process.die();

    CHECK(fixture.clock.now() - begun < 5min);
    const auto summary = fixture.store->summary(fixture.id);
    CHECK(summary.state == State::success);
    CHECK(summary.stages.at(0).services.at(0).cause == Cause::engine_lost);
    CHECK(fixture.told("db").back() == Kind::service_finished);
}

TEST_CASE("a service that only its removal ends has ended well", "[services]")
{
    ServiceFixture fixture(plan_with({service("db")}));
    fixture.engine.on_call([](const engine::FakeCall& call) {
        if (call.operation == "kill_container")
            throw Error(Errc::timed_out, "no answer");
    });

    const auto summary = fixture.run();

    CHECK(summary.stages.at(0).services.at(0).state == State::success);
    CHECK(fixture.told("db").back() == Kind::service_finished);
}

TEST_CASE("nothing is written to a service's log behind its end", "[services]")
{
    ServiceFixture fixture(plan_with({service("db")}));
    auto& db = fixture.behaviours["services/db"];
    db.output = "hunter22\n";
    db.runs_for = 1s;
    fixture.behaviours["one"].runs_for = 60s;
    fixture.engine.on_latency([](const engine::FakeCall& call) -> std::chrono::nanoseconds {
        return call.operation == "read_all" && call.object.find("services-db") != std::string::npos ? 40s : 0s;
    });

    const auto summary = fixture.run();

    const auto log = fixture.store->read_log(fixture.id, {"a", "services/db", 1}, 0, 100);
    CHECK(log.size() == summary.stages.at(0).services.at(0).log_bytes);
    REQUIRE(summary.warnings.size() == 1);
    CHECK_THAT(summary.warnings.at(0).message, ContainsSubstring("a: service db: its output stayed open"));
}

TEST_CASE("a service that ends before it is ready fails its stage at once", "[services]")
{
    ServiceFixture fixture(plan_with({checked(service("db")), service("other")}));
    auto& db = fixture.behaviours["services/db"];
    db.healthy_after = 60s;
    db.runs_for = 1s;
    db.exit_code = 3;
    db.error_output = "no such folder\n";

    const auto summary = fixture.run();

    CHECK(summary.cause == Cause::service_unhealthy);
    CHECK(summary.stages.at(0).message.starts_with("service db ended before it was ready: exit code 3"));
    CHECK(summary.stages.at(0).services.at(0).exit_code == 3);
    CHECK(fixture.store->read_log(fixture.id, {"a", "services/db", 1}, 0, 100) == "no such folder\n");
}

TEST_CASE("a file that is not in the workspace is a mistake of the file", "[services]")
{
    auto db = service("db");
    db.files = {file_from("db/shcema.sql", "/init.sql")};
    ServiceFixture fixture(plan_with({db}));

    const auto summary = fixture.run();

    CHECK(summary.cause == Cause::config_error);
    CHECK_THAT(summary.stages.at(0).message, ContainsSubstring("service db: files: there is no 'db/shcema.sql' in the workspace"));
    CHECK(fixture.began().empty());
}

TEST_CASE("what a Compose file binds and is not in the workspace is an empty folder, and is told", "[services]")
{
    auto db = service("db");
    db.files = {file_from("data", "/var/lib/data")};
    db.files[0].mark = {1, 3, 5}; // the stage is in file 0
    ServiceFixture fixture(plan_with({db}));

    const auto summary = fixture.run();

    CHECK(summary.state == State::success);
    REQUIRE(summary.warnings.size() == 1);
    CHECK(summary.warnings.at(0).message == "a: service db: there is no 'data' in the workspace, and so /var/lib/data is an empty folder");
}

TEST_CASE("a service that dies under a step stops the step", "[services]")
{
    ServiceFixture fixture(plan_with({service("db")}));
    auto& db = fixture.behaviours["services/db"];
    db.runs_for = 5s;
    db.oom_killed = true;
    db.exit_code = 137;
    fixture.behaviours["one"].never_ends = true;

    const auto summary = fixture.run();

    const auto& stage = summary.stages.at(0);
    CHECK(stage.cause == Cause::service_unhealthy);
    CHECK(stage.message == "service db ended while it was needed: out of memory");
    CHECK(stage.steps.at(0).state == State::error);
    CHECK(stage.steps.at(0).cause == Cause::service_unhealthy);
}

TEST_CASE("how a service ended is told of it, and of the stage that needed it", "[services]")
{
    struct End {
        int exit_code;
        std::string message;
        std::optional<int> signal;
        std::string error = {};
    };
    const std::vector<End> ends{
        {3, "exit code 3", {}}, {128, "exit code 128", {}}, {139, "signal 11", 11}, {159, "signal 31", 31}, {160, "exit code 160", {}},
        {139, "the runtime is gone", {}, "the runtime is gone"}};
    for (const auto& end : ends) {
        ServiceFixture fixture(plan_with({service("db")}));
        fixture.behaviours["services/db"].runs_for = 5s;
        fixture.behaviours["services/db"].exit_code = end.exit_code;
        fixture.behaviours["services/db"].exit_error = end.error;
        fixture.behaviours["one"].never_ends = true;

        const auto summary = fixture.run();

        const auto& stage = summary.stages.at(0);
        CHECK(stage.cause == Cause::service_unhealthy);
        CHECK(stage.message == "service db ended while it was needed: " + end.message);
        const auto& db = stage.services.at(0);
        CHECK(db.state == State::error);
        CHECK(db.cause == Cause::service_unhealthy);
        CHECK(db.message == stage.message);
        CHECK(db.exit_code == end.exit_code);
        CHECK(db.signal == end.signal);
    }
}

TEST_CASE("a service whose engine went away is not said to have ended", "[services]")
{
    ServiceFixture fixture(plan_with({checked(service("db"))}));
    fixture.behaviours["services/db"].healthy_after = 60s;
    fixture.begin();
    run_to_end(fixture.loop, fixture.clock, fixture.clock.sleep_for(1s));
    fixture.engine.go_away();
    run_to_end(fixture.loop, fixture.clock, fixture.clock.sleep_for(30s));
    fixture.engine.come_back(true); // so that it can be cleaned up

    const auto summary = fixture.finish();

    const auto& stage = summary.stages.at(0);
    CHECK(stage.cause == Cause::engine_lost);
    CHECK(stage.message == "service db: fake engine: it cannot be reached");
    const auto& db = stage.services.at(0);
    CHECK(db.state == State::error);
    CHECK(db.cause == Cause::engine_lost);
    CHECK(db.message == stage.message);
    CHECK_FALSE(db.exit_code);
    CHECK_FALSE(db.signal);
}

TEST_CASE("a service that ends with 0 and had nothing to prove is no failure", "[services]")
{
    ServiceFixture fixture(plan_with({service("seed")}));
    fixture.ends = {"services/seed"};
    CHECK(fixture.run().state == State::success);
}

TEST_CASE("services wait for each other as depends_on says", "[services]")
{
    ServiceFixture fixture(plan_with({after("seed", Condition::service_completed_successfully, service("web")),
                               after("db", Condition::service_healthy, service("seed")), checked(service("db"))}));
    fixture.behaviours["services/db"].healthy_after = 2s;
    fixture.behaviours["services/seed"].runs_for = 3s;

    const auto summary = fixture.run();

    CHECK(summary.state == State::success);
    CHECK(fixture.began() == Names{"services/db", "services/seed", "services/web", "one"});
    // They go in reverse.
    std::vector<std::string> kills;
    for (const auto& call : fixture.engine.calls())
        if (call.operation == "kill_container")
            kills.push_back(call.object.find("web") != std::string::npos ? "web" : "db");
    CHECK(kills == Names{"web", "db"});
}

TEST_CASE("a service that shares another's network is made when that one runs", "[services]")
{
    auto side = service("side");
    side.container.network_mode = "service:db";
    side.container.volumes_from = {"db:ro"};
    ServiceFixture fixture(plan_with({side, service("db")}));

    CHECK(fixture.run().state == State::success);

    CHECK(fixture.began() == Names{"services/db", "services/side", "one"});
    const auto calls = fixture.engine.calls();
    const auto of = [&](const std::string& name) {
        return std::find_if(calls.begin(), calls.end(), [&](const auto& call) {
            return call.operation == "create_container" && call.object.find(name) != std::string::npos;
        });
    };
    const auto* spec = fixture.engine.spec_of(of("services-side")->object);
    CHECK(spec->network_container == of("services-db")->object);
    CHECK(spec->volumes_from == Names{of("services-db")->object + ":ro"});
}

TEST_CASE("a service that had to end well and did not fails the stage", "[services]")
{
    ServiceFixture fixture(plan_with({after("seed", Condition::service_completed_successfully, service("web")), service("seed")}));
    fixture.behaviours["services/seed"].runs_for = 1s;
    fixture.behaviours["services/seed"].exit_code = 1;

    const auto summary = fixture.run();

    CHECK(summary.cause == Cause::service_unhealthy);
    CHECK(fixture.began() == Names{"services/seed"});
}

TEST_CASE("steps wait for the end of a service that one of them depends on", "[services]")
{
    const auto reader = step_after("seed", Condition::service_completed_successfully);
    ServiceFixture fixture(plan_with({service("seed")}, {reader}));
    fixture.behaviours["services/seed"].runs_for = 3s;

    const auto summary = fixture.run();

    CHECK(summary.state == State::success);
    std::vector<Kind> order;
    for (const auto& event : fixture.process->events)
        if (event.kind == Kind::service_finished || event.kind == Kind::step_started)
            order.push_back(event.kind);
    CHECK(order == std::vector<Kind>{Kind::service_finished, Kind::step_started});
}

TEST_CASE("a step that depends on the end of a service sees no failed one", "[services]")
{
    const auto reader = step_after("seed", Condition::service_completed_successfully);
    ServiceFixture fixture(plan_with({service("seed")}, {reader}));
    fixture.behaviours["services/seed"].exit_code = 4;

    const auto summary = fixture.run();

    CHECK(summary.cause == Cause::service_unhealthy);
    CHECK(fixture.began() == Names{"services/seed"});
}

TEST_CASE("a stage that is cancelled while its services come up lets go of them", "[services]")
{
    ServiceFixture fixture(plan_with({checked(service("db"))}));
    fixture.behaviours["services/db"].healthy_after = 60s;
    fixture.behaviours["services/db"].ignores_signals = true;
    auto& process = fixture.begin();
    drive(fixture.loop, fixture.clock, [&] { return !fixture.began().empty(); });
    process.cancel(false, fixture.clock.now());

    const auto summary = fixture.finish();
    CHECK(summary.state == State::cancelled);
    CHECK(fixture.began() == Names{"services/db"});
}

TEST_CASE("a second cancel ends the grace that services have", "[services]")
{
    StubbornService fixture;
    fixture.process->cancel(false, fixture.clock.now());
    drive(fixture.loop, fixture.clock, [&] { return !signals_to_service(fixture, "db").empty(); });
    const auto again = fixture.clock.now();
    fixture.process->cancel(true, again);

    const auto summary = fixture.finish();

    CHECK(summary.state == State::cancelled);
    CHECK(fixture.clock.now() - again < 10s);
    CHECK(signals_to_service(fixture, "db") == Names{"SIGTERM", "SIGKILL"});
}

TEST_CASE("services have no grace in a run that is to end at once", "[services]")
{
    StubbornService fixture;
    const auto asked = fixture.clock.now();
    fixture.process->cancel(true, asked);

    const auto summary = fixture.finish();

    CHECK(summary.state == State::cancelled);
    CHECK(fixture.clock.now() - asked < 10s);
    CHECK(signals_to_service(fixture, "db") == Names{"SIGKILL"});
}

TEST_CASE("an image that cannot be had fails the stage of its service", "[services]")
{
    ServiceFixture fixture(plan_with({service("db")}));
    fixture.engine.only_images({"busybox"});
    const auto summary = fixture.run();
    CHECK(summary.cause == Cause::image_error);
    CHECK(summary.stages.at(0).message.starts_with("service db: "));
}
