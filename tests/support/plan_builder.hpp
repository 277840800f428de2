#pragma once

#include "pipeline/plan.hpp"

#include <string>
#include <utility>
#include <vector>

// Plans for tests, as short as they can be said.

namespace gantry::test {

inline pipeline::PlanStep step(std::string id)
{
    pipeline::PlanStep result;
    result.id = std::move(id);
    result.run = pipeline::Text("true");
    result.shell = {"sh", "-ec"};
    result.container.image = pipeline::Text("busybox");
    return result;
}

// Runs side by side with the one before it in the list.
inline pipeline::PlanStep beside(pipeline::PlanStep step)
{
    step.group = -1;
    return step;
}

inline pipeline::PlanStep in_finally(pipeline::PlanStep step)
{
    step.in_finally = true;
    return step;
}

// `condition` without braces: "failure()".
template <typename StepOrStage>
StepOrStage when(const std::string& condition, StepOrStage value)
{
    value.condition = pipeline::Text(std::vector{pipeline::Text::Part{true, condition, {}}});
    return value;
}

template <typename StepOrStage>
StepOrStage may_fail(StepOrStage value)
{
    value.allow_failure = true;
    return value;
}

inline pipeline::PlanStep retried(int max, pipeline::PlanStep step)
{
    step.retry.max = max;
    return step;
}

// Steps in the order of the list, each a group of its own unless it is beside the one before it.
inline pipeline::PlanStage stage(std::string id, std::vector<std::string> needs, std::vector<pipeline::PlanStep> steps)
{
    pipeline::PlanStage result;
    result.name = id.substr(0, id.find('['));
    result.id = std::move(id);
    result.needs = std::move(needs);
    int group = -1;
    for (auto& step : steps) {
        step.group = step.group == -1 ? group : ++group;
        result.steps.push_back(std::move(step));
    }
    return result;
}

inline pipeline::Plan plan_of(std::vector<pipeline::PlanStage> stages)
{
    pipeline::Plan plan;
    plan.pipeline = "demo";
    plan.event.branch = "main";
    plan.event.ref = "refs/heads/main";
    plan.event.repo = "group/demo";
    plan.event.sha = "4f2a9c1d0000000000000000000000000000beef";
    plan.stages = std::move(stages);
    return plan;
}

} // namespace gantry::test
