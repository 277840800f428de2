#include "pipeline/plan.hpp"

#include "pipeline/plan_env.hpp"
#include "pipeline/plan_support.hpp"
#include "pipeline/scope.hpp"

#include "base/error.hpp"
#include "support/catch.hpp"

#include <chrono>

using namespace gantry::pipeline;

namespace {

using Lines = std::vector<std::string>;

Step step_with_env(std::string name, EnvMap env)
{
    auto result = step(std::move(name));
    result.container.environment = std::move(env);
    return result;
}

std::map<std::string, std::string> env_of(const PlanStep& one)
{
    std::map<std::string, std::string> result;
    for (const auto& [name, value] : one.container.environment)
        result[name] = value.source();
    return result;
}

} // namespace

TEST_CASE("a stage needs the one above unless it says otherwise", "[plan]")
{
    const auto plan = plan_of(pipeline_of({stage("a", {step("s")}), stage("b", {step("s")}),
                                           stage("c", {step("s")}, Lines{}), stage("d", {step("s")}, Lines{"a", "c"})}));

    REQUIRE(outline(plan) == Lines{"a: s", "c: s", "b: s", "d: s"}); // by rank, then as in the file
    CHECK(plan.stages[0].needs.empty());
    CHECK(plan.stages[2].needs == Lines{"a"});
    CHECK(plan.stages[3].needs == Lines{"a", "c"});
}

TEST_CASE("a matrix becomes one stage for each row, and who needs it needs all rows", "[plan]")
{
    auto definition = three_stages();
    definition.stages[1].steps[0].steps[0].container.image = text("golang:${{ matrix.go }}");

    const auto plan = plan_of(definition);

    REQUIRE(outline(plan) == Lines{"build: unit pack", "test[go=1.22]: unit lint report",
                                   "test[go=1.23]: unit lint report", "deploy: ship"});
    CHECK(plan.stages[2].matrix == MatrixRow{{"go", "1.23"}});
    CHECK(plan.stages[2].steps[0].container.image == Text("golang:1.23"));
    CHECK(plan.stages[3].needs == Lines{"test[go=1.22]", "test[go=1.23]"});

    definition.stages[2].needs = std::vector<Need>{Need{"test[go=1.23]", {}}};
    CHECK(plan_of(definition).stages[3].needs == Lines{"test[go=1.23]"});
    definition.stages[2].needs = std::vector<Need>{Need{"test[go=1.3]", {}}};
    CHECK(plan_problems(definition) == Lines{"there is no row 'test[go=1.3]' | did you mean 'test[go=1.23]'?"});
}

TEST_CASE("a stage keeps its place in the file, whatever it has to wait for", "[plan]")
{
    auto rows = stage("rows", {step("s")}, Lines{});
    rows.matrix = matrix_of({{"x", {Text("1"), Text("2")}}});
    const auto plan = plan_of(pipeline_of({stage("a", {step("s")}, Lines{"z"}), rows, stage("z", {step("s")}, Lines{})}));
    std::map<std::string, int> places;
    for (const auto& one : plan.stages)
        places[one.id] = one.place;
    CHECK(places == std::map<std::string, int>{{"a", 0}, {"rows[x=1]", 1}, {"rows[x=2]", 1}, {"z", 2}});
}

TEST_CASE("steps without a name get one from their place", "[plan]")
{
    auto one = stage("a", {step(""), step("step-3"), step("")});
    one.steps.push_back({{step("x"), step("y")}});
    one.finally_steps = {{{step("")}}};

    const auto plan = plan_of(pipeline_of({one}));

    CHECK(outline(plan) == Lines{"a: step-1 step-3 step-3-2 x y step-6"});
    CHECK(plan.stages[0].steps[3].group == 3);
    CHECK(plan.stages[0].steps[4].group == 3);
    CHECK(plan.stages[0].steps[5].group == 4);
    CHECK(plan.stages[0].steps[5].in_finally);
}

