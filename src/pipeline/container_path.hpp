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

// Whether it is in /proc, /sys or /dev, where files and processes have no place of their own. It is normalised.
bool is_kernels(std::string_view path);

// A path as somebody wrote it.
struct ContainerPath {
    std::string path;          // normalised
    std::string problem, hint; // why it cannot be used for this; empty: it can
};
// Where something is mounted.
ContainerPath mount_target(std::string_view written);
// Where a step starts: from the root, or from the workspace, which "" is.
ContainerPath step_folder(std::string_view written);

} // namespace gantry::pipeline
