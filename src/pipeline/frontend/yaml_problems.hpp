#pragma once

#include "pipeline/diagnostic.hpp"

#include <string>
#include <string_view>

namespace gantry::pipeline::native {

constexpr const char* k_tab_message = "a tab cannot indent";
constexpr const char* k_tab_hint = "use spaces";

// Text of a user for a message: one line, at most 60 bytes, whole characters.
std::string clip(std::string_view text);

// What yaml-cpp's `message` at `mark` means, in words for people. `bracket` is the innermost open bracket, if there is one.
Diagnostic explain_syntax_error(std::string_view text, Mark mark, std::string_view message, Mark bracket);

} // namespace gantry::pipeline::native