TEST_CASE("a container takes from its step, then its stage, then the defaults", "[plan]")
{
    auto definition = pipeline_of({stage("a", {step("s"), step("t")})});
    auto& defaults = definition.defaults.container;
    auto& of_stage = definition.stages[0].container;
    auto& of_step = definition.stages[0].steps[0].steps[0].container;
    defaults.image = Text("from-defaults");
    of_stage.image = Text("from-stage");
    defaults.user = Text("root");
    of_stage.user = Text("build");
    of_step.user = Text("me");
    defaults.labels = {{"a", "1"}, {"b", "1"}};
    of_step.labels = {{"b", "2"}};
    defaults.cap_drop = {"ALL"};
    defaults.dns = {"10.0.0.1"};
    of_stage.dns = {"10.0.0.2"};
    of_step.marks["cap_drop"] = {0, 1, 1};
    definition.defaults.shell = Lines{"bash", "-e"};
    definition.stages[0].retry = Retry{};
    definition.stages[0].retry->max = 2;
    definition.defaults.timeout = std::chrono::minutes(5);

    const auto plan = plan_of(definition);

    const auto& one = plan.stages[0].steps[0];
    CHECK(one.container.image == Text("from-stage"));
    CHECK(one.container.user == Text("me"));
    CHECK(plan.stages[0].steps[1].container.user == Text("build"));
    CHECK(one.container.labels == std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}});
    CHECK(one.container.cap_drop.empty());
    CHECK(plan.stages[0].steps[1].container.cap_drop == Lines{"ALL"});
    CHECK(one.container.dns == Lines{"10.0.0.2"});
    CHECK(one.shell == Lines{"bash", "-e", "-c"});
    CHECK(one.retry.max == 2);
    CHECK(one.timeout == std::chrono::minutes(5));
}

TEST_CASE("networks replace a network_mode from outside, and the other way round", "[plan]")
{
    auto definition = pipeline_of({stage("a", {step("joins"), step("stays")})});
    definition.defaults.container.network_mode = "none";
    auto& steps = definition.stages[0].steps;
    steps[0].steps[0].container.networks = {{"default", {}, "", "", {}}};
    definition.stages.push_back(stage("b", {step("alone")}));
    definition.stages[1].container.networks = {{"default", {}, "", "", {}}};
    definition.stages[1].steps[0].steps[0].container.network_mode = "host";

    const auto plan = plan_of(definition);
    CHECK_FALSE(plan.stages[0].steps[0].container.network_mode);
    CHECK(plan.stages[0].steps[0].container.networks.size() == 1);
    CHECK(plan.stages[0].steps[1].container.network_mode == "none");
    CHECK(plan.stages[1].steps[0].container.network_mode == "host");
    CHECK(plan.stages[1].steps[0].container.networks.empty());
}

TEST_CASE("variables are merged by name, the innermost wins, the command line over all", "[plan]")
{
    auto definition = pipeline_of({stage("a", {step_with_env("s", {{"D", "step"}, {"E", "step"}}), step("t")})});
    definition.env = {{"A", "top"}, {"B", "top"}, {"E", "top"}, {"F", text("${{ env.A }}/${{ short_sha }}")}};
    definition.defaults.container.environment = {{"B", "defaults"}, {"C", "defaults"}};
    definition.stages[0].container.environment = {{"C", "stage"}, {"D", "stage"}, {"G", text("${{ env.E }}!")}};
    PlanOptions options;
    options.env = {{"E", "given"}};

    const auto plan = plan_of(definition, options);

    using Env = std::map<std::string, std::string>;
    CHECK(env_of(plan.stages[0].steps[0]) == Env{{"A", "top"}, {"B", "defaults"}, {"C", "stage"}, {"D", "step"},
                                                 {"E", "given"}, {"F", "top/01234567"}, {"G", "given!"}});
    CHECK(env_of(plan.stages[0].steps[1]).at("D") == "stage");
}

