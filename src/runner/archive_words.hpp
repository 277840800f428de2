#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

// What all who read and write archives have in common.

namespace gantry::runner {

// Tar is made of blocks (POSIX.1-2001, pax, "ustar Interchange Format").
inline constexpr std::size_t k_tar_block_bytes = 512;
// How many bytes fill the last block of so many.
inline std::size_t tar_padding_bytes(std::uint64_t size_bytes)
{
    return static_cast<std::size_t>((k_tar_block_bytes - size_bytes % k_tar_block_bytes) % k_tar_block_bytes);
}

// A record of a pax header, "25 path=some/long/name\n": its length counts itself.
std::string pax_record(const std::string& key, const std::string& value);

// libarchive returns null for a text that is not there.
inline std::string text_or_empty(const char* chars) { return chars != nullptr ? chars : ""; }

} // namespace gantry::runner
