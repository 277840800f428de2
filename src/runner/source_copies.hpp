#pragma once

#include "runner/housekeeping.hpp"

#include <string>
#include <vector>

// The folders of source_cache.hpp, seen from outside. Blocking.

namespace gantry::runner {

// One that is being worked on now counts as used.
std::vector<KnownSource> known_sources(const std::string& cache_folder);

// Empties one, so that the next run copies its repository anew. False where somebody uses it: then it stays as it is.
bool clear_source(const std::string& folder);

} // namespace gantry::runner
