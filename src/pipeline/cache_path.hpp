#pragma once

#include <string>
#include <string_view>

namespace gantry::pipeline {

// Where `path` of a cache is in the containers.
struct CachePath {
    std::string target;        // absolute, without "." and ".."; empty when there is a problem
    std::string problem, hint;
};
// A relative path is below the workspace.
CachePath cache_path(std::string_view written);

} // namespace gantry::pipeline
