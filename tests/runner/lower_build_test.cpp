#include "base/error.hpp"
#include "runner/lower_build.hpp"
#include "runner/lower_fixture.hpp"
#include "support/catch.hpp"

using namespace gantry;
using namespace gantry::test;

namespace {

struct BuildFixture : LowerFixture {
    BuildFixture()
    {
        step().run.reset();
        step().build = pipeline::Build{};
    }
    pipeline::Build& build() { return *step().build; }
    runner::LoweredBuild lowered() const { return runner::lower_build(context); }
    std::string problem() const
    {
        try {
            (void)lowered();
        } catch (const Error& error) {
            return error.what();
        }
        return {};
    }
};

struct PushFixture : LowerFixture {
    explicit PushFixture(pipeline::Push push) { step().push = std::move(push); }
    runner::LoweredPush lowered(const std::vector<std::string>& built = {}) const { return runner::lower_push(context, built); }
};

} // namespace

TEST_CASE("a build without words builds the Dockerfile of the workspace", "[lower_build]")
{
    const BuildFixture fixture;
    const auto lowered = fixture.lowered();
    CHECK(lowered.context == "/workspace");
    CHECK(lowered.spec.dockerfile == "Dockerfile");
    CHECK(lowered.outside_dockerfile.empty());
    CHECK_FALSE(lowered.inline_dockerfile);
    CHECK(lowered.spec.tags.empty());
    CHECK(lowered.spec.labels == engine::Labels{{"gantry.instance", "1f2e"}, {"gantry.run", "17"}});
}

TEST_CASE("every key of a build reaches the engine", "[lower_build]")
{
    BuildFixture fixture;
    auto& build = fixture.build();
    build.context = "./api/";
    build.dockerfile = "docker/Dockerfile.api";
    build.target = pipeline::Text("run");
    build.args = {{"VERSION", expression("short_sha")}, {"EMPTY", ""}};
    build.tags = {pipeline::Text("registry.example/a:1"), expression("branch")};
    build.cache_from = {pipeline::Text("registry.example/a:cache")};
    build.labels = {{"team", "web"}};
    build.network = "none";
    build.extra_hosts = {"db:10.0.0.1"};
    build.platforms = {"linux/arm64"};
    build.pull = build.no_cache = true;
    build.shm_size_bytes = 64;

    const auto lowered = fixture.lowered();
    const auto& spec = lowered.spec;
    CHECK(lowered.context == "/workspace/api");
    CHECK(spec.dockerfile == "docker/Dockerfile.api");
    CHECK(spec.target == "run");
    CHECK(spec.args == std::vector<std::pair<std::string, std::string>>{{"VERSION", "4f2a9c1d"}, {"EMPTY", ""}});
    CHECK(spec.tags == std::vector<std::string>{"registry.example/a:1", "main"});
    CHECK(spec.cache_from == std::vector<std::string>{"registry.example/a:cache"});
    CHECK(spec.labels.at("team") == "web");
    CHECK(spec.labels.at("gantry.run") == "17");
    CHECK(spec.network_mode == "none");
    CHECK(spec.extra_hosts == std::vector<std::string>{"db:10.0.0.1"});
    CHECK(spec.platform == "linux/arm64");
    CHECK(spec.pull);
    CHECK(spec.no_cache);
    CHECK(spec.shm_size_bytes == 64);
}

TEST_CASE("a Dockerfile may be elsewhere in the workspace, or in the pipeline", "[lower_build]")
{
    BuildFixture fixture;
    fixture.build().context = "api";
    for (const auto* written : {"../docker/Dockerfile", "/workspace/docker/Dockerfile"}) {
        fixture.build().dockerfile = written;
        CHECK(fixture.lowered().outside_dockerfile == "/workspace/docker/Dockerfile");
    }
    fixture.build().dockerfile = "./x/../Dockerfile";
    CHECK(fixture.lowered().spec.dockerfile == "Dockerfile");
    CHECK(fixture.lowered().outside_dockerfile.empty());
    fixture.build().dockerfile_inline = pipeline::Text("FROM a");
    CHECK(fixture.lowered().inline_dockerfile == "FROM a");
}

TEST_CASE("what is not in the workspace is refused", "[lower_build]")
{
    BuildFixture fixture;
    for (const auto* written : {"..", "a/../..", "/etc", "/workspace2", "/"}) {
        fixture.build().context = written;
        CHECK_THAT(fixture.problem(), ContainsSubstring("is not in the workspace"));
    }
    fixture.build().context = ".";
    fixture.build().dockerfile = "../../Dockerfile";
    CHECK_THAT(fixture.problem(), ContainsSubstring("build.dockerfile: '../../Dockerfile' is not in the workspace"));
    fixture.build().dockerfile = "Dockerfile";
    fixture.build().context = "https://example.org/context.tar";
    CHECK_THAT(fixture.problem(), ContainsSubstring("is no git repository"));
    fixture.build().context = "file:///etc/x.git";
    CHECK_THAT(fixture.problem(), ContainsSubstring("is no address that an engine clones from"));
    for (const auto* written : {"git@git.example:a.git", "ssh://git@git.example/a.git"}) {
        fixture.build().context = written;
        CHECK_THAT(fixture.problem(), ContainsSubstring("behind SSH"));
    }
}

