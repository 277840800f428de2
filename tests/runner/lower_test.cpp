// What a step becomes: process, environment, network, names. Its container's keys: lower_container_test.cpp.
#include "base/error.hpp"
#include "base/format.hpp"
#include "pipeline/checks_names.hpp"
#include "runner/lower.hpp"
#include "runner/lower_fixture.hpp"
#include "support/catch.hpp"
#include "support/source_dir.hpp"

#include <fstream>
#include <set>

using namespace gantry;
using namespace gantry::test;
using runner::image_of;
using Words = std::vector<std::string>;

TEST_CASE("a script is the last argument of the shell", "[lower]")
{
    LowerFixture fixture;
    fixture.step().run = pipeline::Text("make\nmake check");
    CHECK(fixture.lower().entrypoint == Words{"sh", "-ec"});
    CHECK(fixture.lower().command == Words{"make\nmake check"});
    fixture.step().shell = {"bash", "-euxo", "pipefail", "-c"};
    CHECK(fixture.lower().entrypoint == Words{"bash", "-euxo", "pipefail", "-c"});
    fixture.step().run = pipeline::Text(std::string(131072, 'x'));
    CHECK_THROWS_WITH(fixture.lower(), "run: this is not a script of less than 128 KiB, without NUL bytes");
}

TEST_CASE("without a script entrypoint and command are Compose's", "[lower]")
{
    LowerFixture fixture;
    fixture.step().run.reset();
    CHECK_FALSE(fixture.lower().entrypoint);
    CHECK_FALSE(fixture.lower().command);
    fixture.container().command = {{"serve", "--port"}};
    CHECK(fixture.lower().command == Words{"serve", "--port"});
    CHECK_FALSE(fixture.lower().entrypoint);
    fixture.container().command.reset();
    fixture.container().entrypoint = {{"/bin/tool"}};
    CHECK(fixture.lower().entrypoint == Words{"/bin/tool"});
    CHECK(fixture.lower().command == Words{}); // the image's does not fit another program
}

TEST_CASE("a step works in the workspace, or below it, or where it says", "[lower]")
{
    const auto dir_of = [](const char* written) {
        LowerFixture fixture;
        fixture.container().working_dir = pipeline::Text(written);
        return fixture.lower().working_dir;
    };
    CHECK(LowerFixture().lower().working_dir == "/workspace");
    CHECK(dir_of("src/app/") == "/workspace/src/app");
    CHECK(dir_of("/srv") == "/srv");
    CHECK(dir_of(".") == "/workspace");
    CHECK_THROWS_WITH(dir_of("/proc/self/fd/7"), "working_dir: /proc/self/fd/7 is the kernel's");
    CHECK_THROWS_WITH(dir_of("../proc/self/cwd"), "working_dir: /proc/self/cwd is the kernel's");
}

TEST_CASE("expressions are computed from what is known when the step starts", "[lower]")
{
    LowerFixture fixture;
    fixture.container().image = expression("steps.app.image");
    fixture.context.facts.steps["app"].image = "shop:42";
    CHECK(image_of(fixture.plan, fixture.stage(), fixture.step(), fixture.context.facts) == "shop:42");

    fixture.container().environment = {{"TAG", expression("steps.app.outputs.tag")}};
    fixture.context.facts.steps["app"].outputs["tag"] = "v1";
    CHECK(fixture.variable("TAG") == "v1");

    fixture.container().user = expression("steps.later.outputs.user");
    CHECK_THROWS_WITH(fixture.lower(), "user: '${{ steps.later.outputs.user }}' is not known when it starts");
    fixture.container().user = expression("1 < 'x'");
    CHECK_THROWS(fixture.lower());
}

TEST_CASE("an image that comes out empty is told", "[lower]")
{
    LowerFixture fixture;
    fixture.container().image = expression("tag");
    CHECK_THROWS_WITH(image_of(fixture.plan, fixture.stage(), fixture.step(), {}), "image: '${{ tag }}' gives no name");
    fixture.container().image.reset();
    CHECK_THROWS_WITH(image_of(fixture.plan, fixture.stage(), fixture.step(), {}), "the step has no image");
}

