// The shell of a run where it once went wrong: scenarios that run_simulator.cpp found.
#include "runner/kept_stages.hpp"
#include "runner/single_run.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

using namespace gantry;
using namespace gantry::test;
using namespace std::chrono_literals;
using runner::Cause;
using runner::State;
using Kind = runner::RunEvent::Kind;

namespace {

// Runs until it is killed.
auto says_and_stays(std::string words)
{
    return [words = std::move(words)](const engine::ContainerSpec&) {
        engine::FakeBehaviour behaviour;
        behaviour.output = words;
        behaviour.never_ends = true;
        return behaviour;
    };
}

} // namespace

TEST_CASE("a step whose output cannot be read to its end has neither passed nor failed", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {step("one")})}));
    fixture.engine.on_call([](const engine::FakeCall& call) {
        if (call.operation == "read_all")
            throw Error(Errc::timed_out, "no answer");
    });

    const auto summary = fixture.run();

    CHECK(summary.stages.at(0).steps.at(0).state == State::error);
    CHECK(summary.state == State::error);
}

TEST_CASE("a step whose output does not end with it has its own end, and a warning that it was cut", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {step("one")})}));
    fixture.engine.on_start([](const engine::ContainerSpec&) {
        engine::FakeBehaviour behaviour;
        behaviour.output = "too late";
        return behaviour;
    });
    fixture.engine.on_latency([](const engine::FakeCall& call) -> std::chrono::nanoseconds {
        return call.operation == "read_all" ? 20s : 0s;
    });

    const auto summary = fixture.run();

    CHECK(summary.state == State::success);
    CHECK(fixture.store->read_log(fixture.id, {"a", "one", 1}, 0, 100).empty());
    REQUIRE(summary.warnings.size() == 1);
    CHECK_THAT(summary.warnings.at(0).message, ContainsSubstring("a/one: its output stayed open"));
}

TEST_CASE("a step that is killed is killed again when the call fails", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {step("one")})}));
    fixture.engine.on_start(says_and_stays("here"));
    int kills = 0;
    fixture.engine.on_call([&kills](const engine::FakeCall& call) {
        if (call.operation == "kill_container" && ++kills < 4)
            throw Error(Errc::timed_out, "no answer");
    });
    auto& process = fixture.begin();
    drive(fixture.loop, fixture.clock, [&process] { return process.printed > 0; });
    process.cancel(false, fixture.clock.now());

    CHECK(fixture.finish().state == State::cancelled);
    CHECK(kills == 4);
}

TEST_CASE("a step is tried again when the attempt before it is gone, also where the engine was away", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {retried(1, step("one"))})}));
    std::vector<std::size_t> containers;
    fixture.engine.on_start([&](const engine::ContainerSpec& spec) {
        const auto objects = fixture.engine.objects();
        containers.push_back(static_cast<std::size_t>(std::count_if(
            objects.begin(), objects.end(), [](const auto& object) { return object.labels.contains("gantry.attempt"); })));
        engine::FakeBehaviour behaviour;
        behaviour.output = "here";
        behaviour.never_ends = spec.labels.at("gantry.attempt") == "1";
        return behaviour;
    });
    auto& process = fixture.begin();
    drive(fixture.loop, fixture.clock, [&process] { return process.printed > 0; });
    fixture.engine.go_away();
    const auto back = [&fixture]() -> awaitable<void> {
        co_await fixture.clock.sleep_for(30s);
        fixture.engine.come_back(true);
    };
    run_to_end(fixture.loop, fixture.clock, back());

    CHECK(fixture.finish().state == State::success);
    CHECK(containers == std::vector<std::size_t>{1, 1});
}

