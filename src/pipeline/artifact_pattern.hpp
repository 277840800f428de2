#pragma once

#include <string>
#include <string_view>

namespace gantry::pipeline {

// One of the `paths` or `exclude` of artifacts: a glob, relative to the workspace, or absolute and below it.
struct ArtifactPattern {
    std::string path;    // below the workspace, without "."; empty: all of it
    std::string problem; // names the pattern, and why nothing can be meant by it; empty: it can
};
ArtifactPattern artifact_pattern(std::string_view written);

inline constexpr const char* k_artifact_pattern_hint = "paths are relative to the workspace";

} // namespace gantry::pipeline
