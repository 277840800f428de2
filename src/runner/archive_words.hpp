#pragma once

#include <string>

namespace gantry::runner {

// libarchive returns null for a text that is not there.
inline std::string text_or_empty(const char* chars) { return chars != nullptr ? chars : ""; }

} // namespace gantry::runner