TEST_CASE("a variable has what the one that it names had where it stands", "[plan]")
{
    auto definition = pipeline_of({stage("a", {step("s"), step_with_env("t", {{"B", text("${{ steps.s.outputs.o }}")},
                                                                              {"A", text("${{ env.B }}")},
                                                                              {"B", text("${{ env.B }}-${{ env.N }}")},
                                                                              {"N", "2"}})})});
    definition.env = {{"A", "base"}, {"N", "1"}};
    auto& user = definition.stages[0].steps[1].steps[0];
    user.run = text("echo ${{ env.A }} ${{ env.B }}");
    user.condition = text("env.A == 'x' && env.B");
    const auto plan = plan_of(definition);
    RuntimeFacts facts;
    facts.steps["s"].outputs = {{"o", "x"}};

    const auto& one = plan.stages[0].steps[1];
    const auto scope = make_scope(plan.event, plan.stages[0], one, &facts);
    CHECK(resolve(*one.run, scope, nullptr) == Text("echo x x-1"));
    std::map<std::string, std::string> values;
    for (const auto& [name, value] : one.container.environment)
        values[name] = resolve(value, scope, nullptr).source();
    CHECK(values == std::map<std::string, std::string>{{"A", "x"}, {"B", "x-1"}, {"N", "2"}});
    // The runner knows no variables where it decides.
    CHECK(resolve(*one.condition, make_scope(plan.event, plan.stages[0], &facts), nullptr) == Text("x-1"));
}

