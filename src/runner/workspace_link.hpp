#pragma once

#include <string>
#include <string_view>

namespace gantry::runner {

// As many as the kernel follows in one path (path_resolution(7)).
inline constexpr int k_most_links = 40;

// Where the symbolic link at `path`, which is in the workspace and normalised, leads to: normalised, too. Links of folders on
// the way are the engine's to follow. Throws bad_input for one that leads out of the workspace.
std::string linked_path(const std::string& path, std::string_view link);

} // namespace gantry::runner
