#pragma once

#include "pipeline/build_definition.hpp"
#include "pipeline/checks.hpp"

#include <string>
#include <vector>

namespace gantry::pipeline {

using Lines = std::vector<std::string>;

// "message | hint" of each.
inline Lines check_problems(const Definition& definition, const Capabilities* capabilities = nullptr)
{
    Lines lines;
    for (const auto& problem : check(definition, capabilities))
        lines.push_back(problem.message + (problem.hint.empty() ? "" : " | " + problem.hint));
    return lines;
}

inline Lines check_problems(const Stage& one)
{
    return check_problems(pipeline_of({one}));
}

} // namespace gantry::pipeline