TEST_CASE("later sources of the environment win over earlier ones", "[lower]")
{
    LowerFixture fixture;
    fixture.container().environment = {{"A", "file"}, {"B", "file"}, {"C", "file"}, {"CI_REPO", "mine"}};
    fixture.context.exported = {{"B", "exported"}, {"C", "exported"}};
    fixture.step().secrets = {{"C", "npm_token"}};
    fixture.secrets.emplace("npm_token", Secret("s3cret"));

    CHECK(fixture.variable("A") == "file");
    CHECK(fixture.variable("B") == "exported");
    CHECK(fixture.variable("C") == "s3cret");
    CHECK(fixture.variable("CI_REPO") == "mine");
    std::set<std::string> names;
    for (const auto& [name, value] : fixture.lower().environment)
        CHECK(names.insert(name).second);
}

TEST_CASE("what the step and its tools rely on cannot be changed", "[lower]")
{
    LowerFixture fixture;
    for (const char* name : {"CI", "GANTRY", "CI_ENV", "CI_OUTPUT", "CI_STEP_SUMMARY", "CI_WORKSPACE", "CI_STEP_ATTEMPT"}) {
        fixture.container().environment.emplace_back(name, "file");
        fixture.context.exported[name] = "exported";
    }
    CHECK(fixture.variable("CI") == "true");
    CHECK(fixture.variable("GANTRY") == "true");
    CHECK(fixture.variable("CI_ENV") == "/run/gantry/env");
    CHECK(fixture.variable("CI_OUTPUT") == "/run/gantry/output");
    CHECK(fixture.variable("CI_STEP_SUMMARY") == "/run/gantry/summary");
    CHECK(fixture.variable("CI_WORKSPACE") == "/workspace");
    CHECK(fixture.variable("CI_STEP_ATTEMPT") == "2");
}

TEST_CASE("settings of a plugin are PLUGIN_ variables", "[lower]")
{
    LowerFixture fixture;
    fixture.step().settings = {{"dry-run", "true"}, {"repo.name", "a/b"}, {"tags", expression("branch")}};
    CHECK(fixture.variable("PLUGIN_DRY_RUN") == "true");
    CHECK(fixture.variable("PLUGIN_REPO_NAME") == "a/b");
    CHECK(fixture.variable("PLUGIN_TAGS") == "main");
}

TEST_CASE("a missing secret is named, with how to give it, and no value is ever in a message", "[lower]")
{
    LowerFixture fixture;
    fixture.secrets.emplace("other", Secret("s3cret"));
    fixture.step().secrets = {{"TOKEN", "npm_token"}};
    try {
        fixture.lower();
        FAIL("no error");
    } catch (const Error& error) {
        CHECK(error.code() == Errc::bad_input);
        CHECK(std::string(error.what()) == "the secret 'npm_token' is not there");
        CHECK_THAT(error.hint(), ContainsSubstring("--secret-file"));
        CHECK(error.hint().find("s3cret") == std::string::npos);
    }
}

TEST_CASE("a pull request from a fork gets no secrets", "[lower]")
{
    LowerFixture fixture;
    fixture.plan.event.trusted = false;
    fixture.step().secrets = {{"TOKEN", "npm_token"}};
    fixture.step().secret_files = {{"/run/secrets/key", "npm_token"}};
    fixture.secrets.emplace("npm_token", Secret("s3cret"));
    CHECK_FALSE(fixture.variable("TOKEN"));
    CHECK(secret_files_of(fixture.context).empty());
    fixture.plan.event.trusted = true;
    CHECK(secret_files_of(fixture.context).at(0).second.reveal() == "s3cret");
}

TEST_CASE("a file of a secret is not put into a volume of a service", "[lower]")
{
    LowerFixture fixture;
    fixture.step().secret_files = {{"/run/secrets/key", "npm_token"}};
    fixture.secrets.emplace("npm_token", Secret("s3cret"));
    auto& service = fixture.stage().services.emplace_back();
    service.name = "db";
    service.container.volumes.emplace_back().target = pipeline::Text("/run/secrets/");
    CHECK(secret_files_of(fixture.context).size() == 1);
    fixture.container().volumes_from = {"db:ro"};
    CHECK_THROWS_WITH(
        secret_files_of(fixture.context),
        "secret_files: '/run/secrets/key' would be there for the service 'db', too: it is in a volume of it");
}

