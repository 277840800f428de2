#pragma once

#include "pipeline/definition.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace gantry::pipeline::native {

// `path`, written in a file of `folder` ("" is the root), from the root of the repository: "./ci//a.yml" is "ci/a.yml",
// the root itself is ".". Nothing when it is empty, absolute, or leaves the repository.
std::optional<std::string> repository_path(std::string_view folder, std::string_view path);

// "ci" of "ci/a.yml", "" of "a.yml".
std::string folder_of(std::string_view path);

// A file's text without its byte order mark, or why there is none: a message, and what to do where that is known.
struct RepositoryFile {
    std::optional<std::string> text;
    std::string problem, hint;
    bool is_missing = false; // and nothing else is wrong
};
RepositoryFile read_repository_file(const ReadFile& read_file, const std::string& path);

} // namespace gantry::pipeline::native
