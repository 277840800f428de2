#include "pipeline/container_path.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <vector>

namespace gantry::pipeline {

std::string normalised_path(std::string_view path)
{
    std::vector<std::string> names;
    for (auto& name : split(path, '/')) {
        if (name.empty() || name == ".")
            continue;
        if (name != "..")
            names.push_back(std::move(name));
        else if (!names.empty())
            names.pop_back();
        else
            return {};
    }
    return "/" + join(names, "/");
}

bool is_in_folder(std::string_view path, std::string_view folder)
{
    return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

bool is_kernels(std::string_view path)
{
    return is_in_folder(path, "/proc") || is_in_folder(path, "/sys") || is_in_folder(path, "/dev");
}

ContainerPath mount_target(std::string_view written)
{
    ContainerPath target;
    if (!written.starts_with('/')) {
        target.problem = fmt::format("'{}' is not a path from the root", terminal_safe(written));
        target.hint = "write the path in the container, such as /data";
        return target;
    }
    target.path = normalised_path(written);
    if (target.path.empty()) {
        target.problem = fmt::format("'{}' leads out of the container", terminal_safe(written));
        target.hint = "write the path without '..'";
    } else if (target.path == "/") {
        target.problem = "nothing can be mounted over the root of a container";
        target.hint = "choose a folder below it";
    } else if (target.path == k_workspace_folder || is_in_folder(target.path, k_exchange_folder)) {
        target.problem = fmt::format("{} is taken by gantry", terminal_safe(target.path));
        target.hint = "choose another path";
    }
    return target;
}

ContainerPath step_folder(std::string_view written)
{
    ContainerPath folder;
    folder.path = normalised_path(written.starts_with('/') ? std::string(written)
                                                           : fmt::format("{}/{}", k_workspace_folder, written));
    if (folder.path.empty()) {
        folder.problem = fmt::format("'{}' leads out of the container", terminal_safe(written));
        folder.hint = "write the path without '..'";
    } else if (is_kernels(folder.path)) {
        folder.problem = fmt::format("{} is the kernel's", terminal_safe(folder.path));
        folder.hint = "start elsewhere, and go there in 'run'";
    }
    return folder;
}

} // namespace gantry::pipeline