TEST_CASE("a step whose container cannot be removed is not tried again, and its container is named", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {retried(3, step("one"))})}));
    fixture.engine.on_start([](const engine::ContainerSpec&) {
        engine::FakeBehaviour behaviour;
        behaviour.never_ends = true;
        return behaviour;
    });
    std::string container;
    fixture.engine.on_call([&container](const engine::FakeCall& call) {
        if (call.operation == "wait_container")
            container = call.object;
        if (call.operation == "wait_container" || (call.operation == "remove" && call.detail == "container"))
            throw Error(Errc::unavailable, "broken pipe");
    });
    fixture.may_leave = true;
    const auto begun = fixture.clock.now();

    const auto summary = fixture.run();

    const auto& one = summary.stages.at(0).steps.at(0);
    CHECK(one.attempt == 1);
    CHECK(one.cause == Cause::engine_lost);
    CHECK_THAT(one.hint, ContainsSubstring(container));
    CHECK(fixture.clock.now() - begun < 5min);
}

TEST_CASE("a step that the engine refuses to start keeps its cause, whatever becomes of its container", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {step("one")})}));
    fixture.engine.on_call([](const engine::FakeCall& call) {
        if (call.operation == "start_container")
            throw Error(Errc::bad_input, "no such program");
        if (call.operation == "remove" && call.detail == "container")
            throw Error(Errc::unavailable, "not now");
    });
    fixture.may_leave = true;

    CHECK(fixture.run().stages.at(0).steps.at(0).cause == Cause::config_error);
}

TEST_CASE("a step that cannot be killed does not keep its run from ending", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {step("one")})}));
    fixture.engine.on_start(says_and_stays("here"));
    fixture.engine.on_call([](const engine::FakeCall& call) {
        if (call.operation == "kill_container" || (call.operation == "remove" && call.detail == "container"))
            throw Error(Errc::timed_out, "no answer");
    });
    fixture.may_leave = true;
    auto& process = fixture.begin();
    drive(fixture.loop, fixture.clock, [&process] { return process.printed > 0; });
    const auto begun = fixture.clock.now();
    process.cancel(true, begun);

    const auto summary = fixture.finish();

    CHECK(fixture.clock.now() - begun < 5min);
    CHECK(summary.state == State::cancelled);
    CHECK(summary.stages.at(0).steps.at(0).cause == Cause::engine_lost);
}

TEST_CASE("a step whose log cannot be written is killed until it has ended", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {step("one")})}));
    fixture.engine.on_start(says_and_stays("too much"));
    fixture.unwritable = "too much";
    int kills = 0;
    fixture.engine.on_call([&kills](const engine::FakeCall& call) {
        if (call.operation == "kill_container" && ++kills < 3)
            throw Error(Errc::timed_out, "no answer");
    });

    CHECK(fixture.run().cause == Cause::disk_full);
    CHECK(kills == 3);
}

TEST_CASE("a stage takes no volume away before the containers of its steps are gone", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {step("one")})}));
    fixture.engine.on_latency([](const engine::FakeCall& call) -> std::chrono::nanoseconds {
        return call.operation == "remove" && call.detail == "container" ? 4s : 0s;
    });
    std::vector<std::string> removed;
    fixture.engine.on_call([&removed](const engine::FakeCall& call) {
        if (call.operation == (call.detail == "container" ? "after remove" : "remove") && call.detail != "network")
            removed.push_back(call.detail);
    });

    fixture.run();

    REQUIRE(removed.size() > 1);
    CHECK(removed.at(0) == "container");
}

TEST_CASE("a step that timed out is kept for a shell, and ends all the same", "[run_shell]")
{
    auto slow = step("slow");
    auto quiet = step("quiet");
    slow.timeout = 5s;
    quiet.idle_timeout = 5s;
    SingleRun fixture(plan_of({stage("a", {}, {slow}), stage("b", {}, {quiet})}));
    fixture.engine.on_start(says_and_stays("here"));
    fixture.options.keep_failed = true;
    fixture.may_leave = true;

    const auto summary = fixture.run();

    for (const auto& stage : summary.stages) {
        CHECK(stage.steps.at(0).cause == Cause::timeout);
        const auto container = runner::object_name({fixture.store->instance(), fixture.id, stage.stage, stage.steps.at(0).step, 1});
        const auto status = run_to_end(fixture.loop, fixture.clock, fixture.engine.inspect_container(container));
        CHECK(status.state == engine::ContainerState::exited);
    }
}

