#include "runner/declared.hpp"

#include "base/format.hpp"

#include <algorithm>

namespace gantry::runner {

namespace {

bool uses(const pipeline::Container& container, const engine::VolumeSpec&, const std::string& key)
{
    return std::any_of(container.volumes.begin(), container.volumes.end(),
                       [&](const auto& mount) { return !mount.source.is_literal() || mount.source.literal() == key; });
}

bool uses(const pipeline::Container& container, const engine::NetworkSpec&, const std::string& key)
{
    return std::any_of(container.networks.begin(), container.networks.end(),
                       [&](const auto& network) { return network.name == key; });
}

// The key of the declaration that became `name`.
template <typename Declarations>
std::string key_of(const Declarations& declarations,
                   const std::function<std::string(const typename Declarations::value_type&)>& name_of,
                   const std::string& name)
{
    for (const auto& declaration : declarations)
        if (name_of(declaration) == name)
            return declaration.name;
    return {};
}

// Whether a container of the stage names it: a stage makes what is its own only then.
template <typename Spec> bool is_used(const pipeline::PlanStage& stage, const Spec& spec, const std::string& key)
{
    return std::any_of(stage.steps.begin(), stage.steps.end(),
                       [&](const auto& step) { return uses(step.container, spec, key); }) ||
           std::any_of(stage.services.begin(), stage.services.end(),
                       [&](const auto& service) { return uses(service.container, spec, key); });
}

std::vector<engine::VolumeSpec> volumes_of_stage(const pipeline::Plan& plan, const pipeline::PlanStage& stage,
                                                 const Owner& owner)
{
    auto specs = volumes_of(plan, owner);
    std::erase_if(specs, [&](const engine::VolumeSpec& spec) {
        return !is_used(stage, spec,
                        key_of(
                            plan.volumes, [&](const auto& volume) { return volume_name(volume, owner); }, spec.name));
    });
    return specs;
}

std::vector<engine::NetworkSpec> networks_of_stage(const pipeline::Plan& plan, const pipeline::PlanStage& stage,
                                                   const Owner& owner)
{
    auto specs = networks_of(plan, owner);
    std::erase_if(specs, [&](const engine::NetworkSpec& spec) {
        return !is_used(
            stage, spec,
            key_of(
                plan.networks, [&](const auto& network) { return network_name(network, owner); }, spec.name));
    });
    return specs;
}

} // namespace

Declared::Declared(engine::Engine& engine, Objects& objects, const pipeline::Plan& plan, Owner run,
                   asio::any_io_executor executor)
    : engine_(engine), objects_(objects), plan_(plan), run_(std::move(run)), changed_(executor)
{
}

awaitable<void> Declared::make(engine::NetworkSpec spec)
{
    objects_.intend(engine::ObjectKind::network, spec.name);
    co_await engine_.create_network(spec);
}

awaitable<void> Declared::make(engine::VolumeSpec spec)
{
    objects_.intend(engine::ObjectKind::volume, spec.name);
    co_await engine_.create_volume(spec);
}

awaitable<void> Declared::open(const pipeline::PlanStage& stage)
{
    if (phase_ == Phase::none) {
        phase_ = Phase::making;
        try {
            co_await make_for_run();
        } catch (...) {
            failure_ = std::current_exception();
        }
        phase_ = Phase::made;
        changed_.notify_all();
    }
    co_await changed_.wait_until([this] { return phase_ == Phase::made; });
    if (failure_)
        std::rethrow_exception(failure_);
    const auto owner = owner_of(stage);
    for (auto& spec : networks_of_stage(plan_, stage, owner))
        co_await make(std::move(spec));
    for (auto& spec : volumes_of_stage(plan_, stage, owner))
        co_await make(std::move(spec));
}

awaitable<void> Declared::close(const pipeline::PlanStage& stage)
{
    const auto owner = owner_of(stage);
    for (const auto& spec : networks_of_stage(plan_, stage, owner))
        co_await objects_.remove(engine::ObjectKind::network, spec.name);
    for (const auto& spec : volumes_of_stage(plan_, stage, owner))
        co_await objects_.remove(engine::ObjectKind::volume, spec.name);
}

awaitable<void> Declared::make_for_run()
{
    for (auto& spec : networks_of(plan_, run_))
        co_await make(std::move(spec));
    for (auto& spec : volumes_of(plan_, run_))
        co_await make(std::move(spec));
    for (const auto& volume : plan_.volumes) {
        if (!volume.external)
            continue;
        const auto name = volume_name(volume, run_);
        if (!co_await engine_.find_volume(name))
            throw Error(Errc::bad_input, "volumes: there is no volume '" + terminal_safe(name) + "', which is external",
                        "create it first, or leave out external: true");
    }
}

} // namespace gantry::runner
