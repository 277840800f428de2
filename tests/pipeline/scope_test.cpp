#include "pipeline/scope.hpp"

#include "pipeline/build_definition.hpp"
#include "support/catch.hpp"

using namespace gantry::pipeline;

namespace {

PlanStage stage_in_row(std::string name, std::string row = {})
{
    PlanStage result;
    result.name = std::move(name);
    result.id = result.name + row;
    return result;
}

// What pasting the expression gives; "unknown": nothing yet.
std::string pasted(std::string_view expression, const Scope& scope)
{
    std::string error;
    const auto result = resolve(text("${{ " + std::string(expression) + " }}"), scope, &error);
    if (!error.empty())
        return "error: " + error;
    return result.is_literal() ? result.literal() : "unknown";
}

Event full_event(Event::Kind kind)
{
    Event event;
    event.kind = kind;
    event.branch = "the-branch";
    event.tag = "the-tag";
    event.ref = "the/ref";
    event.sha = "0123456789abcdef";
    event.before_sha = "the-sha-before";
    event.message = "the message";
    event.author = "the author";
    event.author_email = "the@mail";
    event.repo = "the/repo";
    event.repo_url = "https://forge.example/the/repo";
    event.default_branch = "the-default";
    event.pull_request = Event::PullRequest{17, "the title", "the-source", "the-target"};
    event.changed_files = std::vector<std::string>{"src/a.cpp", "docs/b.md"};
    event.inputs = {{"dry", "true"}, {"target", "staging"}};
    return event;
}

RuntimeFacts::Step that_put_out(std::string row)
{
    RuntimeFacts::Step result;
    result.outputs = {{"row", std::move(row)}};
    return result;
}

} // namespace

TEST_CASE("each name means what the event says under it, whatever kind of event it is", "[scope]")
{
    auto stage = stage_in_row("test", "[gpu=true,os=deb]");
    stage.matrix = {{"gpu", "true"}, {"os", "deb"}};
    const std::map<std::string, std::string> expected{
        {"branch", "the-branch"},
        {"tag", "the-tag"},
        {"ref", "the/ref"},
        {"sha", "0123456789abcdef"},
        {"short_sha", "01234567"},
        {"message", "the message"},
        {"author", "the author"},
        {"repo", "the/repo"},
        {"pull_request.number", "17"},
        {"pull_request.title", "the title"},
        {"pull_request.source_branch", "the-source"},
        {"pull_request.target_branch", "the-target"},
        {"pull_request.other", ""},
        {"changed_files", R"(["src/a.cpp","docs/b.md"])"},
        {"changed_files[1]", "docs/b.md"},
        {"inputs", R"({"dry":true,"target":"staging"})"},
        {"inputs.target", "staging"},
        {"inputs.dry == true && !inputs.other", "true"},
        {"matrix", R"({"gpu":true,"os":"deb"})"},
        {"stage", "test"},
        {"stage.name", "test"},
        {"stage.id", "test[gpu=true,os=deb]"},
        {"stage.other", ""},
        {"env.A", "unknown"},
        {"steps.a.image", "unknown"},
        {"services.a.image", "unknown"},
        {"always()", "unknown"},
    };
    const std::map<Event::Kind, std::string> kinds{{Event::Kind::push, "push"},
                                                   {Event::Kind::pull_request, "pull_request"},
                                                   {Event::Kind::tag, "tag"},
                                                   {Event::Kind::schedule, "schedule"},
                                                   {Event::Kind::manual, "manual"}};
    for (const auto& [kind, word] : kinds) {
        const auto event = full_event(kind);
        const auto scope = make_scope(event, stage);
        CHECK(pasted("event", scope) == word);
        for (const auto& [name, value] : expected) {
            INFO(word << ": " << name);
            CHECK(pasted(name, scope) == value);
        }
    }
}

TEST_CASE("what an event does not say equals null", "[scope]")
{
    const Event event;
    const auto stage = stage_in_row("test");
    const auto scope = make_scope(event, stage);
    CHECK(pasted("event", scope) == "manual");
    for (const auto* name : {"branch", "sha", "short_sha", "pull_request", "pull_request.number", "changed_files", "inputs.x", "matrix.x"})
        CHECK(pasted(std::string(name) + " == null", scope) == "true");
    Event clean;
    clean.changed_files.emplace();
    CHECK(pasted("changed_files", make_scope(clean, stage)) == "[]"); // it is known that nothing was
}

