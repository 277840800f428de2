#include "pipeline/artifact_pattern.hpp"

#include "pipeline/container_path.hpp"
#include "pipeline/glob.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <vector>

namespace gantry::pipeline {

namespace {

// Why it matches nothing at all, by itself or as a folder; empty: it may match. What is fine as a folder, the longer of the
// two, is so by itself, too.
std::string glob_problem(const std::string& path)
{
    const auto of_folder = Glob(path + "/**").problem();
    const auto problem = of_folder.empty() ? std::string() : Glob(path).problem();
    return problem.empty() ? of_folder : problem;
}

} // namespace

ArtifactPattern artifact_pattern(std::string_view written)
{
    ArtifactPattern pattern;
    auto path = written;
    if (path.starts_with('/') && is_in_folder(path, k_workspace_folder))
        path.remove_prefix(std::string_view(k_workspace_folder).size());
    else if (path.starts_with('/'))
        pattern.problem = fmt::format("'{}' is not in the workspace", terminal_safe(written));
    std::vector<std::string> names;
    for (auto& name : split(path, '/')) {
        if (name == ".." && pattern.problem.empty())
            pattern.problem = fmt::format("'{}' leads out of the workspace", terminal_safe(written));
        if (!name.empty() && name != ".")
            names.push_back(std::move(name));
    }
    pattern.path = join(names, "/");
    if (pattern.problem.empty() && !pattern.path.empty())
        if (const auto problem = glob_problem(pattern.path); !problem.empty())
            pattern.problem = fmt::format("'{}': {}", terminal_safe(written), problem);
    return pattern;
}

} // namespace gantry::pipeline
