#include "pipeline/triggers.hpp"

#include "support/catch.hpp"

using namespace gantry::pipeline;

namespace {

Event push_to(std::string branch)
{
    Event event;
    event.kind = Event::Kind::push;
    event.branch = std::move(branch);
    return event;
}

Event tagged(std::string tag)
{
    Event event;
    event.kind = Event::Kind::tag;
    event.tag = std::move(tag);
    return event;
}

Event of_kind(Event::Kind kind)
{
    Event event;
    event.kind = kind;
    return event;
}

Triggers on_push(std::vector<std::string> branches, std::vector<std::string> tags, std::vector<std::string> paths = {})
{
    Triggers triggers;
    triggers.declared = true;
    triggers.push = PushTrigger{std::move(branches), std::move(tags), {std::move(paths)}};
    return triggers;
}

} // namespace

TEST_CASE("without 'on' everything starts it but a schedule", "[triggers]")
{
    for (const auto kind : {Event::Kind::push, Event::Kind::tag, Event::Kind::pull_request, Event::Kind::manual})
        CHECK(match_triggers({}, of_kind(kind)).runs);
    CHECK_FALSE(match_triggers({}, of_kind(Event::Kind::schedule)).runs);
}

TEST_CASE("what 'on' does not name does not start it", "[triggers]")
{
    const auto triggers = on_push({}, {});

    CHECK(match_triggers(triggers, push_to("any")).runs);
    CHECK(match_triggers(triggers, tagged("v1")).runs);
    CHECK(match_triggers(triggers, of_kind(Event::Kind::manual)).reason == "'on' does not name manual");
    CHECK(match_triggers(triggers, of_kind(Event::Kind::pull_request)).reason == "'on' does not name pull_request");
}

TEST_CASE("branches and tags leave each other out", "[triggers]")
{
    CHECK(match_triggers(on_push({"main", "release/*"}, {}), push_to("release/2")).runs);
    CHECK(match_triggers(on_push({"main", "release/*"}, {}), push_to("dev")).reason ==
          "push to 'dev': on.push.branches is main, release/*");
    CHECK(match_triggers(on_push({"main"}, {}), tagged("v1")).reason == "tag 'v1': on.push names only branches");
    CHECK(match_triggers(on_push({}, {"v*"}), push_to("main")).reason == "push to 'main': on.push names only tags");
    CHECK(match_triggers(on_push({}, {"v*"}), tagged("v1")).runs);
}

TEST_CASE("paths need one changed file that matches, when the files are known", "[triggers]")
{
    const auto triggers = on_push({}, {}, {"src/**", "!src/docs/**"});
    auto event = push_to("main");

    CHECK(match_triggers(triggers, event).runs);
    event.changed_files = {"README", "src/a.cpp"};
    CHECK(match_triggers(triggers, event).runs);
    event.changed_files = {"README", "src/docs/a"};
    CHECK(match_triggers(triggers, event).reason ==
          "none of 2 changed files matches on.push.paths (src/**, !src/docs/**)");
}

TEST_CASE("a pull request is judged by its target", "[triggers]")
{
    Triggers triggers;
    triggers.declared = true;
    triggers.pull_request = PullRequestTrigger{{"main"}, {}};
    auto event = of_kind(Event::Kind::pull_request);
    event.pull_request = Event::PullRequest{1, "t", "main", "dev"};

    CHECK(match_triggers(triggers, event).reason == "pull request into 'dev': on.pull_request.branches is main");
    event.pull_request->target_branch = "main";
    CHECK(match_triggers(triggers, event).runs);
}

TEST_CASE("a message can ask to skip, but not when somebody starts it by hand", "[triggers]")
{
    auto event = push_to("main");
    event.message = "Fix a typo [Skip CI]";
    CHECK_FALSE(match_triggers({}, event).runs);
    event.message = "x [ci skip]";
    CHECK_FALSE(match_triggers({}, event).runs);
    event.kind = Event::Kind::manual;
    CHECK(match_triggers({}, event).runs);
}

TEST_CASE("inputs get their defaults and are checked against their types", "[triggers]")
{
    Triggers triggers;
    Input target{Input::Type::choice, "", {"staging", "prod"}, "staging", false, {}};
    Input count{Input::Type::number, "", {}, std::nullopt, true, {}};
    Input force{Input::Type::boolean, "", {}, "false", false, {}};
    triggers.inputs = {{"target", target}, {"count", count}, {"force", force}};
    Event event;

    auto problems = complete_inputs(triggers, event);
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].message == "input 'count' is required");
    CHECK(event.inputs == std::map<std::string, std::string>{{"force", "false"}, {"target", "staging"}});

    event.inputs = {{"target", "stagin"}, {"count", "1x"}, {"force", "yes"}, {"tarket", "x"}};
    problems = complete_inputs(triggers, event);
    REQUIRE(problems.size() == 4);
    CHECK(problems[0].message == "input 'count': '1x' is not a number");
    CHECK(problems[1].message == "input 'force': 'yes' is neither true nor false");
    CHECK(problems[2].message == "input 'target': 'stagin' is none of staging, prod");
    CHECK(problems[2].hint == "did you mean 'staging'?");
    CHECK(problems[3].message == "there is no input 'tarket'");
    CHECK(problems[3].hint == "did you mean 'target'?");

    auto pushed = push_to("main");
    CHECK(complete_inputs(triggers, pushed).empty());
}