TEST_CASE("a run that is cancelled keeps nothing for a shell", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {step("one"), in_finally(step("last"))})}));
    fixture.engine.on_start([](const engine::ContainerSpec& spec) {
        engine::FakeBehaviour behaviour;
        behaviour.output = "here";
        behaviour.never_ends = spec.labels.at("gantry.step") == "one";
        behaviour.exit_code = 1;
        return behaviour;
    });
    fixture.options.keep_failed = true;
    auto& process = fixture.begin();
    drive(fixture.loop, fixture.clock, [&process] { return process.printed > 0; });
    process.cancel(false, fixture.clock.now());

    const auto summary = fixture.finish();

    CHECK(summary.state == State::cancelled);
    CHECK(summary.stages.at(0).steps.at(1).state == State::failure);
}

TEST_CASE("a run that is cancelled does not wait for a registry that hangs", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {step("one")})}));
    fixture.engine.only_images({});
    const auto image = fixture.plan.stages[0].steps[0].container.image->literal();
    fixture.engine.images_to_pull({image});
    fixture.engine.on_latency([](const engine::FakeCall& call) -> std::chrono::nanoseconds {
        return call.operation == "pull_image" ? std::chrono::hours(1) : std::chrono::nanoseconds(0);
    });
    const auto begun = fixture.clock.now();
    auto& process = fixture.begin();
    drive(fixture.loop, fixture.clock, [&fixture] {
        const auto& calls = fixture.engine.calls();
        return std::any_of(calls.begin(), calls.end(), [](const auto& call) { return call.operation == "pull_image"; });
    });
    process.cancel(false, fixture.clock.now());

    CHECK(fixture.finish().state == State::cancelled);
    CHECK(fixture.clock.now() - begun < std::chrono::minutes(1));
}

TEST_CASE("a run that goes on says so, and begins no attempt again", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {step("one")})}));
    fixture.engine.on_start([](const engine::ContainerSpec& spec) {
        engine::FakeBehaviour behaviour;
        behaviour.output = "attempt " + spec.labels.at("gantry.attempt");
        behaviour.never_ends = spec.labels.at("gantry.attempt") == "1";
        return behaviour;
    });
    auto& first = fixture.begin();
    drive(fixture.loop, fixture.clock, [&first] { return first.printed > 0; });
    first.die();

    const auto former = fixture.store->summary(fixture.id);
    CHECK(former.interrupted);
    CHECK_FALSE(run_to_end(fixture.loop, fixture.clock,
                           runner::remove_leftovers(fixture.engine, fixture.store->instance(), fixture.id)).in_use);
    fixture.options.attempts = runner::attempts_of(former);
    fixture.options.resumed = runner::has_begun(former);
    auto& second = fixture.begin(fixture.store->reopen_run(fixture.id));

    const auto summary = fixture.finish();

    CHECK(second.events.at(0).kind == Kind::resumed);
    CHECK(summary.state == State::success);
    CHECK(summary.stages.at(0).steps.at(0).attempt == 2);
    CHECK(fixture.store->read_log(fixture.id, {"a", "one", 1}, 0, 100) == "attempt 1");
    CHECK(fixture.store->read_log(fixture.id, {"a", "one", 2}, 0, 100) == "attempt 2");
}

TEST_CASE("a run whose process died before it had begun, begins", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {step("one")})}));
    fixture.id = fixture.store->create_run(fixture.plan, {})->id();

    fixture.options.resumed = runner::has_begun(fixture.store->summary(fixture.id));
    fixture.begin(fixture.store->reopen_run(fixture.id));

    CHECK(fixture.finish().state == State::success);
    const auto events = fixture.store->events(fixture.id);
    CHECK(std::count_if(events.begin(), events.end(),
                        [](const auto& event) { return event.kind == Kind::run_started; }) == 1);
}

