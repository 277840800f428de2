#pragma once

#include "pipeline/build_definition.hpp"
#include "pipeline/plan.hpp"
#include "support/catch.hpp"

#include <string>
#include <vector>

// What a definition is planned for, and the plan in a few words.

namespace gantry::pipeline {

inline Event push_to_main()
{
    Event event;
    event.kind = Event::Kind::push;
    event.branch = "main";
    event.sha = "0123456789abcdef";
    return event;
}

inline Plan plan_of(const Definition& definition, const PlanOptions& options = {})
{
    const auto planned = make_plan(definition, push_to_main(), options);
    for (const auto& problem : planned.diagnostics)
        FAIL_CHECK(problem.message);
    return planned.plan;
}

inline std::vector<std::string> plan_problems(const Definition& definition, const PlanOptions& options = {})
{
    std::vector<std::string> lines;
    for (const auto& problem : make_plan(definition, push_to_main(), options).diagnostics)
        lines.push_back(problem.message + (problem.hint.empty() ? "" : " | " + problem.hint));
    return lines;
}

// "build: a b", one for each stage.
inline std::vector<std::string> outline(const Plan& plan)
{
    std::vector<std::string> lines;
    for (const auto& stage : plan.stages) {
        lines.push_back(stage.id + ":");
        for (const auto& one : stage.steps)
            lines.back() += " " + one.id;
    }
    return lines;
}

inline Definition three_stages()
{
    auto test = stage("test", {step("unit"), step("lint"), step("report")});
    test.matrix = matrix_of({{"go", {"1.22", "1.23"}}});
    return pipeline_of({stage("build", {step("unit"), step("pack")}), test, stage("deploy", {step("ship")})});
}

} // namespace gantry::pipeline
