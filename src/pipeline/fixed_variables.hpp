#pragma once

#include <string_view>

namespace gantry::pipeline {

// Variables of a step that nothing gives another value (docs/variables.md): CI, CI_OUTPUT, …
bool is_fixed_variable(std::string_view name);

} // namespace gantry::pipeline
