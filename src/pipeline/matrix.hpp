#pragma once

#include "pipeline/definition.hpp"
#include "pipeline/expression.hpp"

#include <string>
#include <vector>

namespace gantry::pipeline {

inline constexpr std::size_t k_max_rows = 256; // of one stage

// All rows in the order of the axes, the last axis fastest, without those that `exclude` names (a row is excluded when
// it has all pairs of an entry). Then `include` as GitHub has it: an entry that contradicts no value of an axis adds its
// further pairs to every row it fits (later entries may change added pairs, never those of axes); one that fits none
// becomes a row of its own. Rows that are equal in every pair are kept once.
// Appends to `problems` (at `path`) and returns what could be made: over k_max_rows, values that cannot be computed now,
// no rows at all.
std::vector<MatrixRow> matrix_rows(const Matrix& matrix, const Scope& scope, const std::string& path,
                                   Diagnostics& problems);

// Null where the row has no such key.
const std::string* find_value(const MatrixRow& row, const std::string& key);

// "gcc=13,os=deb": the axes in their order; a row that only `include` made has all its pairs.
std::string row_id(const Matrix& matrix, const MatrixRow& row);

// The ids of all rows, in their order; rows that agree in their axes are told apart by their further pairs.
std::vector<std::string> row_ids(const Matrix& matrix, const std::vector<MatrixRow>& rows);

} // namespace gantry::pipeline
