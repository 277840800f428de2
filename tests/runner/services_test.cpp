// Services of a stage, from their start to their end, on the fake engine.
#include "runner/kept_stages.hpp"
#include "runner/single_run.hpp"

#include <algorithm>

using namespace gantry;
using namespace gantry::test;
using namespace std::chrono_literals;
using pipeline::Condition;
using runner::Cause;
using runner::State;
using Kind = runner::RunEvent::Kind;
using Names = std::vector<std::string>;

namespace {

pipeline::Service service(const std::string& name)
{
    pipeline::Service result;
    result.name = name;
    result.container.image = pipeline::Text("postgres");
    return result;
}

pipeline::Service checked(pipeline::Service service)
{
    service.container.healthcheck.emplace();
    service.container.healthcheck->test = {"CMD", "check"};
    service.container.healthcheck->interval = 1s;
    service.container.healthcheck->retries = 5;
    return service;
}

pipeline::ContainerFile file_from(const std::string& source, const std::string& target)
{
    pipeline::ContainerFile file;
    file.source = source;
    file.target = pipeline::Text(target);
    return file;
}

pipeline::Service after(const std::string& other, Condition condition, pipeline::Service service)
{
    pipeline::Dependency dependency;
    dependency.service = other;
    dependency.condition = condition;
    service.container.depends_on.push_back(dependency);
    return service;
}

pipeline::PlanStep step_after(const std::string& other, Condition condition)
{
    auto result = step("one");
    result.container.depends_on = after(other, condition, {}).container.depends_on;
    return result;
}

pipeline::Plan plan_with(std::vector<pipeline::Service> services, std::vector<pipeline::PlanStep> steps = {step("one")})
{
    auto result = stage("a", {}, std::move(steps));
    result.services = std::move(services);
    return plan_of({std::move(result)});
}

// A run with services. What each container does is looked up by its gantry.step: "services/db", "one".
struct ServiceFixture : SingleRun {
    explicit ServiceFixture(pipeline::Plan the_plan) : SingleRun(std::move(the_plan))
    {
        engine.on_start([this](const engine::ContainerSpec& spec) {
            const auto& step = spec.labels.at("gantry.step");
            auto does = behaviours[step];
            const bool has_own = does.runs_for.count() > 0 || does.exit_code != 0 || does.oom_killed;
            does.never_ends = does.never_ends || (step.starts_with("services/") && !has_own && !ends.contains(step));
            return does;
        });
    }

    // Services and steps in the order in which they began: a step's container may be there before.
    Names began() const
    {
        Names names;
        for (const auto& event : process->events)
            if (event.kind == Kind::service_started || event.kind == Kind::step_started)
                names.push_back(event.step);
        return names;
    }
    // Kinds of the service's events, in their order.
    std::vector<Kind> told(const std::string& name) const
    {
        std::vector<Kind> kinds;
        for (const auto& event : process->events)
            if (event.step == "services/" + name)
                kinds.push_back(event.kind);
        return kinds;
    }

    std::chrono::nanoseconds ready_after(const std::string& name) const
    {
        for (const auto& event : process->events)
            if (event.kind == Kind::service_ready && event.step == "services/" + name)
                return event.duration;
        throw std::runtime_error("service " + name + " never got ready");
    }

    std::map<std::string, engine::FakeBehaviour> behaviours;
    std::set<std::string> ends; // services that exit 0 at once
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
    const auto ready = std::find_if(fixture.process->events.begin(), fixture.process->events.end(),
                                    [](const auto& event) { return event.kind == Kind::service_ready; });
    CHECK(ready->duration >= 3s);
    CHECK(ready->duration < 3600ms);
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

TEST_CASE("a log that cannot be written at the end of a service ends nothing but the log", "[services]")
{
    ServiceFixture fixture(plan_with({service("db")}));
    fixture.options.secrets = {{"TOKEN", Secret("hunter22")}};
    fixture.behaviours["services/db"].output = "hun"; // held back until the end: it may become the secret
    fixture.unwritable = "hun";

    const auto summary = fixture.run();

    CHECK(summary.state == State::success);
    CHECK(fixture.told("db").back() == Kind::service_finished);
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
    const auto ready = std::find_if(fixture.process->events.begin(), fixture.process->events.end(),
                                    [](const auto& event) { return event.kind == Kind::service_ready; });
    CHECK(ready->duration == 2s);
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
        const auto ready = std::find_if(fixture.process->events.begin(), fixture.process->events.end(),
                                        [](const auto& event) { return event.kind == Kind::service_ready; });
        return ready->duration;
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

TEST_CASE("an image that cannot be had fails the stage of its service", "[services]")
{
    ServiceFixture fixture(plan_with({service("db")}));
    fixture.engine.only_images({"busybox"});
    const auto summary = fixture.run();
    CHECK(summary.cause == Cause::image_error);
    CHECK(summary.stages.at(0).message.starts_with("service db: "));
}
