#pragma once

#include <string>
#include <string_view>

namespace gantry::runner {

// What stands below the folder that an archive begins with: "src/main.c" of "project/src/main.c" or "./project/src/main.c/"; empty
// for the folder itself.
std::string below_top(std::string_view name);

// libarchive returns null for a text that is not there.
inline std::string text_or_empty(const char* chars) { return chars != nullptr ? chars : ""; }

} // namespace gantry::runner