TEST_CASE("chains of variables do not grow without bound", "[plan]")
{
    EnvMap chain = {{"V0", text("${{ steps.s.outputs.o }}")}};
    for (int i = 1; i < 60; ++i) {
        const auto last = "V" + std::to_string(i - 1);
        chain.emplace_back("V" + std::to_string(i), text("${{ env." + last + " }}${{ env." + last + " }}"));
    }
    const auto plan = plan_of(pipeline_of({stage("a", {step("s"), step_with_env("t", chain)})}));
    for (const auto& [name, value] : plan.stages[0].steps[1].container.environment)
        CHECK(value.source().size() < 10'000);
}

TEST_CASE("an env_file lies under the variables of its own level", "[plan]")
{
    auto definition = pipeline_of({stage("a", {step_with_env("s", {{"A", "step"}})})});
    definition.stages[0].container.environment = {{"B", "stage"}};
    definition.stages[0].steps[0].steps[0].container.env_file = {EnvFileEntry{"ci/a.env"}};
    PlanOptions options;
    options.read_file = [](const std::string& path) -> std::optional<std::string> {
        if (path != "ci/a.env")
            return std::nullopt;
        return "# comment\nA=file\nB=file\nexport C = 'x # y' \nD=\"a\\nb\" # more\nE=v # note\r\nF=\n";
    };

    const auto plan = plan_of(definition, options);

    using Env = std::map<std::string, std::string>;
    CHECK(env_of(plan.stages[0].steps[0]) ==
          Env{{"A", "step"}, {"B", "file"}, {"C", "x # y"}, {"D", "a\nb"}, {"E", "v"}, {"F", ""}});
    CHECK(plan.stages[0].steps[0].container.env_file.empty());
    definition.stages[0].steps[0].steps[0].container.env_file = {EnvFileEntry{"ci/b.env"}};
    CHECK(plan_problems(definition, options) == Lines{"there is no file 'ci/b.env'"});
    definition.stages[0].steps[0].steps[0].container.env_file[0].required = false;
    CHECK(env_of(plan_of(definition, options).stages[0].steps[0]) == Env{{"A", "step"}, {"B", "stage"}});
    definition.stages[0].steps[0].steps[0].container.env_file[0].raw = true;
    options.read_file = [](const std::string&) { return "D='x' # y\n"; };
    CHECK(env_of(plan_of(definition, options).stages[0].steps[0]).at("D") == "'x' # y");
    definition.stages[0].steps[0].steps[0].container.env_file = {EnvFileEntry{"ci/b.env"}};
    options.read_file = [](const std::string&) { return "A=1\nnot a variable\n"; };
    CHECK(plan_problems(definition, options) == Lines{"ci/b.env:2 is not NAME=value"});
    options.read_file = [](const std::string& path) -> std::optional<std::string> {
        throw gantry::Error(gantry::Errc::bad_input, path + " leads out of the repository");
    };
    CHECK(plan_problems(definition, options) == Lines{"ci/b.env leads out of the repository"});
}

TEST_CASE("conditions are decided as far as they can be", "[plan]")
{
    auto definition = pipeline_of({stage("a", {step("s"), step("t"), step("u"), step("v"), step("w"), step("x")})});
    const auto set = [&](std::size_t index, std::string_view condition) {
        definition.stages[0].steps[index].steps[0].condition = text(condition);
    };
    set(0, "${{ branch == 'main' }}");
    set(1, "branch == 'dev'");
    set(2, "${{ event == 'push' && steps.s.outputs.x == branch }}");
    set(3, "${{ branch == 'main' || failure() }}");
    set(4, "${{ always() && branch != 'main' }}");
    set(5, "${{ failure() || steps.s.state == 'x' || branch == 'dev' }}");

    const auto plan = plan_of(definition);

    const auto left = [&](std::size_t index) {
        const auto& one = plan.stages[0].steps[index];
        return one.skip_reason ? "skip: " + *one.skip_reason : one.condition ? one.condition->source() : "";
    };
    CHECK(left(0).empty());
    CHECK(left(1) == "skip: branch == 'dev' does not hold: branch is 'main'");
    CHECK(left(2) == "${{ steps.s.outputs.x == 'main' }}");
    CHECK(left(3) == "${{ always() }}");
    CHECK(left(4) == "skip: always() && branch != 'main' does not hold: branch is 'main'");
    CHECK(left(5) == "${{ failure() || steps.s.state == 'x' }}");
}

TEST_CASE("a condition sees the variables of its own stage or step", "[plan]")
{
    auto own = stage("own", {step_with_env("s", {{"GO", "no"}}), step("t")});
    own.container.environment = {{"GO", "yes"}, {"UP", text("${{ env.TOP }}")}};
    own.condition = text("env.GO == 'yes' && env.UP == 'top'");
    own.steps[0].steps[0].condition = text("env.GO == 'no'");
    own.steps[1].steps[0].condition = text("env.GO == 'no'");
    auto later = stage("later", {step("u")});
    later.container.environment = {{"GO", text("${{ steps.t.outputs.go }}")}};
    later.condition = text("env.GO == 'yes'");
    auto definition = pipeline_of({own, later});
    definition.env = {{"GO", "top"}, {"TOP", "top"}};

    const auto plan = plan_of(definition);
    CHECK_FALSE(plan.stages[0].skip_reason);
    CHECK_FALSE(plan.stages[0].steps[0].skip_reason);
    CHECK(plan.stages[0].steps[1].skip_reason == "env.GO == 'no' does not hold: env.GO is 'yes'");
    CHECK(plan.stages[1].condition->source() == "${{ steps.t.outputs.go == 'yes' }}");

    definition.stages[0].container.environment[0].second = text("${{ sha.x }}");
    CHECK(plan_problems(definition) == Lines{"text has no members"});
    definition.stages[0].condition = text("env.TOP == 'no'");
    CHECK(plan_problems(definition) == Lines{});
}

TEST_CASE("a condition that cannot be computed is a problem at its place, unless its stage is skipped", "[plan]")
{
    auto definition = pipeline_of({stage("a", {step("s")})});
    definition.stages[0].steps[0].steps[0].condition = text("${{ branch.x == 1 }}", {0, 4, 11});

    const auto planned = make_plan(definition, push_to_main(), {});
    REQUIRE(planned.diagnostics.size() == 1);
    CHECK(planned.diagnostics[0].message == "text has no members");
    CHECK(planned.diagnostics[0].mark.line == 4);
    CHECK(planned.diagnostics[0].mark.column == 15);
    CHECK(planned.plan.stages.empty());
    definition.stages[0].condition = text("false");
    CHECK(plan_of(definition).stages[0].skip_reason == "false does not hold");
}

TEST_CASE("stage is the name of the stage, also where its id is asked for", "[plan]")
{
    auto one = stage("build", {step("s", "echo ${{ stage }} ${{ stage.name }} ${{ stage.id }} ${{ format('{0}', stage) }}"), step("t")});
    one.steps[0].steps[0].condition = text("stage == 'build'");
    one.steps[1].steps[0].condition = text("stage in ['test']");
    one.matrix = matrix_of({{"gcc", {"13"}}});

    const auto plan = plan_of(pipeline_of({one}));

    CHECK(plan.stages[0].steps[0].run == Text("echo build build build[gcc=13] build"));
    CHECK_FALSE(plan.stages[0].steps[0].skip_reason);
    CHECK(plan.stages[0].steps[1].skip_reason == "stage in ['test'] does not hold: stage is 'build'");
}

TEST_CASE("what comes from steps stays in the plan to be put in later", "[plan]")
{
    auto one = step("smoke", "echo ${{ short_sha }} ${{ steps.app.outputs.n }}");
    one.container.image = text("${{ steps.app.image }}");

    const auto plan = plan_of(pipeline_of({stage("a", {step("app"), one})}));

    CHECK(plan.stages[0].steps[1].run->source() == "echo 01234567 ${{ steps.app.outputs.n }}");
    CHECK(plan.stages[0].steps[1].container.image->source() == "${{ steps.app.image }}");
}

TEST_CASE("files are hashed when somebody can", "[plan]")
{
    auto definition = pipeline_of({stage("a", {step("s", "echo ${{ hashFiles('go.sum', '*.x') }}")})});
    PlanOptions options;
    CHECK(plan_of(definition, options).stages[0].steps[0].run->source() == "echo ${{ hashFiles('go.sum', '*.x') }}");

    Lines asked;
    options.hash_files = [&](const Lines& globs) {
        asked = globs;
        return "cafe";
    };

    CHECK(plan_of(definition, options).stages[0].steps[0].run->source() == "echo cafe");
    CHECK(asked == Lines{"go.sum", "*.x"});
}

TEST_CASE("the key of a cache by files is its name and their hash", "[plan]")
{
    auto definition = pipeline_of({stage("a", {step("s")})});
    Cache cache;
    cache.name = "npm";
    cache.path = Text("/c");
    cache.key_files = {"package-lock.json"};
    definition.stages[0].caches = {cache};
    PlanOptions options;
    CHECK(plan_of(definition, options).stages[0].caches[0].key.empty());

    std::string hash = "cafe";
    options.hash_files = [&](const Lines& globs) { return globs == cache.key_files ? hash : "other"; };
    CHECK(plan_of(definition, options).stages[0].caches[0].key.source() == "npm-cafe");

    hash.clear();
    const auto planned = make_plan(definition, push_to_main(), options);
    CHECK(planned.ok());
    CHECK(planned.plan.stages[0].caches[0].key.source() == "npm-none");
    CHECK(planned.diagnostics.at(0).message == "no file matches the key of cache 'npm'");
}

TEST_CASE("when 'on' does not match, nothing is planned, unless somebody insists", "[plan]")
{
    auto definition = three_stages();
    definition.on.declared = true;
    definition.on.manual = true;

    const auto skipped = plan_of(definition);
    CHECK(skipped.skip_reason == "'on' does not name push");
    CHECK(skipped.stages.empty());
    PlanOptions options;
    options.ignore_triggers = true;
    CHECK(plan_of(definition, options).stages.size() == 4);
}

TEST_CASE("inputs reach the event with their defaults", "[plan]")
{
    auto definition = pipeline_of({stage("a", {step("s", "echo ${{ inputs.target }}")})});
    definition.on.inputs = {{"target", {Input::Type::string, "", {}, "staging", false, {}}}};

    const auto plan = plan_of(definition);

    CHECK(plan.event.inputs.at("target") == "staging");
    CHECK(plan.stages[0].steps[0].run == Text("echo staging"));
}

TEST_CASE("the group of a pipeline is computed before the run", "[plan]")
{
    auto definition = pipeline_of({stage("a", {step("s")})});
    definition.env = {{"A", "b"}};
    definition.concurrency.emplace();
    auto& group = definition.concurrency->group;
    group = text("deploy-${{ branch }}-${{ env.A }}");
    definition.concurrency->limit = 2;
    definition.concurrency->cancel_in_progress = true;
    CHECK(plan_of(definition).concurrency == Concurrency{"deploy-main-b", 2, true, {}});
    PlanOptions options;
    options.env = {{"A", "given"}};
    CHECK(plan_of(definition, options).concurrency->group == Text("deploy-main-given"));

    group = text("deploy-${{ steps.x.outputs.to }}");
    CHECK(plan_problems(definition) == Lines{"'deploy-${{ steps.x.outputs.to }}' is not known before the run"});
    group = text("deploy-${{ branch.x }}"); // what is wrong is not unknown as well
    CHECK(plan_problems(definition) == Lines{"text has no members"});
    definition.concurrency.reset();
    CHECK_FALSE(plan_of(definition).concurrency);
}

TEST_CASE("where a stage runs is computed before the run, unless it is skipped", "[plan]")
{
    auto one = stage("a", {step("s")});
    one.matrix = matrix_of({{"arch", {"arm64"}}});
    one.runs_on = {{"arch", text("${{ matrix.arch }}")}, {"pool", text("${{ branch }}-${{ env.A }}")}};
    auto definition = pipeline_of({one});
    definition.env = {{"A", "b"}};
    CHECK(plan_of(definition).stages.at(0).runs_on == std::vector<std::pair<std::string, Text>>{{"arch", "arm64"}, {"pool", "main-b"}});

    definition.stages[0].runs_on[1].second = text("${{ steps.x.outputs.to }}", {0, 7, 11});
    CHECK(plan_problems(definition) == Lines{"'${{ steps.x.outputs.to }}' is not known before the run"});
    CHECK(make_plan(definition, push_to_main(), {}).diagnostics.at(0).mark.line == 7);
    definition.stages[0].condition = text("branch == 'dev'");
    CHECK(plan_of(definition).stages.at(0).skip_reason);
}

TEST_CASE("secrets are listed once, with the first step that wants them", "[plan]")
{
    auto one = step("s"), two = step("t");
    two.secrets = {{"A", "npm"}, {"C", "other"}};
    one.secrets = {{"A", "npm"}, {"B", "npm"}};
    one.secret_files = {{"/k", "key"}};

    CHECK(plan_of(pipeline_of({stage("a", {one, two})})).secrets() ==
          std::map<std::string, std::string>{{"key", "a/s"}, {"npm", "a/s"}, {"other", "a/t"}});
}

TEST_CASE("a problem that many rows share is told once", "[plan]")
{
    auto definition = three_stages();
    definition.env = {{"X", text("${{ sha.x }}")}};

    CHECK(plan_problems(definition) == Lines{"text has no members"});
}

TEST_CASE("what would get too large is refused before it does", "[plan]")
{
    std::vector<Text> values;
    for (int i = 0; i < 200; ++i)
        values.emplace_back(std::to_string(i));
    auto one = stage("a", {});
    for (int i = 0; i < 200; ++i)
        one.steps.push_back({{step("")}});
    one.matrix = matrix_of({{"x", values}});
    CHECK(plan_problems(pipeline_of({one})) == Lines{"the plan has 40000 steps; 20000 are the limit"});

    one.steps.resize(50);
    one.container.environment = {{"BIG", std::string(100'000, 'x')}};
    CHECK(plan_problems(pipeline_of({one})) == Lines{"the plan takes more than 134 MB"});

    auto event = push_to_main();
    event.message = std::string(500'000, 'x');
    auto loud = pipeline_of({stage("a", {step_with_env("s", {{"M", text("${{ message }}${{ message }}${{ message }}")}})})});
    CHECK(make_plan(loud, event, {}).diagnostics.at(0).message == "the text gets longer than 1 MiB");
}

TEST_CASE("ten thousand steps are planned in time that grows with their number", "[plan]")
{
    std::vector<Stage> stages;
    for (int i = 0; i < 100; ++i) {
        stages.push_back(stage("stage" + std::to_string(i), {}));
        for (int j = 0; j < 100; ++j)
            stages.back().steps.push_back({{step("s" + std::to_string(j), "echo ${{ short_sha }}")}});
    }
    const auto definition = pipeline_of(stages);
    const auto start = std::chrono::steady_clock::now();

    CHECK(plan_of(definition).stages.size() == 100);

    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30)); // unoptimised, on a busy machine
}
