#include "runner/workspace_link.hpp"

#include "base/format.hpp"
#include "pipeline/container_path.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace gantry::runner {

awaitable<std::string> follow_in_workspace(engine::Engine& engine, const std::string& container, std::string path)
{
    std::string target;
    try {
        target = co_await engine.follow_link(container, path);
    } catch (const Error& error) {
        if (error.code() != Errc::not_found) // who reads it tells
            throw;
    }
    if (target.empty())
        co_return path;
    if (!pipeline::is_in_folder(target, pipeline::k_workspace_folder))
        throw Error(Errc::bad_input, fmt::format("'{}' is a link to '{}', which is not in the workspace", terminal_safe(path), terminal_safe(target)),
                    "name a file or folder of the repository, or a link to one");
    co_return target;
}

bool is_behind_a_file(const Error& error) { return std::string_view(error.what()).find("not a directory") != std::string_view::npos; }

} // namespace gantry::runner
