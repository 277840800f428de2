#pragma once

#include "engine/engine.hpp"
#include "runner/lower.hpp"
#include "runner/workspace.hpp"

#include <functional>
#include <map>
#include <string>

namespace gantry::runner {

// The files of stages that passed in a run that did not, kept beside its journal, so that `rerun --failed` and `resume` go on
// from there: <run folder>/layers/<name>.tar, as the engine packs it. Cost: what those stages changed.
struct SavedLayer {
    std::string file;
    std::vector<std::string> below; // ids of the stages it was stacked on
};
// By stage id. Empty when nothing was saved.
std::map<std::string, SavedLayer> saved_layers(const std::string& run_folder);

// A layer as an archive, whose names begin with this folder. Deletions are overlay whiteouts. `owner` is of the stage.
inline constexpr const char* k_layer_top = "layer";
awaitable<void> read_layer(engine::Engine& engine, const Owner& owner, const StageLayer& layer, engine::WritePiece tar,
                           Intend intend);

// Copies a layer out of the engine. All or nothing.
awaitable<void> save_layer(engine::Engine& engine, const Owner& owner, const StageLayer& layer,
                           const std::string& run_folder, Intend intend);

// A new volume with the files of a saved layer.
awaitable<StageLayer> restore_layer(engine::Engine& engine, const Owner& owner, const SavedLayer& saved, Intend intend);

} // namespace gantry::runner
