#pragma once

#include "app/context.hpp"
#include "cache/artifact_store.hpp"
#include "runner/housekeeping_apply.hpp"

#include <optional>
#include <string>
#include <vector>

namespace gantry::app {

// What `prune`, `df`, `doctor` and the check before a run have in common: where what is ours lies.
class Housekeeper {
public:
    explicit Housekeeper(Context& context);
    Housekeeper(const Housekeeper&) = delete;

    using Items = std::vector<runner::HousekeepingItem>;
    awaitable<Items> look(runner::HousekeepingRules rules, runner::AskEngine ask = runner::AskEngine::yes);
    awaitable<runner::Housekept> remove(Items items);

private:
    cache::ArtifactStore artifacts_;
    runner::HousekeepingSources sources_;
};

// "gantry prune would free up to 5.4 GB"; empty where it would free next to nothing, or that cannot be found out.
awaitable<std::string> what_prune_would_free(Context& context);

// A disk that we fill.
struct WatchedDisk {
    std::string what, folder;
};
// Our folders, and the engine's where that is on this machine.
std::vector<WatchedDisk> disks_of(const engine::EngineInfo& info);
std::vector<WatchedDisk> own_disks();

} // namespace gantry::app
