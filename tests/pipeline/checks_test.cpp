#include "pipeline/checks.hpp"

#include "pipeline/checks_support.hpp"
#include "support/catch.hpp"

#include <chrono>

using namespace gantry::pipeline;

TEST_CASE("a sound pipeline has no problems", "[checks]")
{
    auto build = stage("build", {step("compile", "make VERSION=${{ short_sha }}")});
    auto test = stage("test", {step("unit", "./check ${{ matrix.go }}"), step("", "echo ${{ steps.unit.outputs.n }}"),
                               step("", "echo ${{ steps.step-2.outputs.n }} ${{ steps.compile.outputs.x }}")});
    test.matrix = matrix_of({{"go", {"1.22", "1.23"}}});
    test.condition = text("${{ branch == 'main' && steps['build/compile'].state != 'failure' }}");
    test.finally_steps = {{{step("last", "echo ${{ steps.unit.state }}")}}};

    CHECK(check_problems(pipeline_of({build, test})) == Lines{});
}

TEST_CASE("needs must exist and must not form a circle", "[checks]")
{
    CHECK(check_problems(pipeline_of({stage("build", {step("a")}), stage("test", {step("a")}, Lines{"biuld"})})) ==
          Lines{"stage 'test' needs 'biuld', which does not exist | did you mean 'build'?"});
    CHECK(check_problems(pipeline_of({stage("a", {step("s")}, Lines{"c"}), stage("b", {step("s")}, Lines{"a"}),
                                   stage("c", {step("s")}, Lines{"b"}), stage("d", {step("s")}, Lines{"a"})})) ==
          Lines{"stages need each other in a circle: a needs c needs b needs a"});
    CHECK(check_problems(pipeline_of({stage("a", {step("s")}, Lines{"a"})})) ==
          Lines{"stages need each other in a circle: a needs a"});
    CHECK(check_problems(pipeline_of({stage("a", {step("s")}, Lines{"b"}), stage("b", {step("s")})})).front() ==
          "stages need each other in a circle: a needs b needs a");
    CHECK(check_problems(pipeline_of({stage("a", {step("s")}), stage("b", {step("s")}, Lines{"a[x=1]"})})) ==
          Lines{"stage 'a' has no matrix"});

    auto rows = stage("a", {step("s")});
    rows.matrix = matrix_of({{"q", {"1", "2"}}});
    const auto needing = [&](const char* need) { return check_problems(pipeline_of({rows, stage("b", {step("s")}, Lines{need})})); };
    CHECK(needing("a[q=2]") == Lines{});
    CHECK(needing("a[q=3]") == Lines{"there is no row 'a[q=3]' | did you mean 'a[q=1]'?"});
    rows.matrix->axes[0].second[1] = text("${{ short_sha }}");
    CHECK(needing("a[q=3]") == Lines{});
}

TEST_CASE("names are unique and usable", "[checks]")
{
    CHECK(check_problems(pipeline_of({stage("a", {step("s"), step("s")}), stage("a", {step("s")})})) ==
          Lines{"there is another stage 'a'", "stage 'a' has another step 's'"});
    CHECK(check_problems(stage("a/b", {step("s")})).front() ==
          "a stage has '/' in its name | letters, digits, '-', '_', '.' and spaces are fine");
    CHECK(check_problems(stage("a", {step("x/y")})).front().starts_with("the step's name 'x/y' has a '/'"));
    CHECK(check_problems(pipeline_of({})) == Lines{"the pipeline has no stages and no steps"});
    CHECK(check_problems(stage("a", {})) == Lines{"stage 'a' has no steps"});
}

TEST_CASE("a step must have something to do and an image to do it in", "[checks]")
{
    Step nothing;
    nothing.name = "s";
    CHECK(check_problems(stage("a", {nothing})) ==
          Lines{"step 's' does nothing | give it run, command, build, push, settings or an image"});

    auto homeless = stage("a", {step("s")});
    homeless.container.image.reset();
    CHECK(check_problems(homeless) == Lines{"step 's' has no image to run in | add image: … to the step, its stage, "
                                         "defaults or the top of the file"});
    auto definition = pipeline_of({homeless});
    definition.defaults.container.image = Text("debian");
    CHECK(check_problems(definition) == Lines{});

    auto both = step("s");
    both.container.command = std::vector<Text>{"x"};
    CHECK(check_problems(stage("a", {both})) == Lines{"a step has either run or command"});

    auto started = step("s");
    started.container.entrypoint = std::vector<Text>{"perl", "-e"};
    CHECK(check_problems(stage("a", {started})) ==
          Lines{"a step has either run or entrypoint | the program that reads the script is named by shell: [bash, -ec]; an entrypoint goes with command"});
    started.container.entrypoint = std::vector<Text>{""}; // takes the image's away, as the script does
    CHECK(check_problems(stage("a", {started})) == Lines{});
    auto inheriting = stage("a", {step("s")}); // what other steps run by it
    inheriting.container.entrypoint = std::vector<Text>{"perl", "-e"};
    CHECK(check_problems(inheriting) == Lines{});

    Step push;
    push.name = "p";
    push.push = Push{};
    push.push->all_tags = true;
    CHECK(check_problems(stage("a", {push})).front().starts_with("'push: true' needs a build beside it"));
}