TEST_CASE("what cannot be removed keeps nothing else, and is left to a later command", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {step("one")})}));
    fixture.engine.on_call([](const engine::FakeCall& call) {
        if (call.operation == "remove" && call.object.ends_with("one-1"))
            throw Error(Errc::conflict, "it is in use");
    });
    fixture.may_leave = true;

    CHECK(fixture.run().state == State::success);
    std::set<engine::ObjectKind> left;
    for (const auto& object : fixture.engine.objects())
        left.insert(object.kind);
    CHECK(left == std::set{engine::ObjectKind::container, engine::ObjectKind::volume}); // which it has mounted
    CHECK(fixture.store->interrupted_runs().empty());
    CHECK(fixture.store->unclean_runs() == std::vector<std::string>{fixture.id});
}

TEST_CASE("a run that is cancelled before it begins asks the engine for nothing", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {step("one")})}));
    auto& process = fixture.begin();
    process.cancel(false, fixture.clock.now());

    CHECK(fixture.finish().state == State::cancelled);
    for (const auto& call : fixture.engine.calls())
        FAIL_CHECK(to_string(call));
}

TEST_CASE("a stage that is cancelled while it gets its files ends at once", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {step("one")})}));
    const auto is_copy = [](const engine::FakeCall& call) { return call.operation == "create_volume"; };
    fixture.engine.on_latency([is_copy](const engine::FakeCall& call) -> std::chrono::nanoseconds {
        return is_copy(call) ? std::chrono::hours(1) : std::chrono::nanoseconds(0);
    });
    const auto begun = fixture.clock.now();
    auto& process = fixture.begin();
    drive(fixture.loop, fixture.clock, [&] { return std::any_of(fixture.engine.calls().begin(), fixture.engine.calls().end(), is_copy); });
    process.cancel(false, fixture.clock.now());

    CHECK(fixture.finish().state == State::cancelled);
    CHECK(fixture.clock.now() - begun < std::chrono::minutes(1));
}

TEST_CASE("a secret that a step gives as an output without a name is not told in parts", "[run_shell]")
{
    SingleRun fixture(plan_of({stage("a", {}, {step("one")})}));
    fixture.engine.on_start([](const engine::ContainerSpec&) {
        engine::FakeBehaviour behaviour;
        behaviour.files = {{"/run/gantry/output", "abcdefgh=ijklmnop=\n9xyz=tuvw\nfine=yes\n"}};
        return behaviour;
    });
    fixture.options.secrets = {{"ONE", Secret("abcdefgh=ijklmnop=")}, {"TWO", Secret("9xyz=tuvw")}};

    const auto outputs = fixture.run().stages.at(0).steps.at(0).outputs;
    CHECK(outputs == std::map<std::string, std::string>{{"fine", "yes"}});
    std::string journal;
    for (const auto& event : fixture.store->events(fixture.id))
        journal += to_json(event).dump();
    for (const auto* part : {"abcdefgh", "ijklmnop", "9xyz", "tuvw"})
        CHECK(journal.find(part) == std::string::npos);
}

TEST_CASE("a network that nobody has consented to is not made, whoever runs the plan", "[run_shell]")
{
    auto plan = plan_of({stage("a", {}, {step("one")})});
    auto& network = plan.networks.emplace_back();
    network.name = "lan";
    network.driver = "macvlan";
    SingleRun fixture(std::move(plan));

    const auto summary = fixture.run();

    CHECK(summary.cause == Cause::config_error);
    CHECK_THAT(summary.stages.at(0).message, ContainsSubstring("network lan: the driver macvlan reaches the engine's host"));
    CHECK(fixture.calls("create_network") == 0);
}
