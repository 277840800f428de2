// Where text that outsiders choose may not stand.
#include "pipeline/checks_support.hpp"
#include "support/catch.hpp"

using namespace gantry::pipeline;

TEST_CASE("text from outside is refused in scripts, also on detours, but may be compared", "[checks]")
{
    const auto refused = [](std::string_view run) { return check_problems(stage("a", {step("s", run)})); };

    CHECK(refused("echo ${{ branch }}") ==
          Lines{"'branch' is text from outside and would become part of the script | use \"$CI_COMMIT_BRANCH\": the "
                "shell does not run what is in a variable"});
    CHECK_THAT(refused("${{ message }}").at(0), ContainsSubstring("$CI_COMMIT_MESSAGE"));
    CHECK_THAT(refused("${{ author }}").at(0), ContainsSubstring("$CI_COMMIT_AUTHOR"));
    CHECK_THAT(refused("${{ pull_request.title }}").at(0), ContainsSubstring("$CI_PULL_REQUEST_TITLE"));
    CHECK_THAT(refused("${{ format('v{0}', tag) }}").at(0), ContainsSubstring("$CI_COMMIT_TAG"));
    CHECK(refused("${{ branch == 'main' && 'x' || 'y' }} ${{ sha }} ${{ pull_request.number }}") == Lines{});

    auto detour = stage("a", {step("s", "echo ${{ env.TITLE }} ${{ env.CLEAN }} ${{ matrix.b }} ${{ env.TWICE }}")});
    detour.container.environment = {{"TITLE", text("x ${{ pull_request.title }}")}, {"CLEAN", text("${{ branch }}")}};
    detour.matrix = matrix_of({{"b", {text("${{ branch }}")}}});
    detour.steps[0].steps[0].container.environment = {{"CLEAN", "main"}, {"TWICE", text("${{ env.TITLE }}")}};
    const auto problems = check_problems(detour);
    REQUIRE(problems.size() == 3);
    CHECK_THAT(problems[0], ContainsSubstring("'env.TITLE' is text from outside"));
    CHECK_THAT(problems[0], ContainsSubstring("use \"$TITLE\""));
    CHECK_THAT(problems[1], ContainsSubstring("'matrix.b' is text from outside"));
    CHECK_THAT(problems[2], ContainsSubstring("'env.TWICE' is text from outside"));

    Step shell;
    shell.name = "s";
    shell.container.command = std::vector<Text>{"sh", "-ec", text("echo ${{ message }}"), text("${{ message }}")};
    CHECK(check_problems(stage("a", {shell})).size() == 1);
}

TEST_CASE("text from outside is refused where a program takes it for a script", "[checks]")
{
    const auto outside = text("echo ${{ message }}");
    using Words = std::vector<Text>;
    const auto problems_of = [](const std::optional<Words>& entrypoint, const std::optional<Words>& command) {
        Step step;
        step.name = "s";
        step.container.entrypoint = entrypoint;
        step.container.command = command;
        return check_problems(stage("a", {step})).size();
    };
    for (const auto& words : {Words{"bash", "-cx", outside}, Words{"/bin/sh", "-c", "-e", outside}, Words{"perl", "-ne", outside},
                              Words{"python3", "-c", outside}, Words{"env", "sh", "-c", outside}, Words{"node", "-p", outside},
                              Words{"sh", "-c", "--", outside}, Words{"bash", "-c", "--norc", "--", outside}, Words{"env", "sh", "-c", "--", outside},
                              Words{"env", "-S", outside}, Words{"pwsh", "-Command", outside}, Words{"node", "--eval", outside}}) {
        CHECK(problems_of({}, words) == 1);
        CHECK(problems_of(words, {}) == 1);
        CHECK(problems_of(Words(words.begin(), words.end() - 1), Words{outside}) == 1);
    }
    for (const auto& words : {Words{"tar", "-cf", outside}, Words{"bash", "-e", "script", outside}, Words{"sh", "-c", "true", outside},
                              Words{"bash", "--rcfile", outside}, Words{"echo", outside}, Words{outside}, Words{"bash", "--", outside},
                              Words{"sh", "-c", "true", "--", outside}, Words{"curl", "-S", outside}})
        CHECK(problems_of({}, words) == 0);

    auto inherits = stage("a", {step("r", "true"), Step(), Step()});
    for (int i : {1, 2}) {
        inherits.steps[i].steps[0].name = "s" + std::to_string(i);
        inherits.steps[i].steps[0].container.command = Words{outside};
    }
    inherits.container.entrypoint = Words{"sh", "-c"};
    CHECK(check_problems(inherits).size() == 2);
    inherits.container.entrypoint = Words{"sh", "-c", outside};
    CHECK(check_problems(inherits).size() == 1);

    auto serves = stage("a", {step("r", "true")});
    Service service;
    service.name = "db";
    service.container.image = Text("db");
    service.container.command = Words{"sh", "-c", outside};
    serves.services = {service};
    CHECK(check_problems(serves).size() == 1);
}