TEST_CASE("what is pushed has names, each with a registry", "[checks]")
{
    Step one;
    one.name = "p";
    one.build.emplace();
    one.push.emplace();
    one.push->all_tags = true;
    CHECK(check_problems(stage("a", {one})) == Lines{"there is no name to push under | give the build tags: […], or write push: […]"});
    one.build->tags = {text("x.example/a:1"), text("app:1"), text("app:${{ short_sha }}")};
    CHECK(check_problems(stage("a", {one})) == Lines{"'app:1' names no registry | write registry.example/name:tag"});
    one.push->all_tags = false;
    one.push->tags = {text("latest"), text("x.example/a:2")};
    CHECK(check_problems(stage("a", {one})) == Lines{"'latest' names no registry | write registry.example/name:tag"});
}

TEST_CASE("expressions are checked with their places", "[checks]")
{
    auto definition = pipeline_of({stage("a", {step("s", "echo ${{ sha }} ${{ shaa }}", 7)})});
    const auto problems = check(definition);

    REQUIRE(problems.size() == 1);
    CHECK(problems[0].message == "'shaa' is not known");
    CHECK(problems[0].hint == "did you mean 'sha'?");
    CHECK(problems[0].path == "stages[0].steps[0].run");
    CHECK(problems[0].mark.line == 7);
    CHECK(problems[0].mark.column == 34);
}

TEST_CASE("members of known names are looked up", "[checks]")
{
    auto one = stage("a", {step("s", "${{ matrix.gp }} ${{ inputs.tarket }} ${{ pull_request.nummer == 1 }} ${{ sha.x }} "
                                     "${{ stage.nam }}")});
    one.matrix = matrix_of({{"go", {"1"}}});
    auto definition = pipeline_of({one});
    definition.on.inputs = {{"target", Input{}}};

    CHECK(check_problems(definition) == Lines{
                                         "the matrix has no 'gp' | did you mean 'go'?",
                                         "on.manual.inputs has no 'tarket' | did you mean 'target'?",
                                         "a pull request has no 'nummer' | did you mean 'number'?",
                                         "'sha' is text and has no members",
                                         "'stage' has no 'nam' | did you mean 'name'?",
                                     });
    CHECK(check_problems(stage("a", {step("s", "${{ matrix.go }}")})) == Lines{"stage 'a' has no matrix"});
    CHECK(check_problems(stage("a", {step("s", "${{ branch matches '(' }}")})).front().starts_with(
        "the pattern of 'matches' is wrong"));
}

TEST_CASE("a step may only refer to what has run before it", "[checks]")
{
    auto one = stage("one", {step("a", "${{ steps.c.image }}"), step("b", "${{ steps.b.image }}")});
    one.steps.push_back({{step("c"), step("d", "${{ steps.c.outputs.x }}")}});
    one.condition = text("${{ steps.a.state == 'x' }}");
    auto two = stage("two", {step("e", "${{ steps.bb.image }} ${{ steps.a.imgae }} ${{ steps['one/x'].image }}")});
    auto three = stage("three", {step("f", "${{ steps.a.image }}")}, Lines{});

    CHECK(check_problems(pipeline_of({one, two, three})) ==
          Lines{
              "step 'a' has not run when this part of stage 'one' is computed",
              "step 'c' runs only after step 'a'",
              "step 'b' refers to itself",
              "step 'c' runs side by side with step 'd'",
              "there is no step 'bb' | did you mean 'b'?",
              "a step has no 'imgae' | did you mean 'image'?",
              "there is no step 'one/x' | there is a, b, c, d, e, f",
              "step 'a' belongs to stage 'one', which stage 'three' does not need | add needs: [one]",
          });
}

