#pragma once

#include "engine/engine.hpp"
#include "runner/lower.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

// /workspace of a stage: the snapshot of the source below, what the stages it needs changed on top, and a private
// writable layer.

namespace gantry::runner {

// Called with each object's kind and name before it is created.
using Intend = std::function<void(engine::ObjectKind, std::string)>;

// The writable layer that a finished stage leaves, for those that need it.
struct StageLayer {
    std::string stage;       // id
    std::string volume;      // at the engine
    std::string path;        // on the engine's host
    std::vector<std::string> below; // ids of the stages whose layers it was stacked on
    bool is_part = false;           // only what the stage hands on, also where a layer holds all that was below it
};

struct WorkspaceRequest {
    Owner owner;             // of the stage
    // Of all stages that it builds on, directly or not, lowest first: each after those it was stacked on.
    std::vector<StageLayer> stack;
    bool last_wins = false;  // on_conflict: last
};

// One stage's workspace; its volumes are on the run's books.
class StageWorkspace {
public:
    virtual ~StageWorkspace() = default;
    // For each container of the stage.
    virtual engine::Mount mount() const = 0;
    // What it changed, for the stages that need it. Valid until the run's workspaces are removed.
    virtual StageLayer layer() const = 0;
};

class WorkspaceProvider {
public:
    virtual ~WorkspaceProvider() = default;
    // The engine can bind folders of this machine. Known once a stage's workspace has been opened.
    virtual bool sees_our_disk() const = 0;
    // A folder of ours that such an engine can mount; something in it comes and goes. Empty: there is none.
    virtual std::string shared_folder() const { return {}; }
    // The snapshot has something at this path. Known as the above. Blocks; on any thread.
    virtual bool is_in_source(const std::string&) const { return false; }
    // Takes the snapshot and finds out what the engine can do, with objects of its own that `intend` hears of. Called once, before
    // the first stage asks or while it waits. Throws with cause checkout_error in mind.
    virtual awaitable<void> prepare(Intend intend) = 0;
    // Nobody needs the snapshot any more: a prepare() that is under way ends soon and throws cancelled, whereas cancelling who awaits
    // it waits for its end.
    virtual void give_up() = 0;
    // Waits for prepare() and throws what that threw; until then it can be cancelled at once. Throws conflict "test and lint both
    // changed report.xml" when two needed stages changed one path differently.
    virtual awaitable<std::unique_ptr<StageWorkspace>> open(const WorkspaceRequest& request, Intend intend) = 0;
};

} // namespace gantry::runner
