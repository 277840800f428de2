#pragma once

#include "pipeline/text.hpp"

#include <string>
#include <string_view>

namespace gantry::pipeline {

// Variables of a step that nothing gives another value (docs/variables.md): CI, CI_OUTPUT, …
bool is_fixed_variable(std::string_view name);

// Whether it is one of them, and the value is none that it has anyway.
bool is_other_value(std::string_view name, const Text& value);

// What is said of one that is given another value.
std::string fixed_variable_problem(std::string_view name);
std::string fixed_variable_hint(std::string_view name);

} // namespace gantry::pipeline
