#include "pipeline/fixed_variables.hpp"

#include <algorithm>
#include <array>

namespace gantry::pipeline {

bool is_fixed_variable(std::string_view name)
{
    constexpr std::array<std::string_view, 7> k_fixed = {
        "CI", "GANTRY", "CI_ENV", "CI_OUTPUT", "CI_STEP_SUMMARY", "CI_WORKSPACE", "CI_STEP_ATTEMPT"};
    return std::find(k_fixed.begin(), k_fixed.end(), name) != k_fixed.end();
}

} // namespace gantry::pipeline
