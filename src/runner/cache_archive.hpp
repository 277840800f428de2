#pragma once

#include "base/file.hpp"
#include "cache/entry.hpp"

#include <cstdint>
#include <string>

// The front of an exported cache, and what may be in the rest.

namespace gantry::runner {

// The first file of the archive, gantry-cache.json, without the end of an archive behind it.
std::string archive_head(const cache::Entry& entry);

// Reads the whole archive once and leaves the file at its folder `cache`, behind the head. The entry has name, key, who saved
// it, and the branch of a private cache; it has no repository and no layers. Throws bad_input, with `name`, for what
// archive_head() did not begin, for devices, sockets and names that are not below `cache`, and for more than `limit_bytes` of
// contents.
cache::Entry inspect_archive(const Fd& file, const std::string& name, std::uint64_t limit_bytes);

} // namespace gantry::runner
