#pragma once

#include "pipeline/native_support.hpp"

namespace gantry::pipeline {

// The problems of a Compose file, "line:column message | hint": one line for each.
inline std::string compose_problems(const std::string& compose, Files files = {})
{
    std::string told;
    for (const auto& problem : parse_compose(compose, std::move(files)).diagnostics)
        told += (told.empty() ? "" : "\n") + std::to_string(problem.mark.line) + ":" + std::to_string(problem.mark.column) + " " +
                (problem.severity == Severity::warning ? "warning: " : "") + problem.message + (problem.hint.empty() ? "" : " | " + problem.hint);
    return told;
}

// The same of a service that has an image and `keys`, which begin at 4:5.
inline std::string compose_service_problems(const std::string& keys, Files files = {})
{
    return compose_problems("services:\n  s:\n    image: i\n    " + keys + "\n", std::move(files));
}

// What the stage gets of these files, which stand under its `compose` in their order.
inline Parsed parse_compose_files(const std::vector<std::string>& files, Files others = {})
{
    std::string names;
    for (std::size_t i = 0; i < files.size(); ++i) {
        const auto name = std::string(1, static_cast<char>('a' + i)) + ".yml";
        names += (names.empty() ? "" : ", ") + name;
        others.emplace(name, files[i]);
    }
    others.emplace(".gantry.yml", "image: x\ncompose: [" + names + "]\nsteps: [x]\n");
    return parse_files(std::move(others));
}

} // namespace gantry::pipeline
