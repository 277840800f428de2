#pragma once

#include "pipeline/diagnostic.hpp"
#include "pipeline/frontend/yaml_events.hpp"

#include <string>
#include <string_view>

namespace gantry::pipeline::native {

constexpr const char* k_tab_message = "a tab cannot indent";
constexpr const char* k_tab_hint = "use spaces";

// Text of a user for a message: one line, at most 60 bytes, whole characters.
std::string clip(std::string_view text);

// What libyaml complains of, in words for people and at the place where they look for it.
Diagnostic explain_syntax_error(std::string_view text, int file, const YamlError& error);

} // namespace gantry::pipeline::native
