#include "runner/declared.hpp"

#include "base/format.hpp"
#include "runner/lower_container.hpp"

#include <algorithm>
#include <set>

namespace gantry::runner {

namespace {

bool names(const pipeline::Container& container, const pipeline::VolumeDeclaration& volume)
{
    return std::any_of(container.volumes.begin(), container.volumes.end(), [&](const auto& mount) {
        return !mount.source.is_literal() || mount.source.literal() == volume.name;
    });
}

bool names(const pipeline::Container& container, const pipeline::NetworkDeclaration& declared)
{
    return std::any_of(container.networks.begin(), container.networks.end(),
                       [&](const auto& network) { return network.name == declared.name; });
}

// Whether a container of the stage names it: a stage makes what is its own only then.
template <typename Declaration> bool uses(const pipeline::PlanStage& stage, const Declaration& declaration)
{
    const auto in = [&](const auto& one) { return names(one.container, declaration); };
    return std::any_of(stage.steps.begin(), stage.steps.end(), in) ||
           std::any_of(stage.services.begin(), stage.services.end(), in);
}

std::vector<engine::VolumeSpec> volumes_of_stage(const pipeline::Plan& plan, const pipeline::PlanStage& stage,
                                                 const Owner& owner)
{
    std::set<std::string> used;
    for (const auto& volume : plan.volumes)
        if (uses(stage, volume))
            used.insert(volume_name(volume, owner));
    auto specs = volumes_of(plan, owner);
    std::erase_if(specs, [&](const engine::VolumeSpec& spec) { return !used.contains(spec.name); });
    return specs;
}

std::vector<engine::NetworkSpec> networks_of_stage(const pipeline::Plan& plan, const pipeline::PlanStage& stage,
                                                   const Owner& owner)
{
    std::set<std::string> used;
    for (const auto& network : plan.networks)
        if (uses(stage, network))
            used.insert(network_name(network, owner));
    auto specs = networks_of(plan, owner);
    std::erase_if(specs, [&](const engine::NetworkSpec& spec) { return !used.contains(spec.name); });
    return specs;
}

[[noreturn]] void refuse_missing(const std::string& kind, const std::string& name)
{
    throw Error(Errc::bad_input, kind + "s: there is no " + kind + " '" + terminal_safe(name) + "', which is external",
                "create it first, or leave out external: true");
}

// An engine that does not know what to call a refusal calls it its own failure. Where the file asks for more than the engine
// does by itself, it is of that.
template <typename Declaration> [[noreturn]] void throw_refused(const Error& error, const std::string& kind, const Declaration& declared)
{
    const bool asks = !declared.driver.empty() || !declared.driver_opts.empty();
    const bool is_unnamed = asks && error.code() == Errc::internal && error.hint().empty();
    Error refused(is_unnamed ? Errc::bad_input : error.code(), error.what(),
                  is_unnamed ? kind + "s: see its driver and driver_opts; the engine's log may say more" : error.hint());
    refused.add_context(kind + " " + terminal_safe(declared.name));
    throw refused;
}

} // namespace

Declared::Declared(engine::Engine& engine, Objects& objects, const pipeline::Plan& plan, Owner run,
                   Consent consent, asio::any_io_executor executor)
    : engine_(engine), objects_(objects), plan_(plan), run_(std::move(run)), consent_(std::move(consent)), changed_(executor)
{
}

awaitable<void> Declared::make(engine::NetworkSpec spec, const Owner& owner)
{
    const auto declared = std::find_if(plan_.networks.begin(), plan_.networks.end(), [&](const auto& network) {
        return !network.external && network_name(network, owner) == spec.name;
    });
    try {
        refuse_obstacles(*declared, consent_);
        objects_.intend(engine::ObjectKind::network, spec.name);
        co_await engine_.create_network(spec);
    } catch (const Error& error) {
        throw_refused(error, "network", *declared);
    }
}

awaitable<void> Declared::make(engine::VolumeSpec spec, const Owner& owner)
{
    const auto declared = std::find_if(plan_.volumes.begin(), plan_.volumes.end(), [&](const auto& volume) {
        return !volume.external && volume_name(volume, owner) == spec.name;
    });
    try {
        refuse_obstacles(*declared, consent_);
        objects_.intend(engine::ObjectKind::volume, spec.name);
        co_await engine_.create_volume(spec);
    } catch (const Error& error) {
        throw_refused(error, "volume", *declared);
    }
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
        co_await make(std::move(spec), owner);
    for (auto& spec : volumes_of_stage(plan_, stage, owner))
        co_await make(std::move(spec), owner);
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
        co_await make(std::move(spec), run_);
    for (auto& spec : volumes_of(plan_, run_))
        co_await make(std::move(spec), run_);
    for (const auto& network : plan_.networks) {
        if (!network.external)
            continue;
        refuse_obstacles(network, consent_);
        const auto found = co_await engine_.find_network(network_name(network, run_));
        if (!found)
            refuse_missing("network", network_name(network, run_));
    }
    for (const auto& volume : plan_.volumes) {
        if (!volume.external)
            continue;
        refuse_obstacles(volume, consent_);
        const auto found = co_await engine_.find_volume(volume_name(volume, run_));
        if (!found)
            refuse_missing("volume", volume_name(volume, run_));
    }
}

} // namespace gantry::runner
