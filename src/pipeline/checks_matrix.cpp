#include "pipeline/checks_internal.hpp"

#include "pipeline/matrix.hpp"

#include <algorithm>

namespace gantry::pipeline {

// Axes with expressions are counted when the plan is made.
void check_matrix(const Stage& stage, std::size_t index, Diagnostics& out)
{
    if (!stage.matrix)
        return;
    const auto is_written_out = [](const auto& axis) {
        return std::all_of(axis.second.begin(), axis.second.end(), [](const Text& value) { return value.is_literal(); });
    };
    const auto& axes = stage.matrix->axes;
    if (std::all_of(axes.begin(), axes.end(), is_written_out))
        matrix_rows(*stage.matrix, {}, fmt::format("stages[{}].matrix", index), out);
}

} // namespace gantry::pipeline
