#include "pipeline/checks_internal.hpp"

#include "pipeline/matrix.hpp"

#include <algorithm>

namespace gantry::pipeline {

bool is_written_out(const Matrix& matrix)
{
    return std::all_of(matrix.axes.begin(), matrix.axes.end(), [](const auto& axis) {
        return std::all_of(axis.second.begin(), axis.second.end(), [](const Text& value) { return value.is_literal(); });
    });
}

// Axes with expressions are counted when the plan is made.
std::size_t check_matrix(const Stage& stage, std::size_t index, Diagnostics& out)
{
    if (!stage.matrix || !is_written_out(*stage.matrix))
        return 1;
    return matrix_rows(*stage.matrix, {}, fmt::format("stages[{}].matrix", index), out).size();
}

} // namespace gantry::pipeline