TEST_CASE("no stage is told to need one that needs it", "[checks]")
{
    const auto one = stage("one", {step("a", "${{ steps.b.image }}")});
    CHECK(check_problems(pipeline_of({one, stage("two", {step("b")}), stage("three", {step("b")}, Lines{"two"})})) ==
          Lines{"step 'b' belongs to stage 'three', which stage 'one' does not need | stage 'three' needs this one, so it runs later"});
    CHECK(check_problems(pipeline_of({one, stage("two", {step("b")}, Lines{})})) ==
          Lines{"step 'b' belongs to stage 'two', which stage 'one' does not need | add needs: [two]"});
}

TEST_CASE("volumes, networks and services must be declared", "[checks]")
{
    auto one = stage("a", {step("s")});
    auto& container = one.steps[0].steps[0].container;
    container.volumes = {VolumeMount{}, VolumeMount{}};
    container.volumes[0].source = Text("scrach");
    container.networks = {{"default", {}, "", "", {}}, {"back", {}, "", "", {}}};
    container.depends_on = {{"bd", Condition::service_started, true, {}}};
    Service db;
    db.name = "db";
    one.services = {db};
    auto definition = pipeline_of({one});
    definition.volumes.push_back({});
    definition.volumes.back().name = "scratch";

    CHECK(check_problems(definition) == Lines{
                                         "service 'db' has neither an image nor a build",
                                         "there is no volume 'scrach' | did you mean 'scratch'?",
                                         "there is no network 'back' | declare it at the top: networks: { back: {} }",
                                         "there is no service 'bd' | did you mean 'db'?",
                                     });
}

TEST_CASE("a link names a service, by a name that is free", "[checks]")
{
    auto one = stage("a", {step("s")});
    Service db, api, alone;
    db.name = "db";
    api.name = "api";
    alone.name = "alone";
    for (auto* service : {&db, &api, &alone})
        service->container.image = Text("x");
    alone.container.network_mode = "none";
    api.container.links = {{"db", "database", {}}, {"bd", "b", {}}};
    one.services = {db, api, alone};
    one.steps[0].steps[0].container.links = {{"db", "api", {}}, {"alone", "far", {}}, {"db", "db", {}}};

    CHECK(check_problems(one) ==
          Lines{
              "'api' is the name of another service | in a stage a name means the same to all",
              "service 'alone' has no name in the network of the stage | take its 'network_mode' away",
              "there is no service 'bd' | did you mean 'db'?",
          });
}

TEST_CASE("a further name means one service to all of a stage", "[checks]")
{
    auto one = stage("a", {step("s"), step("t")});
    for (const char* name : {"db1", "db2"}) {
        Service service;
        service.name = name;
        service.container.image = Text("x");
        one.services.push_back(service);
    }
    one.services[0].container.links = {{"db2", "database", {}}};
    one.steps[0].steps[0].container.links = {{"db1", "same", {}}, {"db2", "database", {}}, {"db1", "same", {}}};
    one.steps[1].steps[0].container.links = {{"db1", "database", {}}};
    CHECK(check_problems(one) ==
          Lines{"'database' is a further name of the service 'db2', too | in a stage a name means the same to all"});
}

TEST_CASE("networks are named, or their kind is", "[checks]")
{
    auto one = step("s");
    one.container.network_mode = "none";
    one.container.networks = {{"default", {}, "", "", {}}};

    CHECK(check_problems(stage("a", {one})) ==
          Lines{"'network_mode' and 'networks' cannot stand together | keep one of them"});
}

TEST_CASE("a fixed address is in a subnet that its network was given", "[checks]")
{
    const auto problems = [](const std::string& ipv4, const std::string& ipv6, const char* name = "back") {
        auto one = step("a");
        one.container.networks = {{name, {}, ipv4, ipv6, {}}};
        auto definition = pipeline_of({stage("s", {one})});
        definition.networks.resize(4);
        definition.networks[0].name = "back";
        definition.networks[0].ipam = {{"10.8.1.0/20", "", ""}, {"fd00:8::/64", "", ""}};
        definition.networks[1].name = "any";
        definition.networks[2].name = "theirs";
        definition.networks[2].external = true;
        definition.networks[3].name = "sized"; // the engine picks which
        definition.networks[3].ipam = {{"0.0.0.0/24", "", ""}};
        return check_problems(definition);
    };
    CHECK(problems("10.8.15.255", "fd00:8::5") == Lines{});
    CHECK(problems("10.9.9.9", "fd00:9::5", "theirs") == Lines{});
    CHECK(problems("10.9.9.9", "", "sized") == Lines{});
    CHECK(problems("10.8.16.0", "") == Lines{"'10.8.16.0' is in no subnet of the network 'back' | write one of 10.8.1.0/20"});
    CHECK(problems("", "fd00:8:0:1::5") == Lines{"'fd00:8:0:1::5' is in no subnet of the network 'back' | write one of fd00:8::/64"});
    CHECK(problems("10.9.9.9", "", "any") ==
          Lines{"'10.9.9.9' is in no subnet of the network 'any' | give it one: networks: { any: { ipam: { config: [{ subnet: … }] } } }"});
    CHECK(problems("10.9.9.9", "", "default") ==
          Lines{"'10.9.9.9' is in no subnet of the network 'default' | only networks that are declared at the top, with a subnet, have fixed addresses"});
}

