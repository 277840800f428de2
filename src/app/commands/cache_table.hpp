#pragma once

#include "cache/removal.hpp"

#include <string>
#include <vector>

// Entries of caches, for people and for programs.

namespace gantry::app {

// "/src/shop", and "/src/shop, branch main" of a private cache.
std::string owner_text(const cache::Entry& entry);

std::string caches_table(const std::vector<cache::Used>& entries, const cache::Limits& limits);
std::string caches_details(const std::vector<cache::Used>& entries);
std::string caches_json(const std::vector<cache::Used>& entries);

} // namespace gantry::app