TEST_CASE("a step is on the network of its stage, or of a container, or where it says", "[lower]")
{
    using Network = engine::ContainerSpec::Network;
    LowerFixture fixture;
    fixture.plan.networks.resize(2);
    fixture.plan.networks[0].name = "back";
    fixture.plan.networks[1].name = "corp";
    fixture.plan.networks[1].external = true;
    fixture.plan.networks[1].external_name = "corp-net";
    CHECK(fixture.lower().network == Network::endpoints);
    CHECK(fixture.lower().endpoints.at(0).network == "stage-net");

    fixture.container().networks = {{"default", {"api"}, "", "", {}}, {"back", {}, "10.0.0.7", "", {}}, {"corp", {}, "", "", {}}};
    const auto spec = fixture.lower();
    CHECK(spec.endpoints.at(0).network == "stage-net");
    CHECK(spec.endpoints.at(0).aliases == Words{"api"});
    CHECK(spec.endpoints.at(1).network == runner::networks_of(fixture.plan, {"1f2e", "17"}).at(0).name);
    CHECK(spec.endpoints.at(1).ipv4_address == "10.0.0.7");
    CHECK(spec.endpoints.at(2).network == "corp-net");
    fixture.container().networks = {{"nowhere", {}, "", "", {}}};
    CHECK_THROWS_WITH(fixture.lower(), "networks: there is no network 'nowhere'");

    fixture.container().networks.clear();
    fixture.context.network_container = "holder";
    CHECK(fixture.lower().network == Network::container);
    CHECK(fixture.lower().network_container == "holder");
    fixture.container().network_mode = "none";
    CHECK(fixture.lower().network == Network::none);
    fixture.container().network_mode = "host";
    CHECK_THROWS_WITH(fixture.lower(), "network_mode: host reaches the engine's host and needs your consent");
    fixture.context.consent = {"host-namespaces"};
    CHECK(fixture.lower().network == Network::host);
}

TEST_CASE("everything carries the labels of its owner", "[lower]")
{
    LowerFixture fixture;
    fixture.container().labels = {{"team", "web"}};
    CHECK(fixture.lower().labels == engine::Labels{{"gantry.instance", "1f2e"}, {"gantry.run", "17"}, {"gantry.stage", "build"},
                                                   {"gantry.step", "compile"}, {"gantry.attempt", "2"}, {"team", "web"}});
    fixture.container().labels = {{"gantry.run", "1"}};
    CHECK_THROWS_WITH(fixture.lower(), "labels: 'gantry.run' is for gantry's own");
}

TEST_CASE("names of objects are deterministic, short, and different for different owners", "[lower]")
{
    using runner::object_name;
    CHECK(object_name({"1f2e", "17", "build", "compile", 1}) == "gantry-1f2e-17-build-compile-1");
    CHECK(object_name({"1f2e", "17", "build", "", 0}, "net") == "gantry-1f2e-17-build.net");
    CHECK(object_name({"1f2e", "17", "", "", 0}, "net") == "gantry-1f2e-17.net");

    const std::string parts[] = {"", "a", "A", "a-b", "b", "a_b", "grün", "x[y=1]", "1", std::string(80, 'a'), std::string(81, 'a'), "..", "-"};
    std::set<std::string> names;
    int count = 0;
    for (const auto& stage : parts)
        for (const auto& step : parts)
            for (const auto& role : {"", "a", "a-b", "1"})
                for (const int attempt : {0, 1, 2}) {
                    if (stage.empty() && !step.empty())
                        continue;
                    if (step.empty() && attempt > 0)
                        continue;
                    const auto name = object_name({"1f2e", "17", stage, step, attempt}, role);
                    INFO(name);
                    CHECK(name.size() <= 63);
                    CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos);
                    CHECK(std::isalnum(static_cast<unsigned char>(name.back())));
                    names.insert(name);
                    ++count;
                }
    CHECK(names.size() == static_cast<std::size_t>(count));
}

TEST_CASE("the commit's time is SOURCE_DATE_EPOCH", "[lower]")
{
    LowerFixture fixture;
    CHECK_FALSE(fixture.variable("SOURCE_DATE_EPOCH"));
    fixture.plan.event.commit_time = 1714559430;
    CHECK(fixture.variable("SOURCE_DATE_EPOCH") == "1714559430");
}