TEST_CASE("services must not wait for each other", "[checks]")
{
    auto one = stage("a", {step("s")});
    Service db, api;
    db.name = "db";
    db.container.image = api.container.image = Text("x");
    api.name = "api";
    db.container.depends_on = {{"api", Condition::service_healthy, true, {}}};
    api.container.depends_on = {{"db", Condition::service_healthy, true, {}}};
    one.services = {db, api};

    CHECK(check_problems(one) == Lines{"services wait for each other in a circle: db waits for api waits for db"});

    one.services[0].container.depends_on.clear();
    one.services[0].container.links = {{"api", "other", {}}}; // what is linked to is there first
    CHECK(check_problems(one) == Lines{"services wait for each other in a circle: db waits for api waits for db"});
}

TEST_CASE("a long circle is told by its ends", "[checks]")
{
    auto one = stage("a", {step("s")});
    const int count = 3000;
    for (int i = 0; i < count; ++i) {
        Service service;
        service.name = "s" + std::to_string(i);
        service.container.image = Text("x");
        service.container.depends_on = {{"s" + std::to_string((i + 1) % count), Condition::service_started, true, {}}};
        one.services.push_back(std::move(service));
    }
    CHECK(check_problems(one) == Lines{"services wait for each other in a circle: s0 waits for s1 waits for s2 waits for s3 waits for s4 waits for s5 "
                                       "waits for s6 waits for s7 waits for … waits for s0"});
}

TEST_CASE("secrets are named, not given", "[checks]")
{
    auto one = step("s");
    one.secrets = {{"TOKEN", "npm_token"}, {"1X", "hunter2 is bad"}};
    one.secret_files = {{"key", "deploy_key"}};

    CHECK(check_problems(stage("a", {one})) ==
          Lines{
              "'1X' is no name for a variable | letters, digits and '_', not a digit first",
              "'hunter2 is bad' is no name of a secret | the name of a secret is meant, not its value",
              "'key' is not a path from the root | /run/secrets/key",
          });
}

TEST_CASE("report globs stay below the workspace", "[checks]")
{
    auto one = stage("a", {step("s")});
    one.artifacts.emplace();
    one.artifacts->reports = {{"coverage", {"/tmp/coverage.xml", "cov/*.info"}}, {"junit", {"a/../../junit.xml", "a..b/junit.xml"}}};
    const std::string hint = " | paths are relative to the workspace: \"build/**/junit.xml\"";
    CHECK(check_problems(one) == Lines{"report 'coverage': /tmp/coverage.xml is not relative to the workspace" + hint,
                                    "report 'junit': a/../../junit.xml leads out of the workspace" + hint});
}

TEST_CASE("caches have names and places of their own", "[checks]")
{
    auto one = stage("a", {step("s")});
    const auto add = [&one](const char* name, const char* path) {
        Cache cache;
        cache.name = name;
        cache.path = text(path);
        one.caches.push_back(cache);
    };
    add("npm", "node_modules");
    add("npm", "/root/.npm");
    add("m2", "~/.m2");
    add("same", "/workspace/node_modules/");
    add("later", "/c/${{ branch }}");
    add("all", "/");

    CHECK(check_problems(one) == Lines{"the stage has another cache 'npm'",
                                    "cache 'm2': the path '~/.m2' depends on image and user | write it in full, such as /root/.m2",
                                    "cache 'same': /workspace/node_modules is another cache's",
                                    "cache 'all': the path '/' is too much for a cache | name a folder below it"});
}

TEST_CASE("inputs must agree with their defaults", "[checks]")
{
    auto definition = pipeline_of({stage("a", {step("s")})});
    definition.on.inputs = {{"t", {Input::Type::choice, "", {"staging", "prod"}, "prd", false, {}}},
                            {"c", {Input::Type::choice, "", {}, std::nullopt, false, {}}}};

    CHECK(check_problems(definition) ==
          Lines{"the default of input 't', 'prd', is none of staging, prod | did you mean 'prod'?",
                "input 'c' has no options to choose from | add options: […]"});
}

