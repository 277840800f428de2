// In which order the files of stages are put above one another.
#include "runner/stage_layers.hpp"

#include "support/catch.hpp"
#include "support/plan_builder.hpp"

using namespace gantry;
using namespace gantry::runner;
using namespace gantry::test;

namespace {

pipeline::PlanStage stands(int place, std::string id, std::vector<std::string> needs = {})
{
    auto result = stage(std::move(id), std::move(needs), {});
    result.place = place;
    return result;
}

pipeline::PlanStage clean(pipeline::PlanStage stage)
{
    stage.workspace.start = pipeline::WorkspaceStart::clean;
    return stage;
}

// What the plan's last stage builds on, lowest first, when all but `skipped` have left files.
std::vector<std::string> stack(std::vector<pipeline::PlanStage> stages, const std::string& skipped = {})
{
    const auto plan = plan_of(std::move(stages));
    StageLayers layers(plan, [](int) { return Owner(); });
    for (std::size_t at = 0; at < plan.stages.size(); ++at) {
        StageLayer layer;
        layer.stage = plan.stages[at].id;
        if (layer.stage != skipped)
            layers.opened(static_cast<int>(at), layer);
    }
    std::vector<std::string> ids;
    for (const auto& layer : layers.stack_of(static_cast<int>(plan.stages.size()) - 1))
        ids.push_back(layer.stage);
    return ids;
}

using Ids = std::vector<std::string>;

} // namespace

TEST_CASE("files of stages lie in the order of the file, whatever the order they are planned in", "[stage_layers]")
{
    CHECK(stack({stands(0, "a"), stands(1, "b"), stands(2, "end", {"b", "a"})}) == Ids{"a", "b"});
    // A file's order is a, b, z, end.
    CHECK(stack({stands(1, "b"), stands(2, "z"), stands(0, "a", {"z"}), stands(3, "end", {"a", "b"})}) == Ids{"z", "a", "b"});
    CHECK(stack({stands(1, "b"), stands(2, "z"), stands(3, "end", {"z", "b"})}) == Ids{"b", "z"});
    // What nobody asks for is not waited for: x, b, a with x on top of b.
    CHECK(stack({stands(1, "a"), stands(2, "b"), stands(0, "x", {"b"}), stands(3, "end", {"a", "b"})}) == Ids{"a", "b"});
}

TEST_CASE("files of a stage lie above those it was stacked on, wherever it stands", "[stage_layers]")
{
    CHECK(stack({stands(2, "low"), stands(1, "mid", {"low"}), stands(0, "top", {"mid"}), stands(3, "end", {"top"})}) ==
          Ids{"low", "mid", "top"});
    CHECK(stack({stands(2, "low"), stands(1, "mid", {"low"}), stands(0, "top", {"mid"}), stands(3, "end", {"top"})}, "mid") ==
          Ids{"low", "top"});
    CHECK(stack({stands(2, "low"), clean(stands(0, "top", {"low"})), stands(3, "end", {"top", "low"})}) == Ids{"top", "low"});
}

TEST_CASE("files of a matrix's rows lie in the order of the rows", "[stage_layers]")
{
    CHECK(stack({stands(0, "m[2]"), stands(0, "m[1]"), stands(1, "end", {"m[1]", "m[2]"})}) == Ids{"m[2]", "m[1]"});
}
