#pragma once

#include "engine/engine.hpp"
#include "pipeline/plan.hpp"
#include "runner/lower.hpp"
#include "runner/saved_layers.hpp"
#include "runner/snapshot.hpp"
#include "runner/workspace.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

// The files that pass from stage to stage within one run. Stages are named by their position in the plan.

namespace gantry::runner {

class StageLayers {
public:
    using OwnerOf = std::function<Owner(int stage)>;
    using Which = std::function<bool(int stage)>;
    using Failed = std::function<void(const std::string& stage, const std::string& why)>;

    // `plan` outlives it.
    StageLayers(const pipeline::Plan& plan, OwnerOf owner_of);

    // The stage was opened: its writable layer, for those that need it. None where the engine has no such thing.
    void opened(int stage, std::optional<StageLayer> layer);
    // What it hands on in place of that layer.
    void handed_on(int stage, StageLayer part) { parts_[stage] = std::move(part); }
    // Stages that are to run build on it.
    bool is_needed(int stage) const;
    // What a stage builds on: layers of all stages that it needs, directly or not, lowest first: each after those it was stacked
    // on, else in the order of the file. Skipped stages have none; a stage that starts clean hides those that it needs.
    std::vector<StageLayer> stack_of(int stage) const;

    // Brings back the files of `kept` stages (ids) that others build on, or, for write_back(), of `all` of them. Throws what the
    // engine and restore_layer() throw.
    awaitable<void> restore(const LayerAccess& access, const std::set<std::string>& kept,
                            const std::map<std::string, SavedLayer>& files, bool all);
    // Keeps the files of stages that passed and that stages which did not build on, so that whoever tries again need not
    // repeat them. `failed` gets the id of each stage whose files could not be kept, and why.
    awaitable<void> save(const LayerAccess& access, Which passed, const std::string& run_folder, Failed failed) const;
    // Writes what the stages for which `which` holds changed into a folder of the user's, in the same order; `had` is of what the
    // source had. Returns TreeWriter::stayed(). Throws what the engine and TreeWriter throw; the stages before the one that failed
    // are written then. Not where a layer is a whole copy; `access` has a pool.
    awaitable<std::vector<std::string>> write_back(const LayerAccess& access, Which which, const std::string& folder,
                                                   TreeWriter::Had had) const;

private:
    std::vector<int> starts_from(int stage) const;
    // Not what is below those for which `ends` holds.
    std::set<int> builds_on(int stage, const Which& ends = {}) const;
    std::vector<int> stacked(const std::set<int>& stages) const;
    const StageLayer* find_handed_on(int stage) const;
    // The stages that those for which `wanted` holds build on.
    std::set<int> below(const Which& wanted) const;

    const pipeline::Plan& plan_;
    OwnerOf owner_of_;
    std::map<std::string, int> positions_; // by id
    std::map<int, StageLayer> layers_, parts_;
};

} // namespace gantry::runner
