#pragma once

#include "engine/engine.hpp"
#include "runner/lower.hpp"
#include "runner/workspace.hpp"

#include <map>
#include <string>
#include <vector>

namespace gantry::runner {

// The files of stages that passed in a run that did not, kept beside its journal, so that `rerun --failed` and `resume` go on
// from there: <run folder>/layers/<name>.tar, as the engine packs it, with the marks of folders that hide what is below them, and
// <name>.json, which tells of it. Cost: what those stages changed. Only of engines that mount overlays, and for them: elsewhere a
// layer is a whole copy.
struct SavedLayer {
    std::string file;
    std::vector<std::string> below; // ids of the stages it was stacked on
    bool is_part = false;           // StageLayer::is_part
};
// By stage id. Empty when nothing was saved.
std::map<std::string, SavedLayer> saved_layers(const std::string& run_folder);

// How to reach layers.
struct LayerAccess {
    engine::Engine& engine;
    asio::thread_pool* pool = nullptr; // for what would hold up the loop; none: it does that itself
    std::string shared_folder;         // WorkspaceProvider::shared_folder()
    Intend intend;
};

// A layer as an archive, whose names begin with this folder. Deletions are overlay whiteouts. `owner` is of the stage.
inline constexpr const char* k_layer_top = "layer";
awaitable<void> read_layer(const LayerAccess& access, const Owner& owner, const StageLayer& layer, engine::WritePiece tar);

// Copies a layer out of the engine. All or nothing.
awaitable<void> save_layer(const LayerAccess& access, const Owner& owner, const StageLayer& layer, const std::string& run_folder);

// A new volume with the files of a saved layer. Throws unsupported where the engine does not take the marks of folders.
awaitable<StageLayer> restore_layer(const LayerAccess& access, const Owner& owner, const SavedLayer& saved);

} // namespace gantry::runner
