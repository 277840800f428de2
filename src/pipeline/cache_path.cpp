#include "pipeline/cache_path.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <vector>

namespace gantry::pipeline {

namespace {

constexpr std::string_view k_workspace = "/workspace";
// The kernel's, and what gantry itself puts into every container.
constexpr std::string_view k_taken[] = {"/proc", "/sys", "/dev", "/run/gantry"};

// Nothing for a path that leaves the root.
std::string normalised(std::string_view path)
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

bool is_below(std::string_view path, std::string_view folder)
{
    return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

} // namespace

CachePath cache_path(std::string_view written)
{
    const auto shown = terminal_safe(written);
    const auto refused = [&shown](std::string why, std::string hint = {}) {
        return CachePath{{}, fmt::format("the path '{}' {}", shown, why), std::move(hint)};
    };
    if (written.empty())
        return refused("names no folder");
    if (written.front() == '~')
        return refused("depends on image and user", "write it in full, such as /root" + terminal_safe(written.substr(1)));
    if (written.find('\0') != std::string_view::npos)
        return refused("holds a NUL byte");
    const auto path = normalised(written.front() == '/' ? std::string(written) : fmt::format("{}/{}", k_workspace, written));
    if (path.empty())
        return refused("leads out of the container");
    if (path == "/" || path == k_workspace)
        return refused("is too much for a cache", "name a folder below it");
    if (written.front() != '/' && !is_below(path, k_workspace))
        return refused("leads out of the workspace", "write it in full, from the root");
    for (const auto folder : k_taken)
        if (is_below(path, folder))
            return refused(fmt::format("is in {}, which cannot be kept", folder));
    return {path, {}, {}};
}

} // namespace gantry::pipeline