TEST_CASE("a context may be a git repository or an archive", "[lower_build]")
{
    BuildFixture fixture;
    fixture.build().dockerfile = "x/Dockerfile";
    for (const auto* written : {"https://git.example/a.git#main:sub", "github.com/a/b", "git://h/x"}) {
        fixture.build().context = written;
        CHECK(fixture.lowered().spec.remote == written);
        CHECK(fixture.lowered().context.empty());
        CHECK(fixture.lowered().spec.dockerfile == "x/Dockerfile");
    }
    fixture.build().context = "out/Context.TAR.gz";
    CHECK(fixture.lowered().context == "/workspace/out/Context.TAR.gz");
    CHECK(fixture.lowered().is_archive);
    CHECK(fixture.lowered().spec.dockerfile == "x/Dockerfile");
    fixture.build().dockerfile = "../Dockerfile";
    CHECK(fixture.problem() == "build.dockerfile: '../Dockerfile' is not in the context");
    fixture.build().dockerfile = "";
    fixture.build().dockerfile_inline = pipeline::Text("FROM a");
    CHECK_THAT(fixture.problem(), ContainsSubstring("only with a context that is a folder"));
}

TEST_CASE("a build cannot take what is not its own", "[lower_build]")
{
    BuildFixture fixture;
    fixture.build().labels = {{"gantry.run", "1"}};
    CHECK_THAT(fixture.problem(), ContainsSubstring("is for gantry's own"));
    fixture.build().labels.clear();
    fixture.build().network = "host";
    CHECK_THAT(fixture.problem(), ContainsSubstring("build.network: host reaches the engine's host"));
    fixture.context.consent = {"host-namespaces"};
    CHECK(fixture.lowered().spec.network_mode == "host");
    fixture.build().network = "container:x";
    CHECK_THAT(fixture.problem(), ContainsSubstring("is not supported"));
    fixture.build().network.reset();
    fixture.build().tags = {expression("tag")};
    CHECK(fixture.problem() == "build.tags: '${{ tag }}' gives no name");
    fixture.build().tags.clear();
    fixture.build().cache_from = {pipeline::Text("type=registry,ref=x/y")};
    CHECK(fixture.problem() == "build.cache_from: 'type=registry,ref=x/y' is not an image to take layers from");
}

TEST_CASE("a push knows what to push under which names", "[lower_build]")
{
    pipeline::Push push;
    push.all_tags = true;
    const PushFixture all(push);
    CHECK(all.lowered({"a/b:1", "a/c:1"}).names == std::vector<std::string>{"a/b:1", "a/c:1"});
    CHECK(all.lowered({"a/b:1"}).image.empty());
    CHECK_THROWS_WITH(all.lowered({}), "push: there is no name to push under");
    CHECK_THROWS_WITH(all.lowered({"latest"}), "push: 'latest' names no registry");

    push.all_tags = false;
    push.tags = {pipeline::Text("a/b:2")};
    push.image = pipeline::Text(" a/b:1 ");
    const PushFixture retag(push);
    CHECK(retag.lowered().image == "a/b:1");
    CHECK(retag.lowered().names == std::vector<std::string>{"a/b:2"});
    push.image = expression("tag");
    CHECK_THROWS_WITH(PushFixture(push).lowered(), "push.image: '${{ tag }}' gives no name");
}

TEST_CASE("what a plan makes itself is known as far as it is written out", "[lower_build]")
{
    auto build = test::step("app");
    build.build = pipeline::Build{};
    build.build->tags = {pipeline::Text("a:1"), expression("steps.x.outputs.y")};
    auto push = test::step("copy");
    push.push = pipeline::Push{};
    push.push->tags = {pipeline::Text("b/c:1")};
    pipeline::Service service;
    service.container.image = pipeline::Text("d");
    auto built = service;
    built.build = pipeline::Build{};
    built.build->tags = {pipeline::Text("x.example/e:1")};
    built.container.image = pipeline::Text("f");
    auto with_services = stage("s", {}, {build, push});
    with_services.services = {service, built};
    const std::set<std::string> names{"docker.io/b/c:1", "docker.io/library/a:1", "docker.io/library/f:latest", "x.example/e:1"};
    CHECK(runner::made_images(plan_of({with_services})) == names);
}
