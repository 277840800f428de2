#include "pipeline/plan.hpp"

#include "base/error.hpp"
#include "pipeline/random_plan.hpp"
#include "support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace gantry::pipeline;
using nlohmann::json;

namespace {

std::string refusal(const json& plan)
{
    try {
        plan_from_json(plan);
        return "accepted";
    } catch (const gantry::Error& error) {
        CHECK(error.code() == gantry::Errc::bad_input);
        return error.what();
    }
}

json one_step(json step)
{
    return {{"version", 1}, {"stages", {{{"id", "a"}, {"name", "a"}, {"steps", json::array({std::move(step)})}}}}};
}

} // namespace

TEST_CASE("a plan is the same after a way through JSON as text", "[plan][json]")
{
    std::size_t longest = 0;
    for (unsigned seed = 1; seed <= 200; ++seed) {
        const auto plan = RandomFill(seed).plan();
        INFO("seed " << seed);

        const auto text = to_json(plan).dump();
        longest = std::max(longest, text.size());

        REQUIRE(plan_from_json(json::parse(text)) == plan);
        REQUIRE(to_json(plan_from_json(json::parse(text))).dump() == text);
    }
    CHECK(longest > 5000);
}

TEST_CASE("what has its default is left out, expressions and positions are kept", "[plan][json]")
{
    Plan plan;
    plan.pipeline = "shop";
    PlanStage stage;
    stage.id = stage.name = "build";
    PlanStep step;
    step.id = "unit";
    step.run = Text("make");
    step.mark = {0, 7, 5};
    Text::Part expression{true, "steps.a.image", {1, 2, 3}};
    step.container.image = Text(std::vector<Text::Part>{{false, "x:", {}}, expression});
    step.container.environment = {{"B", "1"}, {"A", "2"}};
    stage.steps = {step};
    plan.stages = {stage};

    const auto expected = json::parse(R"({
        "pipeline": "shop", "version": 1,
        "stages": [{"id": "build", "name": "build", "steps": [{
            "id": "unit", "run": "make", "mark": [7, 5],
            "container": {
                "image": {"template": [{"text": "x:"}, {"expr": "steps.a.image", "mark": [2, 3, 1]}]},
                "environment": [{"name": "B", "value": "1"}, {"name": "A", "value": "2"}]}}]}]})");
    CHECK(to_json(plan) == expected);
    const auto read = plan_from_json(expected);
    CHECK(read.stages[0].steps[0].mark.line == 7);
    CHECK(read.stages[0].steps[0].container.image->parts()[1].mark.file == 1);
}

TEST_CASE("a plan that is wrong is refused with the pointer of the place", "[plan][json]")
{
    CHECK(refusal(json::array()) == "plan: : must be an object");
    CHECK(refusal({{"version", 2}}) == "plan: /version: this program reads version 1, not 2");
    CHECK(refusal({{"version", 1}, {"stags", json::array()}}) == "plan: /stags: is not known here");
    CHECK(refusal({{"version", 1}, {"stages", {1}}}) == "plan: /stages/0: must be an object");
    CHECK(refusal({{"version", 1}, {"stages", {json::object()}}}) == "plan: /stages/0: needs an id");
    CHECK(refusal(one_step({{"id", "s"}, {"run", 7}})) == "plan: /stages/0/steps/0/run: must be text");
    CHECK(refusal(one_step({{"id", "s"}, {"timeout", "soon"}})) ==
          "plan: /stages/0/steps/0/timeout: must be a duration such as 1m30s");
    CHECK(refusal(one_step({{"id", "s"}, {"group", 1e300}})).find("/group: must be a whole number from") !=
          std::string::npos);
    CHECK(refusal(one_step({{"id", "s"}, {"run", {{"template", {{{"expr", ""}}}}}}})) ==
          "plan: /stages/0/steps/0/run/template/0/expr: must not be empty");
    CHECK(refusal(one_step({{"id", "s"}, {"container", {{"labels", {{"a/b~", 1}}}}}})) ==
          "plan: /stages/0/steps/0/container/labels/a~1b~0: must be text");
    CHECK(refusal({{"version", 1}, {"event", {{"kind", "pull"}}}}) ==
          "plan: /event/kind: must be one of push, pull_request, tag, schedule, manual");
    auto twice = one_step({{"id", "s"}});
    twice["stages"].push_back(twice["stages"][0]);
    CHECK(refusal(twice) == "plan: /stages/1: the id 'a' is there twice");
    twice["stages"][1]["id"] = "b";
    twice["stages"][0]["needs"] = {"b"};
    CHECK(refusal(twice) == "plan: /stages/0: needs 'b', which is no stage before it");
}

TEST_CASE("a plan with any value replaced is read or refused, never worse", "[plan][json]")
{
    const std::vector<json> values = {nullptr, true, -1, 1e99, "x", json::array(), json::object(), {{"base64", "!"}},
                                      {{"template", 1}}, json::array({json::array({1})})};
    int refused = 0;
    for (unsigned seed = 1; seed <= 8; ++seed) {
        const auto whole = to_json(RandomFill(seed).plan());
        const auto flat = whole.flatten();
        for (const auto& [pointer, ignored] : flat.items()) {
            auto damaged = whole;
            damaged[json::json_pointer(pointer)] = values[(refused + seed) % values.size()];
            refused += refusal(damaged) != "accepted";
        }
    }
    CHECK(refused > 100);
}
