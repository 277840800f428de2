#pragma once

#include <string>
#include <string_view>

// Paths inside of containers.

namespace gantry::pipeline {

inline constexpr const char* k_workspace_folder = "/workspace"; // the stage's files
inline constexpr const char* k_exchange_folder = "/run/gantry"; // the files that CI_ENV, CI_OUTPUT, … name

// From the root, without "." and ".."; empty for a path that leaves it.
std::string normalised_path(std::string_view path);

// Whether it is the folder, or in it. Both are normalised.
bool is_in_folder(std::string_view path, std::string_view folder);

// Where something is mounted.
struct MountTarget {
    std::string path;          // without '/' at its end
    std::string problem, hint; // why nothing can be mounted there; empty: it can
};
MountTarget mount_target(std::string_view written);

} // namespace gantry::pipeline
