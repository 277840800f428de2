#pragma once

#include "pipeline/frontend/native.hpp"
#include "support/source_dir.hpp"

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace gantry::pipeline {

using Files = std::map<std::string, std::string>;

// Parses `.gantry.yml` of a repository that has just these files.
inline Parsed parse_files(Files files)
{
    return parse_native(".gantry.yml", [files = std::move(files)](const std::string& path) -> std::optional<std::string> {
        const auto found = files.find(path);
        return found == files.end() ? std::nullopt : std::optional(found->second);
    });
}

inline Parsed parse_text(const std::string& text) { return parse_files({{".gantry.yml", text}}); }

constexpr const char* k_compose_pipeline = "image: x\ncompose: compose.yml\nsteps: [x]\n";

// A pipeline whose stage takes this Compose file.
inline Parsed parse_compose(const std::string& compose, Files files = {})
{
    files.emplace(".gantry.yml", k_compose_pipeline);
    files.emplace("compose.yml", compose);
    return parse_files(std::move(files));
}

// The problems as people see them; empty when there are none.
inline std::string problems_of(const Parsed& parsed) { return render_text(parsed.diagnostics, parsed.sources); }
inline std::string problems_of(const std::string& text) { return problems_of(parse_text(text)); }

// "line:column code path": one line for each problem.
inline std::string places_of(const Parsed& parsed)
{
    std::string places;
    for (const auto& problem : parsed.diagnostics) {
        const auto& mark = problem.mark;
        places += (places.empty() ? "" : "\n") + parsed.sources.at(static_cast<std::size_t>(mark.file)).path + ":" +
                  std::to_string(mark.line) + ":" + std::to_string(mark.column) + " " + problem.code + " " + problem.path;
    }
    return places;
}
inline std::string places_of(const std::string& text) { return places_of(parse_text(text)); }

inline std::filesystem::path data_folder() { return std::filesystem::path(test::source_dir()) / "tests/data/pipeline"; }

inline std::optional<std::string> read_text(const std::filesystem::path& path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return std::nullopt;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

} // namespace gantry::pipeline
