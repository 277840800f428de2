#include "pipeline/checks_internal.hpp"

#include "pipeline/glob.hpp"

#include "base/format.hpp"

#include <algorithm>

namespace gantry::pipeline {

namespace {

// Reports are found by their paths below the workspace, so these would never be.
std::string problem_of(const std::string& pattern)
{
    if (pattern.starts_with('/'))
        return "is not relative to the workspace";
    const auto names = split(pattern, '/');
    if (std::find(names.begin(), names.end(), "..") != names.end())
        return "leads out of the workspace";
    const auto problem = Glob(pattern).problem();
    return problem.empty() ? "" : "is " + problem;
}

} // namespace

void check_artifacts(const Stage& stage, std::size_t index, Diagnostics& out)
{
    if (!stage.artifacts)
        return;
    const auto path = fmt::format("stages[{}].artifacts.reports", index);
    for (const auto& [kind, patterns] : stage.artifacts->reports)
        for (const auto& pattern : patterns)
            if (const auto problem = problem_of(pattern); !problem.empty())
                out.push_back(
                    error_at(stage.artifacts->mark, "bad-path",
                             fmt::format("report '{}': {} {}", terminal_safe(kind), terminal_safe(pattern), problem),
                             path, "paths are relative to the workspace: \"build/**/junit.xml\""));
}

} // namespace gantry::pipeline
