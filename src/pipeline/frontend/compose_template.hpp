#pragma once

#include "pipeline/text.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Compose's `$` (Compose specification, "Interpolation"): $NAME, ${NAME}, ${NAME:-default}, ${NAME-default},
// ${NAME:?message}, ${NAME?message}, ${NAME:+other}, ${NAME+other}, $$ for a dollar sign. What stands behind the operator
// is a template itself, computed only where it is needed. A colon makes empty values count as none.

namespace gantry::pipeline::native {

// The value of a variable; null when it has none. A value with `${{ }}` is put in as it is and counts as not empty.
using FindVariable = std::function<const Text*(const std::string& name)>;

constexpr std::size_t k_max_interpolated_bytes = 64 * 1024; // of one value

struct Interpolated {
    struct Problem {
        std::size_t offset; // in the template
        std::string message, hint;
    };
    struct Unset {
        std::size_t offset;
        std::string name;
    };
    std::string text;               // `${{` in it begins an expression of a variable's value
    std::optional<Problem> problem; // the first; then `text` means nothing
    std::vector<Unset> unset;       // variables without value that became empty text
};

// Never throws for anything that stands in `source`. A `${{` of the template itself, or one that comes about by putting
// values in, is a problem: it would be an expression of the pipeline.
Interpolated interpolate(std::string_view source, const FindVariable& find);

} // namespace gantry::pipeline::native
