#pragma once

#include "runner/housekeeping_facts.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace gantry::runner {

struct Housekept {
    struct Sum {
        std::size_t count = 0;
        std::uint64_t size_bytes = 0; // that became free, or at most that, as in HousekeepingSum
    };
    std::map<Kept, Sum> removed;
    struct Failure {
        Kept kind;
        std::string name, error, hint;
    };
    std::vector<Failure> failures; // it stays; the others went all the same
};

// Removes the items that go, kind after kind. What has come into use since the facts were collected stays. Throws only what makes
// every further removal pointless: unavailable, or cancelled.
awaitable<Housekept> remove_items(const HousekeepingSources& from, std::vector<HousekeepingItem> items);

// Removes what the run left at the engine, and then the run. Throws conflict while it goes on or something of it is in use, and
// what the engine throws; then the run stays.
awaitable<void> remove_run(engine::Engine& engine, Store& runs, std::string id);

} // namespace gantry::runner
