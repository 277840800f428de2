// Services that build their images, and those that use what others of the stage build, in runs on the fake engine.
#include "runner/single_run.hpp"

#include <algorithm>

using namespace gantry;
using namespace gantry::test;
using namespace std::chrono_literals;
using runner::Cause;
using runner::State;

namespace {

pipeline::Service service(const std::string& name, const std::string& image)
{
    pipeline::Service result;
    result.name = name;
    result.container.image = pipeline::Text(image);
    return result;
}

pipeline::Service built(pipeline::Service service)
{
    service.build = pipeline::Build{};
    service.build->dockerfile_inline = pipeline::Text("FROM busybox\nRUN make\n");
    return service;
}

pipeline::PlanStage stage_with(std::vector<pipeline::Service> services, std::vector<pipeline::PlanStep> steps = {step("one")})
{
    auto result = stage("a", {}, std::move(steps));
    result.services = std::move(services);
    return result;
}

pipeline::PlanStep using_image(const std::string& image)
{
    auto result = step("use");
    result.container.image = pipeline::Text(image);
    return result;
}

// Names of shop are at no registry: whoever asks for one before it is built fails.
struct BuiltServices : SingleRun {
    explicit BuiltServices(std::vector<pipeline::PlanStage> stages) : SingleRun(plan_of(std::move(stages)))
    {
        engine.forget_uploads();
        engine.only_images({"busybox", "gantry/holder:1"});
        engine.on_start([](const engine::ContainerSpec& spec) {
            engine::FakeBehaviour does;
            does.never_ends = spec.labels.at("gantry.step").starts_with("services/");
            return does;
        });
        engine.on_build([this](const engine::BuildSpec&, const std::string&) {
            ++builds;
            return builder;
        });
    }

    // Images of containers that were started, but of those that need none that is built.
    std::vector<std::string> started() const
    {
        std::vector<std::string> images;
        for (const auto& name : engine.started())
            if (const auto& image = engine.spec_of(name)->image; image != "gantry/holder:1" && image != "busybox")
                images.push_back(image);
        return images;
    }

    engine::FakeBuildBehaviour builder;
    int builds = 0;
};

} // namespace

TEST_CASE("a service gets the image that another one of its stage builds, in whatever order they stand", "[services]")
{
    auto worker = service("worker", "docker.io/library/shop");
    worker.container.platform = "linux/amd64";
    worker.container.pull_policy = "always";
    auto first = service("first", "shop");
    BuiltServices fixture({stage_with({first, built(service("web", "shop:latest")), worker}, {using_image("shop")})});
    fixture.builder.runs_for = 20s;

    const auto summary = fixture.run();

    CHECK(summary.state == State::success);
    CHECK(fixture.builds == 1);
    CHECK(fixture.calls("pull_image") == 0);
    auto images = fixture.started();
    std::sort(images.begin(), images.end());
    CHECK(images == std::vector<std::string>{"docker.io/library/shop", "shop", "shop", "shop:latest"});
}

TEST_CASE("a tag of a service's build is not pulled for another service", "[services]")
{
    auto web = built(service("web", "shop:1"));
    web.build->tags = {pipeline::Text("registry.example/shop:1")};
    BuiltServices fixture({stage_with({service("worker", "registry.example/shop:1"), web})});
    fixture.engine.images_to_pull({"registry.example/shop:1"});
    CHECK(fixture.run().state == State::success);
    CHECK(fixture.calls("pull_image") == 0);
}

TEST_CASE("a build waits for no service, not even for one that it shares a network with and that waits for the image", "[services]")
{
    auto web = built(service("web", "shop:1"));
    web.container.network_mode = "service:worker";
    BuiltServices fixture({stage_with({service("worker", "shop:1"), web})});
    CHECK(fixture.run().state == State::success);
}

TEST_CASE("replicas share one build and its image, with a name and without", "[services]")
{
    for (const bool named : {true, false}) {
        auto replica = built(service("web-1", "shop:1"));
        if (!named)
            replica.container.image.reset();
        auto second = replica, third = replica, other = replica;
        second.name = "web-2";
        third.name = "web-3";
        other.name = "other";
        other.build->args = {{"A", "b"}};
        BuiltServices fixture({stage_with({replica, second, third, other})});
        fixture.builder.runs_for = 20s;

        CHECK(fixture.run().state == State::success);
        CHECK(fixture.builds == 2);
        CHECK(fixture.started().size() == 4);
    }
}

TEST_CASE("a build that fails fails the stage, named, and whoever waits for its image gives up", "[services]")
{
    auto second = built(service("web", "shop:1"));
    second.name = "web-2";
    BuiltServices fixture({stage_with({service("worker", "shop:1"), built(service("web", "shop:1")), second})});
    fixture.builder.runs_for = 20s;
    fixture.builder.exit_code = 2;
    fixture.builder.error = "no rule";

    const auto summary = fixture.run();

    CHECK(summary.cause == Cause::failed);
    CHECK_THAT(summary.stages.at(0).message, ContainsSubstring("the image of service web was not built"));
    CHECK_THAT(summary.stages.at(0).message, ContainsSubstring("no rule"));
    CHECK(fixture.builds == 1);
    CHECK(fixture.started() == std::vector<std::string>{});
    std::vector<std::string> failed;
    for (const auto& service : summary.stages.at(0).services)
        if (service.state == State::failure)
            failed.push_back(service.step);
    CHECK(failed == std::vector<std::string>{"services/web"});
}

TEST_CASE("a cancel ends a build that others wait for, and them", "[services]")
{
    auto second = built(service("web-2", "shop:1"));
    BuiltServices fixture({stage_with({service("worker", "shop:1"), built(service("web", "shop:1")), second})});
    fixture.builder.runs_for = std::chrono::hours(10);
    auto& process = fixture.begin();
    drive(fixture.loop, fixture.clock, [&] { return fixture.builds == 1; });
    process.cancel(false, fixture.clock.now());

    CHECK(fixture.finish().state == State::cancelled);
    CHECK(fixture.builds == 1);
    CHECK(fixture.started() == std::vector<std::string>{});
}

TEST_CASE("what a service of an earlier stage builds is there for services and steps of later ones", "[services]")
{
    auto later = stage("b", {"a"}, {using_image("registry.example/shop:1")});
    later.services = {service("worker", "registry.example/shop:1")};
    BuiltServices fixture({stage_with({built(service("web", "registry.example/shop:1"))}), later});
    fixture.engine.images_to_pull({"registry.example/shop:1"});

    CHECK(fixture.run().state == State::success);
    CHECK(fixture.builds == 1);
    CHECK(fixture.calls("pull_image") == 0);
}