TEST_CASE("text from outside is refused in scripts when it comes as the name of an image, too", "[checks]")
{
    const auto of = [](Step made, const char* script, const char* name = "db") {
        auto one = stage("one", {std::move(made)});
        Service db;
        db.name = name;
        db.container.image = text("db:${{ tag }}");
        one.services = {db};
        auto use = step("use", script);
        use.container.image = Text("debian");
        one.steps.push_back({{use}});
        auto lines = check_problems(pipeline_of({stage("first", {step("i")}), one, stage("last", {step("late", script)})}));
        std::erase_if(lines, [](const std::string& line) { return line.find("text from outside") == std::string::npos; });
        return lines;
    };
    auto runs = step("i");
    runs.container.image = text("x:${{ branch }}");
    CHECK(of(runs, "docker rmi ${{ steps.i.image }}").size() == 2);
    CHECK(of(runs, "docker rmi ${{ steps.i.image }}").at(0) ==
          "'steps.i.image' is text from outside and would become part of the script | put it into a variable under "
          "environment and use that, in quotes: \"$NAME\"");
    CHECK(of(runs, "echo ${{ steps['one/i'].image }}").size() == 2);
    CHECK(of(runs, "echo ${{ join([steps.i]) }}").size() == 2);
    CHECK(of(runs, "echo ${{ steps['first/i'].image }} ${{ steps.i.outputs.x }} ${{ steps.i.image == 'x' }}").empty());
    runs.container.environment = {{"TAG", text("${{ branch }}")}};
    runs.container.image = text("x:${{ env.TAG }}");
    CHECK(of(runs, "echo ${{ steps.i.image }}").size() == 2);
    runs.container.image = text("x:${{ short_sha }}");
    CHECK(of(runs, "echo ${{ steps.i.image }}").empty());

    Step built;
    built.name = "app";
    built.build.emplace();
    built.build->tags = {text("x.example/app:${{ short_sha }}"), text("x.example/app:${{ branch }}")};
    CHECK(of(built, "docker rmi ${{ steps.app.image }}").size() == 2);
    built.build->tags.pop_back();
    CHECK(of(built, "docker rmi ${{ steps.app.image }}").empty());
    built.build.reset();
    built.push.emplace();
    built.push->image = text("x.example/app:${{ tag }}");
    built.push->tags = {text("x.example/app:latest")};
    CHECK(of(built, "docker rmi ${{ steps.app.image }}").size() == 2);

    CHECK(of(step("i"), "docker rmi ${{ services.db.image }}").size() == 1);
    CHECK(of(step("i"), "docker rmi ${{ services.db.ports[80] }}").empty());
}

TEST_CASE("an image of a stage that stands further down is known, too", "[checks]")
{
    auto made = step("i");
    made.container.image = text("x:${{ branch }}");
    auto user = step("use");
    user.container.image = text("${{ steps.i.image }}");
    const auto problems = check_problems(pipeline_of({stage("ends", {step("e", "echo ${{ steps.use.image }}")}, Lines{"uses"}),
                                                      stage("uses", {user}, Lines{"makes"}), stage("makes", {made}, Lines{})}));
    REQUIRE(problems.size() == 1);
    CHECK_THAT(problems[0], ContainsSubstring("'steps.use.image' is text from outside"));
}

TEST_CASE("text from outside is refused in scripts when it comes with the row of a matrix", "[checks]")
{
    const auto problems_of = [](const char* script, const char* value) {
        auto rows = stage("a", {step("s", script)});
        rows.matrix = matrix_of({{"b", {text(value), "x"}}, {"c", {"1"}}});
        return check_problems(rows).size();
    };
    for (const auto* script : {"echo ${{ stage.id }}", "echo ${{ stage['id'] }}", "echo ${{ stage[matrix.c] }}", "echo ${{ matrix.b }}",
                               "echo ${{ matrix[matrix.c] }}"}) {
        CAPTURE(script);
        CHECK(problems_of(script, "${{ branch }}") == 1);
        CHECK(problems_of(script, "${{ sha }}") == 0);
    }
    CHECK(problems_of("echo ${{ stage.name }} ${{ stage }} ${{ matrix.c }}", "${{ branch }}") == 0);
}

TEST_CASE("a service's expressions see the variables of its stage, not its own", "[checks]")
{
    const auto problems_of = [](const char* of_stage, const char* own) {
        auto serves = stage("a", {step("s", "true")});
        serves.container.environment = {{"T", text(of_stage)}};
        Service service;
        service.name = "db";
        service.container.image = Text("db");
        service.container.environment = {{"T", text(own)}};
        service.container.command = std::vector<Text>{"sh", "-c", text("echo ${{ env.T }}")};
        serves.services = {service};
        return check_problems(serves);
    };
    CHECK(problems_of("${{ branch }}", "x") ==
          Lines{"'env.T' is text from outside and would become part of the script | put it into a variable under the service's own "
                "environment and use that, in quotes: \"$NAME\""});
    CHECK(problems_of("x", "${{ branch }}").empty());
}
