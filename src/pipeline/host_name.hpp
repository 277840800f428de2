#pragma once

#include <string_view>

namespace gantry::pipeline {

// What the kernel takes (sethostname(2), 64 bytes) and names are looked up by: letters, digits, '-', '_' and '.'.
bool is_host_name(std::string_view text);
inline constexpr const char* k_host_name_hint = "letters, digits, '-', '_' and '.', at most 64 of them";

} // namespace gantry::pipeline
