#pragma once

#include <cstddef>
#include <string>

// What all who read and write archives have in common.

namespace gantry::runner {

// Tar is made of blocks (POSIX.1-2001, pax, "ustar Interchange Format").
inline constexpr std::size_t k_tar_block_bytes = 512;

// libarchive returns null for a text that is not there.
inline std::string text_or_empty(const char* chars) { return chars != nullptr ? chars : ""; }

} // namespace gantry::runner