TEST_CASE("a row of a matrix reads the same row of another stage, where there is one", "[scope]")
{
    const Event event;
    RuntimeFacts facts;
    facts.stages["test[a=1]"]["unit"] = that_put_out("1");
    facts.stages["test[a=2]"]["unit"] = that_put_out("2");
    facts.stages["tests"]["unit"] = that_put_out("of another stage");
    const auto read_from = [&](const PlanStage& stage, const std::string& step) {
        return pasted("steps['" + step + "'].outputs.row", make_scope(event, stage, &facts));
    };
    CHECK(read_from(stage_in_row("deploy", "[a=1]"), "test/unit") == "1");
    CHECK(read_from(stage_in_row("deploy", "[a=2]"), "test/unit") == "2");
    CHECK(read_from(stage_in_row("deploy", "[a=2]"), "test[a=1]/unit") == "1");
    CHECK(read_from(stage_in_row("deploy", "[a=3]"), "test/unit") == "1"); // the first
    CHECK(read_from(stage_in_row("deploy"), "test/unit") == "1");
    CHECK(read_from(stage_in_row("deploy"), "tests/unit") == "of another stage");
    CHECK(read_from(stage_in_row("deploy"), "tes/unit") == "unknown");
    CHECK(read_from(stage_in_row("deploy"), "test/lint") == "unknown");
}

TEST_CASE("a step is looked for in its own stage, then in those that it needs, then in any", "[scope]")
{
    const Event event;
    auto stage = stage_in_row("deploy", "[a=2]");
    stage.needs = {"gone", "needed"};
    RuntimeFacts facts;
    facts.steps["own"] = that_put_out("own");
    for (const auto* name : {"any", "deploy[a=1]", "needed"}) {
        facts.stages[name]["own"] = that_put_out(name);
        facts.stages[name]["shared"] = that_put_out(name);
    }
    facts.stages["any"]["elsewhere"] = that_put_out("any");
    const auto row_of = [&](const std::string& step) {
        return pasted("steps['" + step + "'].outputs.row", make_scope(event, stage, &facts));
    };
    CHECK(row_of("own") == "own");
    CHECK(row_of("shared") == "needed");
    CHECK(row_of("elsewhere") == "any");
    CHECK(row_of("nowhere") == "unknown");
    // By its name and by its id, and not another row of it.
    CHECK(row_of("deploy/own") == "own");
    CHECK(row_of("deploy[a=2]/own") == "own");
    CHECK(row_of("deploy[a=1]/own") == "deploy[a=1]");
    CHECK(row_of("deploy/shared") == "unknown");
}

TEST_CASE("a step and a service tell what they put out", "[scope]")
{
    const Event event;
    const auto stage = stage_in_row("test");
    RuntimeFacts facts;
    facts.steps["app"] = {"shop:1", {{"digest", "sha256:1"}, {"n", "7"}, {"80/tcp", "32768"}, {"53/udp", "32769"}}, "success"};
    facts.steps["bare"];
    facts.services["db"] = {"postgres:16", {{"5432/tcp", "32770"}}, ""};
    const auto scope = make_scope(event, stage, &facts);
    CHECK(pasted("steps.app.image", scope) == "shop:1");
    CHECK(pasted("steps.app.state", scope) == "success");
    CHECK(pasted("steps.app.digest", scope) == "sha256:1");
    CHECK(pasted("steps.app.outputs", scope) == R"({"digest":"sha256:1","n":"7"})");
    CHECK(pasted("steps.app.ports", scope) == R"({"53/udp":"32769","80":"32768"})");
    CHECK(pasted("steps.bare.digest == null", scope) == "true");
    CHECK(pasted("services.db", scope) == R"({"image":"postgres:16","ports":{"5432":"32770"}})");
    CHECK(pasted("services.cache.image", scope) == "unknown");
    CHECK(pasted("'app' in steps && 'db' in services && !('db' in steps)", scope) == "true");
}

TEST_CASE("the status of a run is what has failed before, unless somebody stops it", "[scope]")
{
    const Event event;
    const auto stage = stage_in_row("test");
    RuntimeFacts facts;
    const auto statuses = [&] {
        std::string holding;
        for (const auto* function : {"success", "failure", "cancelled", "always"})
            holding += pasted(std::string(function) + "()", make_scope(event, stage, &facts)) == "true" ? std::string(function) + " " : "";
        return holding;
    };
    CHECK(statuses() == "success always ");
    facts.failed = true;
    CHECK(statuses() == "failure always ");
    facts.cancelled = true;
    CHECK(statuses() == "cancelled always ");
    facts.failed = false;
    CHECK(statuses() == "cancelled always ");

    CHECK(pasted("hashFiles('a', 'b')", make_scope(event, stage, &facts)) == "unknown");
    facts.hash_files = [](const std::vector<std::string>& globs) { return std::to_string(globs.size()) + globs.back(); };
    CHECK(pasted("hashFiles('a', 'b')", make_scope(event, stage, &facts)) == "2b");
}
