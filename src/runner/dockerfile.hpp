#pragma once

#include <string_view>
#include <vector>

namespace gantry::runner {

// The line, from 1, on which each instruction of a Dockerfile begins, in their order: what a builder calls step n is the n-th
// (Docker, "Dockerfile reference": comments, the escape directive, continued lines). Total: whatever the text is.
std::vector<int> instruction_lines(std::string_view dockerfile);

} // namespace gantry::runner
