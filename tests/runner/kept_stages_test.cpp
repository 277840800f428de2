// Which stages of an earlier run need not run again.
#include "runner/kept_stages.hpp"

#include "support/catch.hpp"
#include "support/plan_builder.hpp"

#include <map>
#include <set>

using namespace gantry;
using namespace gantry::runner;
using namespace gantry::test;

namespace {

using StageIds = std::set<std::string>;

// low, middle on it, high on both; `alone` beside them.
pipeline::Plan tower()
{
    return plan_of({stage("low", {}, {step("s")}), stage("middle", {"low"}, {step("s")}), stage("high", {"middle"}, {step("s")}),
                    stage("alone", {}, {step("s")})});
}

std::map<std::string, SavedLayer> saved_of(const StageIds& ids)
{
    std::map<std::string, SavedLayer> files;
    for (const auto& id : ids)
        files[id];
    if (ids.contains("middle"))
        files["middle"].below = {"low"};
    return files;
}

StageIds ids_kept(const StageIds& passed, const std::map<std::string, SavedLayer>& files, Wanted wanted = Wanted::what_stages_build_on)
{
    const auto plan = tower();
    RunSummary summary;
    for (const auto& stage : plan.stages) {
        summary.stages.emplace_back();
        summary.stages.back().stage = stage.id;
        summary.stages.back().state = passed.contains(stage.id) ? State::success : State::failure;
    }
    StageIds ids;
    for (const auto& [id, what] : kept_stages(plan, summary, files, wanted))
        ids.insert(id);
    return ids;
}

} // namespace

TEST_CASE("a stage on which one builds that runs again is kept with its files only", "[kept_stages]")
{
    CHECK(ids_kept({"low", "middle", "alone"}, saved_of({"low", "middle"})) == StageIds{"low", "middle", "alone"});
    CHECK(ids_kept({"low", "middle", "alone"}, {}) == StageIds{"alone"});
    CHECK(ids_kept({"low", "middle", "high"}, {}) == StageIds{"low", "middle", "high"});
    CHECK(ids_kept({"low", "middle"}, saved_of({"low"})) == StageIds{"low"});
}

TEST_CASE("files are of no use without those that they lie on", "[kept_stages]")
{
    CHECK(ids_kept({"low", "middle", "alone"}, saved_of({"middle"})) == StageIds{"alone"});
    CHECK(ids_kept({"middle", "alone"}, saved_of({"middle"})) == StageIds{"alone"}); // whatever low left when it failed
}

TEST_CASE("where all changes are wanted, a stage is kept with its files only, and with all of them", "[kept_stages]")
{
    const auto kept_with = [](std::map<std::string, SavedLayer> files) {
        return ids_kept({"low", "middle", "alone"}, files, Wanted::all_changes);
    };
    CHECK(kept_with({}) == StageIds{});
    CHECK(kept_with(saved_of({"low", "middle"})) == StageIds{"low", "middle"});
    CHECK(kept_with(saved_of({"middle", "alone"})) == StageIds{"alone"});
    auto files = saved_of({"low", "middle", "alone"});
    CHECK(kept_with(files) == StageIds{"low", "middle", "alone"});
    files["low"].is_part = true;
    CHECK(kept_with(files) == StageIds{"alone"});
    CHECK(ids_kept({"low", "middle", "alone"}, files) == StageIds{"low", "middle", "alone"});
}
