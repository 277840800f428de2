#include "pipeline/fixed_variables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace gantry::pipeline {

bool is_fixed_variable(std::string_view name)
{
    constexpr std::array<std::string_view, 7> k_fixed = {
        "CI", "GANTRY", "CI_ENV", "CI_OUTPUT", "CI_STEP_SUMMARY", "CI_WORKSPACE", "CI_STEP_ATTEMPT"};
    return std::find(k_fixed.begin(), k_fixed.end(), name) != k_fixed.end();
}

bool is_other_value(std::string_view name, const Text& value)
{
    const bool is_true = (name == "CI" || name == "GANTRY") && value.is_literal() && value.literal() == "true";
    return is_fixed_variable(name) && !is_true;
}

std::string fixed_variable_problem(std::string_view name) { return fmt::format("'{}' is set by gantry itself", name); }

std::string fixed_variable_hint(std::string_view name)
{
    return fmt::format("steps get no other value; in a script: {}=… command", name);
}

} // namespace gantry::pipeline