TEST_CASE("the variables say what is built", "[lower]")
{
    LowerFixture fixture;
    fixture.plan.event.message = "Fix the cart\n\nIt was empty.";
    CHECK(fixture.variable("CI_COMMIT_SHA") == "4f2a9c1d0000000000000000000000000000beef");
    CHECK(fixture.variable("CI_COMMIT_SHORT_SHA") == "4f2a9c1d");
    CHECK(fixture.variable("CI_COMMIT_BRANCH") == "main");
    CHECK_FALSE(fixture.variable("CI_COMMIT_TAG"));
    CHECK(fixture.variable("CI_COMMIT_TITLE") == "Fix the cart");
    CHECK(fixture.variable("CI_REPO_NAME") == "demo");
    CHECK(fixture.variable("CI_PIPELINE_NUMBER") == "17");
    CHECK(fixture.variable("CI_STAGE_NAME") == "build");
    CHECK(fixture.variable("CI_STEP_NAME") == "compile");
    fixture.plan.event.tag = "v1.0/RC 1";
    CHECK(fixture.variable("CI_COMMIT_TAG") == "v1.0/RC 1");
    CHECK_FALSE(fixture.variable("CI_COMMIT_BRANCH"));
    CHECK(fixture.variable("CI_COMMIT_REF_SLUG") == "v1-0-rc-1");
}

TEST_CASE("docs/variables.md lists exactly the variables that steps get", "[lower]")
{
    LowerFixture fixture;
    auto& event = fixture.plan.event;
    event.tag = "v1";
    event.commit_time = 1;
    event.message = event.author = event.author_email = event.before_sha = event.repo_url = event.default_branch = "x";
    event.pull_request = pipeline::Event::PullRequest{7, "title", "topic", "main"};
    std::set<std::string> given = {"CI_COMMIT_BRANCH"}; // not with a tag
    for (const auto& [name, value] : ci_variables(fixture.context))
        given.insert(name);

    // The first column of every table: | `A`, `B` | … |
    std::ifstream file(source_dir() + "/docs/variables.md");
    std::set<std::string> listed;
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("| `")) {
            const auto words = split(line.substr(0, line.find('|', 1)), '`');
            for (std::size_t i = 1; i < words.size(); i += 2)
                listed.insert(words[i]);
        }
    CHECK(listed == given);
}

TEST_CASE("the variables that are named instead of an outsider's text are those of steps", "[lower]")
{
    LowerFixture fixture;
    auto& event = fixture.plan.event;
    event.tag = "v1";
    event.message = event.author = "x";
    event.pull_request = pipeline::Event::PullRequest{7, "title", "topic", "main"};
    std::set<std::string> given = {"NAME", "CI_COMMIT_BRANCH"}; // of the user's own; not with a tag
    for (const auto& [name, value] : ci_variables(fixture.context))
        given.insert(name);

    for (const auto* text : {"author", "branch", "changed_files", "message", "ref", "tag", "pull_request", "pull_request.title",
                             "pull_request.source_branch", "pull_request.target_branch", "matrix.x"}) {
        const pipeline::PlacedStep placed;
        pipeline::NameContext of_step;
        of_step.step = &placed;
        const auto hint = pipeline::hint_for_outsiders({split(text, '.'), {0, 0}}, of_step);
        CAPTURE(text, hint);
        const auto words = split(hint, '"'); // …"$NAME"…
        REQUIRE(words.size() == 3);
        CHECK(given.contains(words[1].substr(1)));
    }
}

TEST_CASE("what is declared with scope: stage has a name for each stage", "[lower]")
{
    LowerFixture fixture;
    pipeline::VolumeDeclaration own, shared;
    own.name = "own";
    own.scope = pipeline::DeclarationScope::stage;
    shared.name = "shared";
    fixture.plan.volumes = {own, shared};
    const runner::Owner run{"1f2e", "17"}, one{"1f2e", "17", "one"}, two{"1f2e", "17", "two"};

    REQUIRE(volumes_of(fixture.plan, run).size() == 1);
    CHECK(volumes_of(fixture.plan, run)[0].name == volume_name(shared, one));
    REQUIRE(volumes_of(fixture.plan, one).size() == 1);
    CHECK(volumes_of(fixture.plan, one)[0].name == volume_name(own, one));
    CHECK(volumes_of(fixture.plan, one)[0].labels.at("gantry.stage") == "one");
    CHECK(volume_name(own, one) != volume_name(own, two));
    CHECK(volume_name(shared, one) == volume_name(shared, two));
}
