#pragma once

#include "runner/lower.hpp"
#include "support/plan_builder.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gantry::test {

inline pipeline::Text expression(const std::string& source)
{
    return pipeline::Text(std::vector{pipeline::Text::Part{true, source, {}}});
}

// A plan of one stage with one step, and all that lower_step asks for.
struct LowerFixture {
    LowerFixture() : plan(plan_of({test::stage("build", {}, {test::step("compile")})}))
    {
        context.plan = &plan;
        context.stage = &plan.stages[0];
        context.step = &plan.stages[0].steps[0];
        context.owner = {"1f2e", "17", "build", "compile", 2};
        context.run_number = 17;
        context.secrets = &secrets;
        context.image = "busybox";
        context.network = "stage-net";
        engine::Mount workspace;
        workspace.source = "workspace";
        workspace.target = runner::k_workspace;
        context.mounts = {workspace};
    }
    LowerFixture(const LowerFixture&) = delete;

    engine::ContainerSpec lower() const { return lower_step(context); }
    std::optional<std::string> variable(const std::string& name) const
    {
        for (const auto& [key, value] : lower().environment)
            if (key == name)
                return value;
        return std::nullopt;
    }

    pipeline::PlanStage& stage() { return plan.stages[0]; }
    pipeline::PlanStep& step() { return plan.stages[0].steps[0]; }
    pipeline::Container& container() { return step().container; }

    pipeline::Plan plan;
    std::map<std::string, Secret> secrets;
    runner::StepContext context;
};

} // namespace gantry::test
