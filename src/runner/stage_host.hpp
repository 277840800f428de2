#pragma once

#include "engine/engine.hpp"
#include "pipeline/plan.hpp"
#include "runner/lower.hpp"
#include "runner/objects.hpp"
#include "runner/use_watch.hpp"
#include "runner/workspace.hpp"

#include <memory>
#include <optional>
#include <string>

namespace gantry::runner {

// What the containers of one stage share: its workspace and its private network.
//
// A container that joins the network of another costs the engine about half of one that gets a place of its own on a
// bridge. So a stage with several steps in turn has a holder: a container that does nothing but own the network. Steps that run
// side by side each get their own place, so that two of them may listen on one port.
class StageHost {
public:
    StageHost(engine::Engine& engine, Objects& objects, WorkspaceProvider& workspaces);

    struct Request {
        const pipeline::PlanStage* stage = nullptr;
        Owner owner;                      // of the stage
        std::vector<StageLayer> stack; // WorkspaceRequest::stack
    };
    // Creates workspace and network. Throws what they throw; close() removes what was made.
    awaitable<void> open(const Request& request);
    awaitable<void> close();

    engine::Mount workspace_mount() const { return workspace_->mount(); }
    // The stage's layer for the stages that need it; empty before open() has succeeded.
    std::optional<StageLayer> layer() const;

    // The stage's own; empty: nothing in it needs one.
    const std::string& network() const { return network_; }
    // How a step reaches the network: through the holder, or with an own place on the network.
    struct Network {
        std::string network, container;
        std::shared_ptr<SharedTraffic> traffic; // of the container's
    };
    Network network_for(const pipeline::PlanStep& step) const;

private:
    awaitable<void> open_network(const pipeline::PlanStage& stage, const Owner& owner);
    awaitable<void> start_holder(const Owner& owner);

    engine::Engine& engine_;
    Objects& objects_;
    WorkspaceProvider& workspaces_;
    std::unique_ptr<StageWorkspace> workspace_;
    std::string network_, holder_;
    std::shared_ptr<SharedTraffic> traffic_ = std::make_shared<SharedTraffic>(); // of the holder
    std::set<std::string> alone_; // ids of steps that are alone in their group
};

} // namespace gantry::runner
