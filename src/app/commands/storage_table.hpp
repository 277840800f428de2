#pragma once

#include "app/housekeeper.hpp"

#include <string>
#include <vector>

// What there is of ours and what of it goes, for people and for programs.

namespace gantry::app {

using HousekeepingItems = std::vector<runner::HousekeepingItem>;

// `df`: a row for each kind, and the disks.
std::string storage_table(const HousekeepingItems& items, const std::vector<WatchedDisk>& disks);
std::string storage_json(const HousekeepingItems& items, const std::vector<WatchedDisk>& disks, bool verbose);
// A line for each item of `kinds`, with why it goes or stays.
std::string items_table(const HousekeepingItems& items, bool going_only);

// `prune`: what would go, kind by kind; empty for nothing.
std::string plan_text(const HousekeepingItems& items);
std::string removed_text(const runner::Housekept& done);
std::string prune_json(const HousekeepingItems& items, const runner::Housekept* done);

} // namespace gantry::app
