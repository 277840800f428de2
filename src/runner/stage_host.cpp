#include "runner/stage_host.hpp"

#include "runner/holder_image.hpp"

#include <map>

namespace gantry::runner {

namespace {

// From this many steps in turn on, a holder costs less than it saves (docs/dev/performance.md).
constexpr std::size_t k_steps_worth_a_holder = 3;

bool wants_own_network(const pipeline::Container& container)
{
    return container.network_mode || container.hostname || !container.networks.empty() || !container.ports.empty() ||
           !container.extra_hosts.empty() || !container.dns.empty() || !container.dns_search.empty() ||
           !container.dns_opt.empty() || !container.sysctls.empty();
}

std::set<std::string> steps_alone(const pipeline::PlanStage& stage)
{
    std::map<std::pair<bool, int>, int> sizes;
    for (const auto& step : stage.steps)
        ++sizes[{step.in_finally, step.group}];
    std::set<std::string> alone;
    for (const auto& step : stage.steps)
        if (sizes[{step.in_finally, step.group}] == 1 && !step.skip_reason && !wants_own_network(step.container))
            alone.insert(step.id);
    return alone;
}

} // namespace

StageHost::StageHost(engine::Engine& engine, Objects& objects, WorkspaceProvider& workspaces)
    : engine_(engine), objects_(objects), workspaces_(workspaces)
{
}

awaitable<void> StageHost::open(const Request& request)
{
    alone_ = steps_alone(*request.stage);
    WorkspaceRequest workspace;
    workspace.owner = request.owner;
    workspace.stack = request.stack;
    workspace.last_wins = request.stage->workspace.on_conflict == pipeline::OnConflict::last;

    // The two do not depend on each other.
    auto open_workspace = [this, &workspace]() -> awaitable<void> {
        workspace_ = co_await workspaces_.open(workspace, [this](engine::ObjectKind kind, std::string name) {
            objects_.intend(kind, name);
        });
    };
    co_await both(open_workspace(), open_network(*request.stage, request.owner));
}

awaitable<void> StageHost::open_network(const pipeline::PlanStage& stage, const Owner& owner)
{
    bool needed = !stage.services.empty();
    for (const auto& step : stage.steps)
        needed = needed || (!step.container.network_mode && !step.build); // a builder has the engine's own
    if (!needed)
        co_return;
    engine::NetworkSpec spec;
    spec.name = object_name(owner, "net");
    spec.labels = labels_of(owner);
    objects_.intend(engine::ObjectKind::network, spec.name);
    co_await engine_.create_network(spec);
    network_ = spec.name;
    if (alone_.size() >= k_steps_worth_a_holder)
        co_await start_holder(owner);
}

awaitable<void> StageHost::start_holder(const Owner& owner)
{
    const auto image = co_await holder_image(engine_);
    if (!image)
        co_return;
    engine::ContainerSpec spec;
    spec.name = object_name(owner, "hold");
    spec.labels = labels_of(owner);
    spec.image = *image;
    spec.network = engine::ContainerSpec::Network::endpoints;
    spec.endpoints.push_back({network_, {}, {}, {}});
    spec.log_driver = "none";
    spec.init = false;
    spec.security.read_only_root = true;
    spec.limits.pids = 8;
    objects_.intend(engine::ObjectKind::container, spec.name);
    holder_ = spec.name;
    (void)co_await engine_.create_container(spec);
    co_await engine_.start_container(spec.name);
}

awaitable<void> StageHost::close()
{
    if (!holder_.empty())
        co_await objects_.remove(engine::ObjectKind::container, holder_);
    if (!network_.empty())
        co_await objects_.remove(engine::ObjectKind::network, network_);
}

std::optional<StageLayer> StageHost::layer() const
{
    if (!workspace_)
        return std::nullopt;
    return workspace_->layer();
}

StageHost::Network StageHost::network_for(const pipeline::PlanStep& step) const
{
    if (!holder_.empty() && alone_.contains(step.id))
        return {{}, holder_, traffic_};
    return {network_, {}, nullptr};
}

} // namespace gantry::runner
