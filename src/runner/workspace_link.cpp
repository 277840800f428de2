#include "runner/workspace_link.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "pipeline/container_path.hpp"

#include <fmt/format.h>

namespace gantry::runner {

std::string linked_path(const std::string& path, std::string_view link)
{
    const auto whole = link.starts_with('/') ? std::string(link) : path.substr(0, path.rfind('/') + 1).append(link);
    auto linked = pipeline::normalised_path(whole);
    if (!pipeline::is_in_folder(linked, pipeline::k_workspace_folder))
        throw Error(Errc::bad_input, fmt::format("'{}' is a link to '{}', which is not in the workspace", terminal_safe(path), terminal_safe(link)),
                    "name a file or folder of the repository, or a link to one");
    return linked;
}

} // namespace gantry::runner
