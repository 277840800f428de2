#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace gantry::runner {

// The line, from 1, on which each instruction of a Dockerfile begins, in their order: what a builder calls step n is the n-th
// (Docker, "Dockerfile reference": comments, the escape directive, continued lines). Total: whatever the text is.
std::vector<int> instruction_lines(std::string_view dockerfile);

// The line of the first instruction of a Dockerfile that has nothing but ARG: there is nothing to build, and Docker's builder
// breaks the connection instead of saying so. Nothing for any other, whatever else is wrong with it.
std::optional<int> line_of_arguments_alone(std::string_view dockerfile);

} // namespace gantry::runner
