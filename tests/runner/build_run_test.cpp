// Steps that build and push, in a run on the fake engine.
#include "engine/fake/tar.hpp"
#include "runner/single_run.hpp"

#include <boost/asio/detached.hpp>

#include <algorithm>

using namespace gantry;
using namespace gantry::test;
using engine::BuildEvent;
using runner::Cause;
using runner::State;

namespace {

pipeline::PlanStep build_step(std::string id, std::vector<std::string> tags)
{
    auto result = step(std::move(id));
    result.run.reset();
    result.build = pipeline::Build{};
    result.build->dockerfile_inline = pipeline::Text("FROM busybox\nRUN make\n");
    for (auto& tag : tags)
        result.build->tags.emplace_back(std::move(tag));
    return result;
}

pipeline::PlanStep pushed(pipeline::PlanStep step)
{
    step.push = pipeline::Push{};
    step.push->all_tags = true;
    return step;
}

struct BuildRunFixture : SingleRun {
    explicit BuildRunFixture(pipeline::Plan the_plan) : SingleRun(std::move(the_plan)) { engine.forget_uploads(); }

    const runner::StepSummary& run()
    {
        begin();
        return finish();
    }
    const runner::StepSummary& finish()
    {
        summary = SingleRun::finish();
        return summary.stages.at(0).steps.at(0);
    }
    std::string log() const { return store->read_log(id, {"a", "app", 1}, 0, 10'000); }

    runner::RunSummary summary;
};

} // namespace

TEST_CASE("a step that builds tells the builder's steps, and its image is the next step's", "[build_run]")
{
    auto use = step("use");
    use.container.image = pipeline::Text(std::vector{pipeline::Text::Part{true, "steps.app.image", {}}});
    BuildRunFixture fixture(plan_of({stage("a", {}, {build_step("app", {"x/y:1", "x/y:2"}), use})}));
    fixture.engine.only_images({"busybox", "gantry/holder:1"});

    const auto& app = fixture.run();

    CHECK(app.state == State::success);
    CHECK(app.image == "x/y:1");
    CHECK(fixture.summary.stages.at(0).steps.at(1).state == State::success);
    CHECK_THAT(fixture.log(), ContainsSubstring("[1/2] Dockerfile (inline):1 FROM busybox\n"));
    CHECK_THAT(fixture.log(), ContainsSubstring("[2/2] Dockerfile (inline):2 RUN make\n"));
    CHECK(fixture.calls("pull_image") == 0);
}

TEST_CASE("a stage that only builds has no network to make and remove", "[build_run]")
{
    BuildRunFixture fixture(plan_of({stage("a", {}, {build_step("app", {"x/y:1"})}), stage("b", {}, {build_step("app", {"x/y:2"}), step("use")})}));
    CHECK(fixture.run().state == State::success);
    CHECK(fixture.calls("create_network") == 1); // of b
}

TEST_CASE("a step that names what an earlier one builds does not pull it", "[build_run]")
{
    auto use = step("use");
    use.container.image = pipeline::Text("x/y:1");
    BuildRunFixture fixture(plan_of({stage("a", {}, {build_step("app", {"x/y:1"}), use})}));
    fixture.engine.images_to_pull({"x/y:1"});
    CHECK(fixture.run().state == State::success);
    CHECK(fixture.calls("pull_image") == 0);
}

namespace {

// What the builder is told to take layers from.
struct CachedBuild : BuildRunFixture {
    explicit CachedBuild(pipeline::PlanStep step) : BuildRunFixture(plan_of({stage("a", {}, {std::move(step)})}))
    {
        engine.on_build([this](const engine::BuildSpec& spec, const std::string&) {
            cache_from = spec.cache_from;
            return engine::FakeBuildBehaviour();
        });
    }
    std::vector<std::string> cache_from{"not asked"};
};

pipeline::PlanStep cached(pipeline::PlanStep step, std::vector<std::string> images)
{
    for (auto& image : images)
        step.build->cache_from.emplace_back(std::move(image));
    return step;
}

} // namespace

TEST_CASE("images to take layers from are pulled first, and those that cannot be had are told and left out", "[build_run]")
{
    CachedBuild fixture(cached(build_step("app", {"x/y:1"}), {"x/none:1", "x/far:1", "x/here:1"}));
    fixture.engine.only_images({"busybox", "gantry/holder:1", "x/here:1"});
    fixture.engine.images_to_pull({"x/far:1"});

    CHECK(fixture.run().state == State::success);

    CHECK(fixture.cache_from == std::vector<std::string>{"x/far:1", "x/here:1"});
    CHECK(fixture.calls("pull_image") == 2);
    CHECK_THAT(fixture.log(), ContainsSubstring("cache_from: x/none:1 is not there: pull access denied"));
}

TEST_CASE("a build whose images to take layers from cannot be had uses the engine's own cache", "[build_run]")
{
    CachedBuild fixture(cached(build_step("app", {"x/y:1"}), {"x/none:1"}));
    fixture.engine.only_images({"busybox", "gantry/holder:1", "x/y:1"});
    CHECK(fixture.run().state == State::success);
    CHECK(fixture.cache_from.empty());
}

TEST_CASE("before the images to take layers from goes what the build made the last time", "[build_run]")
{
    CachedBuild fixture(cached(build_step("app", {"x/new:1", "x/y:1"}), {"x/here:1"}));
    fixture.engine.only_images({"busybox", "gantry/holder:1", "x/here:1", "x/y:1"});
    CHECK(fixture.run().state == State::success);
    CHECK(fixture.cache_from == std::vector<std::string>{"x/y:1", "x/here:1"});
}

TEST_CASE("a build that runs every instruction anew pulls nothing to take layers from", "[build_run]")
{
    auto app = cached(build_step("app", {"x/y:1"}), {"x/far:1"});
    app.build->no_cache = true;
    CachedBuild fixture(app);
    fixture.engine.images_to_pull({"x/far:1"});
    CHECK(fixture.run().state == State::success);
    CHECK(fixture.cache_from.empty());
    CHECK(fixture.calls("pull_image") == 0);
}

TEST_CASE("a cancel ends a build that still pulls images to take layers from", "[build_run]")
{
    CachedBuild fixture(cached(build_step("app", {"x/y:1"}), {"x/far:1"}));
    fixture.engine.images_to_pull({"x/far:1"});
    bool pulls = false;
    fixture.engine.on_latency([&pulls](const engine::FakeCall& call) -> std::chrono::nanoseconds {
        const bool slow = call.operation == "pull_image";
        pulls = pulls || slow;
        return slow ? std::chrono::hours(10) : std::chrono::hours(0);
    });
    auto& process = fixture.begin();
    drive(fixture.loop, fixture.clock, [&pulls] { return pulls; });
    process.cancel(false, fixture.clock.now());
    CHECK(fixture.finish().cause == Cause::cancelled);
    CHECK(fixture.calls("build_image") == 0);
}

TEST_CASE("a command of a build that fails fails the step with its code and line", "[build_run]")
{
    BuildRunFixture fixture(plan_of({stage("a", {}, {pushed(build_step("app", {"x/y:1"}))})}));
    fixture.engine.on_build([](const engine::BuildSpec&, const std::string&) {
        engine::FakeBuildBehaviour behaviour;
        BuildEvent first, second, words;
        first.kind = second.kind = BuildEvent::Kind::step;
        first.step = 1;
        second.step = 2;
        first.steps = second.steps = 2;
        second.text = "RUN make";
        words.text = "no rule";
        words.stream = engine::Stream::err;
        behaviour.says = std::vector{first, second, words};
        behaviour.exit_code = 2;
        behaviour.error = "it returned 2";
        return behaviour;
    });

    const auto& app = fixture.run();

    CHECK(app.state == State::failure);
    CHECK(app.cause == Cause::failed);
    CHECK(app.exit_code == 2);
    CHECK(app.message == "Dockerfile (inline):2: RUN make: it returned 2");
    CHECK_THAT(fixture.log(), ContainsSubstring("no rule\n[2/2] "));
    CHECK(fixture.calls("push_image") == 0);
}

TEST_CASE("a Dockerfile without FROM is a mistake of the file and is not sent to the builder", "[build_run]")
{
    auto app = build_step("app", {"x/y:1"});
    app.build->dockerfile_inline = pipeline::Text("# what for?\nARG X\n");
    BuildRunFixture fixture(plan_of({stage("a", {}, {app})}));

    const auto& ended = fixture.run();

    CHECK(ended.cause == Cause::config_error);
    CHECK_THAT(ended.message, ContainsSubstring("Dockerfile (inline):2: there is no FROM"));
    CHECK(fixture.calls("build_image") == 0);
}

TEST_CASE("a push puts the digest into the outputs", "[build_run]")
{
    BuildRunFixture fixture(plan_of({stage("a", {}, {pushed(build_step("app", {"x/y:1", "x/z:1"}))})}));
    const auto& app = fixture.run();
    CHECK(app.state == State::success);
    CHECK(app.outputs.at("digest").starts_with("sha256:"));
    CHECK(fixture.calls("push_image") == 2);
    CHECK_THAT(fixture.log(), ContainsSubstring("pushed x/y:1@sha256:"));
}

TEST_CASE("an image that is not here is pulled to be pushed under another name", "[build_run]")
{
    auto copy = step("app");
    copy.run.reset();
    copy.push = pipeline::Push{};
    copy.push->image = pipeline::Text("x/y:1");
    copy.push->tags = {pipeline::Text("x/z:1")};
    BuildRunFixture fixture(plan_of({stage("a", {}, {copy})}));
    fixture.engine.images_to_pull({"x/y:1"});
    CHECK(fixture.run().image == "x/z:1");
    CHECK(fixture.calls("pull_image") == 1);
    CHECK(fixture.calls("tag_image") == 1);
    CHECK(fixture.calls("create_container") == 0);
}

TEST_CASE("whose fault a failure is depends on who failed", "[build_run]")
{
    struct Row {
        std::string operation;
        Errc code;
        Cause cause;
        State state;
    };
    const std::vector<Row> rows = {
        {"build_image", Errc::bad_input, Cause::config_error, State::error},
        {"build_image", Errc::not_found, Cause::image_error, State::error},
        {"build_image", Errc::unavailable, Cause::image_error, State::error},
        {"build_image", Errc::no_space, Cause::disk_full, State::error},
        {"push_image", Errc::denied, Cause::image_error, State::error},
        {"push_image", Errc::unavailable, Cause::image_error, State::error},
        {"push_image", Errc::timed_out, Cause::image_error, State::error},
        {"push_image", Errc::bad_input, Cause::config_error, State::error},
        {"push_image", Errc::internal, Cause::internal, State::error},
    };
    for (const auto& row : rows) {
        INFO(row.operation << " " << to_string(row.code));
        BuildRunFixture fixture(plan_of({stage("a", {}, {pushed(build_step("app", {"x/y:1"}))})}));
        fixture.engine.on_call([&row](const engine::FakeCall& call) {
            if (call.operation == row.operation)
                throw Error(row.code, "it is so");
        });
        const auto& app = fixture.run();
        CHECK(app.cause == row.cause);
        CHECK_THAT(app.message, ContainsSubstring("it is so"));
    }
}

TEST_CASE("an engine that goes away during a build is an engine that was lost", "[build_run]")
{
    BuildRunFixture fixture(plan_of({stage("a", {}, {build_step("app", {"x/y:1"})})}));
    bool gone = false;
    fixture.engine.on_call([&gone](const engine::FakeCall& call) {
        if (call.operation == "build_image")
            gone = true;
        if (call.operation == "build_image" || (gone && call.operation == "probe"))
            throw Error(Errc::unavailable, "gone");
    });
    CHECK(fixture.run().cause == Cause::engine_lost);
}

namespace {

// A build that is cancelled while a container of the builder's runs, which the builder forgets.
struct BrokenBuild : BuildRunFixture {
    BrokenBuild() : BuildRunFixture(plan_of({stage("a", {}, {build_step("app", {"x/y:1"})})})) {}

