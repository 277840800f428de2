#include "runner/artifact_patterns.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "pipeline/artifact_pattern.hpp"

#include <algorithm>
#include <utility>

namespace gantry::runner {

namespace {

// Below the workspace.
std::string checked_path(const std::string& written)
{
    auto pattern = pipeline::artifact_pattern(written);
    if (!pattern.problem.empty())
        throw Error(Errc::bad_input, "artifacts: " + pattern.problem, pipeline::k_artifact_pattern_hint);
    return std::move(pattern.path);
}

bool is_of_git(std::string_view path)
{
    for (const auto& name : split(path, '/'))
        if (to_lower(name) == ".git")
            return true;
    return false;
}

std::string with(const std::string& path, const std::string& name)
{
    return path.empty() ? name : path + "/" + name;
}

} // namespace

ArtifactPatterns::Pattern::Pattern(const std::string& text)
    : written(text), path(checked_path(text)), itself(path.empty() ? "**" : path), below(with(path, "**"))
{
}

ArtifactPatterns::ArtifactPatterns(const std::vector<std::string>& patterns, const std::vector<std::string>& exclude)
{
    for (const auto& text : patterns)
        patterns_.emplace_back(text);
    for (const auto& text : exclude)
        exclude_.emplace_back(text);
}

bool ArtifactPatterns::matches(std::string_view path)
{
    if (is_of_git(path) ||
        std::any_of(exclude_.begin(), exclude_.end(), [path](const Pattern& pattern) { return pattern.matches(path); }))
        return false;
    bool found = false;
    for (auto& pattern : patterns_)
        if (pattern.matches(path))
            found = pattern.is_used = true;
    return found;
}

std::vector<std::string> ArtifactPatterns::unused() const
{
    std::vector<std::string> written;
    for (const auto& pattern : patterns_)
        if (!pattern.is_used)
            written.push_back(pattern.written);
    return written;
}

std::set<std::string> ArtifactPatterns::starts() const
{
    std::set<std::string> starts;
    for (const auto& pattern : patterns_) {
        std::string start;
        for (const auto& name : split(pattern.path, '/')) {
            if (name.find_first_of("*?[{\\") != std::string::npos)
                break;
            start = with(start, name);
        }
        starts.insert(start);
    }
    return outermost(starts);
}

std::set<std::string> outermost(const std::set<std::string>& starts)
{
    std::set<std::string> kept;
    for (const auto& start : starts) {
        bool is_below = false;
        for (auto slash = start.find('/'); slash != std::string::npos && !is_below; slash = start.find('/', slash + 1))
            is_below = starts.contains(start.substr(0, slash));
        if (!is_below && (start.empty() || !starts.contains("")))
            kept.insert(start);
    }
    return kept;
}

} // namespace gantry::runner
