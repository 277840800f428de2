#include "pipeline/frontend/repository_file.hpp"

#include "pipeline/frontend/yaml_problems.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <fmt/format.h>

namespace gantry::pipeline::native {

std::optional<std::string> repository_path(std::string_view folder, std::string_view path)
{
    if (path.empty() || path.front() == '/' || path.find('\\') != std::string_view::npos)
        return std::nullopt;
    std::vector<std::string> parts;
    for (const auto& whole : {folder, path}) {
        for (auto& part : split(whole, '/')) {
            if (part.empty() || part == ".")
                continue;
            if (part != "..") {
                parts.push_back(std::move(part));
                continue;
            }
            if (parts.empty())
                return std::nullopt;
            parts.pop_back();
        }
    }
    return parts.empty() ? "." : join(parts, "/");
}

std::string folder_of(std::string_view path)
{
    const auto slash = path.rfind('/');
    return std::string(path.substr(0, slash == std::string_view::npos ? 0 : slash));
}

RepositoryFile read_repository_file(const ReadFile& read_file, const std::string& path)
{
    RepositoryFile file;
    try {
        file.text = read_file(path);
        if (!file.text) {
            file.problem = fmt::format("there is no file '{}'", clip(path));
            file.is_missing = true;
        }
    } catch (const Error& error) {
        file.problem = fmt::format("cannot read '{}': {}", clip(path), error.what());
        file.hint = error.hint();
    } catch (const std::exception& error) {
        file.problem = fmt::format("cannot read '{}': {}", clip(path), error.what());
    }
    if (file.text && file.text->starts_with("\xef\xbb\xbf"))
        file.text->erase(0, 3);
    return file;
}

} // namespace gantry::pipeline::native
