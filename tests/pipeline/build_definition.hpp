#pragma once

#include "pipeline/definition.hpp"
#include "pipeline/expression.hpp"

#include <string>
#include <vector>

// Definitions without YAML: stage("build", {step("unit", "make")}).

namespace gantry::pipeline {

inline Text text(std::string_view source, Mark mark = {})
{
    std::optional<SplitError> error;
    return split_text(source, mark, &error);
}

inline Step step(std::string name, std::string_view run = "make", int line = 0)
{
    Step result;
    result.name = std::move(name);
    result.mark = {0, line, 5};
    result.run = text(run, {0, line, 14});
    return result;
}

inline Stage stage(std::string name, std::vector<Step> steps, std::optional<std::vector<std::string>> needs = {})
{
    Stage result;
    result.name = std::move(name);
    result.container.image = Text("debian");
    for (auto& one : steps)
        result.steps.push_back({{std::move(one)}});
    if (needs) {
        result.needs.emplace();
        for (auto& need : *needs)
            result.needs->push_back({std::move(need), {}});
    }
    return result;
}

inline Definition pipeline_of(std::vector<Stage> stages)
{
    Definition result;
    result.name = "shop";
    result.stages = std::move(stages);
    return result;
}

inline Matrix matrix_of(std::vector<std::pair<std::string, std::vector<Text>>> axes)
{
    Matrix result;
    result.axes = std::move(axes);
    return result;
}

} // namespace gantry::pipeline