    void begin_and_cancel()
    {
        bool begun = false;
        engine.on_build([&](const engine::BuildSpec& spec, const std::string&) {
            begun = true;
            engine::ContainerSpec of_builder;
            of_builder.name = "determined_builder";
            of_builder.image = "busybox";
            of_builder.labels = spec.labels;
            asio::co_spawn(loop, engine.create_container(of_builder), asio::detached);
            engine::FakeBuildBehaviour behaviour;
            behaviour.runs_for = std::chrono::hours(10);
            return behaviour;
        });
        begin();
        drive(loop, clock, [&begun] { return begun; });
        process->cancel(false, clock.now());
    }
};

} // namespace

TEST_CASE("a build that is cancelled ends, and its carrier goes", "[build_run]")
{
    BrokenBuild fixture;
    fixture.begin_and_cancel();
    const auto& app = fixture.finish();
    CHECK(app.state == State::cancelled);
    CHECK(fixture.summary.state == State::cancelled);
}

TEST_CASE("an engine that does not say what a broken build left has the run's own removed all the same", "[build_run]")
{
    BrokenBuild fixture;
    int removals = 0;
    fixture.engine.on_call([&](const engine::FakeCall& call) {
        // The carrier's first removal, so that it is still there at the end of the run.
        if (call.operation == "list" || (call.operation == "remove" && removals++ == 0))
            throw Error(Errc::unavailable, "the engine does not answer");
    });
    fixture.begin_and_cancel();
    drive(fixture.loop, fixture.clock, [&fixture] { return fixture.process->has_ended(); });
    fixture.process->die();
    CHECK(removals > 1);
    REQUIRE(fixture.engine.objects().size() == 1);
    CHECK(fixture.engine.objects()[0].name == "determined_builder");
}