TEST_CASE("what the engine lacks is said with its position", "[checks]")
{
    auto one = stage("a", {step("s")});
    Service db;
    db.name = "db";
    db.container.image = Text("postgres");
    db.container.healthcheck = Healthcheck{};
    db.container.healthcheck->test = {"CMD", "x"};
    db.mark = {0, 9, 7};
    one.services = {db};
    one.steps[0].steps[0].container.cap_add = {"NET_ADMIN"};
    one.steps[0].steps[0].container.marks["cap_add"] = {0, 12, 9};
    Step built;
    built.name = "app";
    built.build = Build{};
    built.build->mark = {0, 14, 9};
    one.steps.push_back({{built}});
    const Capabilities docker{"docker", {"healthcheck"}, {"image", "healthcheck"}};

    const auto problems = check(pipeline_of({one}), &docker);

    REQUIRE(problems.size() == 3);
    CHECK(problems[0].message == "services are not supported by the docker engine yet");
    CHECK(problems[0].mark.line == 9);
    CHECK(problems[1].message == "'cap_add' is not supported by the docker engine yet");
    CHECK(problems[1].mark.line == 12);
    CHECK(problems[1].path == "stages[0].steps[0].cap_add");
    CHECK(problems[2].message == "builds are not supported by the docker engine yet");
    const Capabilities all{"docker", {"services", "build"}, {"*"}};
    CHECK(check_problems(pipeline_of({one}), &all) == Lines{"'healthcheck' is not supported by the docker engine yet"});
}

TEST_CASE("what a builder cannot do is refused where it stands", "[checks]")
{
    auto one = stage("a", {step("s")});
    auto& built = one.steps[0].steps[0];
    built.run.reset();
    built.build = Build{};
    built.build->mark = {0, 3, 5};
    built.build->cache_to = {Text("x")};
    built.build->secrets = {"token"};
    built.build->ssh = {"default"};
    built.build->platforms = {"linux/amd64", "linux/arm64"};
    built.build->marks = {{"cache_to", {0, 4, 7}}, {"secrets", {0, 5, 7}}, {"platforms", {0, 6, 7}}};
    const Capabilities docker{"docker", {"build"}, {"*"}};

    const auto problems = check(pipeline_of({one}), &docker);

    REQUIRE(problems.size() == 4);
    CHECK(problems[0].message == "'ssh' of a build is not supported by the docker engine yet");
    CHECK(problems[0].mark.line == 3); // nobody knows better
    CHECK(problems[1].message == "'cache_to' of a build is not supported by the docker engine yet");
    CHECK(problems[1].mark.line == 4);
    CHECK(problems[1].path == "stages[0].steps[0].build.cache_to");
    CHECK(problems[2].message == "'secrets' of a build are not supported by the docker engine yet");
    CHECK(problems[3].message == "a build for several platforms is not supported by the docker engine yet");
    built.build->platforms = {"linux/arm64"};
    const Capabilities all{"docker", {"build", "build-cache-to", "build-secrets", "build-ssh"}, {"*"}};
    CHECK(check_problems(pipeline_of({one}), &all).empty());
}

TEST_CASE("the digest of a step's image is a name", "[checks]")
{
    CHECK(check_problems(pipeline_of({stage("a", {step("one"), step("two", "echo ${{ steps.one.digest }}")})})).empty());
}

TEST_CASE("a step reads the ports of its stage's services, and no other names of them", "[checks]")
{
    Service web;
    web.name = "web";
    web.container.image = Text("nginx");
    const auto problems_with = [&](const std::string& expression) {
        auto one = stage("a", {step("one", "echo ${{ " + expression + " }}")});
        one.services = {web};
        return check_problems(pipeline_of({one}));
    };
    CHECK(problems_with("services.web.ports[80]").empty());
    CHECK(problems_with("services.web.image").empty());
    CHECK(problems_with("services.wbe.ports").size() == 1);
    CHECK(problems_with("services.web.outputs").size() == 1);
}

TEST_CASE("ten thousand problems are found as fast as none", "[checks]")
{
    std::vector<Stage> stages;
    for (int i = 0; i < 3000; ++i)
        stages.push_back(stage("s" + std::to_string(i), {step("x", "${{ steps.nothere.image }} ${{ brnach }}")},
                               Lines{"s" + std::to_string((i + 1) % 3000), "unknown" + std::to_string(i)}));
    const auto start = std::chrono::steady_clock::now();

    const auto problems = check(pipeline_of(stages));

    CHECK(problems.size() == 9001);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30)); // unoptimised, on a busy machine
}
