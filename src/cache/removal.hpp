#pragma once

#include "cache/entry.hpp"

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

// What goes, so that caches stay within their limits. Pure: the caller applies it.

namespace gantry::cache {

struct Limits {
    std::uint64_t each_bytes = std::uint64_t(10) << 30;  // all entries of one Place
    std::uint64_t total_bytes = std::uint64_t(30) << 30; // of one engine
};
// The defaults, or what GANTRY_CACHE_MAX_EACH and GANTRY_CACHE_MAX say ("5g"; sizes as in parse_size()). Throws bad_input.
Limits limits_from_environment();

struct Used { // an entry and when it was last restored or saved
    Entry entry;
    std::chrono::system_clock::time_point used{};
};

// What the entries take at their engines; a layer that several have counts once.
std::uint64_t size_bytes_of(const std::vector<Used>& entries);

// The entries to drop, least recently used first, until the rest is within the limits. Dropping one frees only the layers that
// no other has.
std::vector<Entry> over_limit(std::vector<Used> entries, const Limits& limits);

// Those volumes of `candidates` that no entry has and nobody uses.
std::set<std::string> unused_volumes(const std::set<std::string>& candidates, const std::vector<Used>& entries,
                                     const std::set<std::string>& in_use);

} // namespace gantry::cache
