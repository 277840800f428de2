#pragma once

#include "pipeline/container_values.hpp"

#include <cstddef>
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

constexpr std::size_t k_max_cache_key_bytes = 512;
// A key, or the beginning of one: it is shown, and not long.
extern const ValueRule k_cache_key_rule;

} // namespace gantry::pipeline
