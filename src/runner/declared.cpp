#include "runner/declared.hpp"

#include "base/format.hpp"

namespace gantry::runner {

Declared::Declared(engine::Engine& engine, Objects& objects, asio::any_io_executor executor)
    : engine_(engine), objects_(objects), changed_(executor)
{
}

awaitable<void> Declared::make(const pipeline::Plan& plan, const Owner& run)
{
    if (phase_ == Phase::none) {
        phase_ = Phase::making;
        try {
            co_await make_all(plan, run);
        } catch (...) {
            failure_ = std::current_exception();
        }
        phase_ = Phase::made;
        changed_.notify_all();
    }
    co_await changed_.wait_until([this] { return phase_ == Phase::made; });
    if (failure_)
        std::rethrow_exception(failure_);
}

awaitable<void> Declared::make_all(const pipeline::Plan& plan, const Owner& run)
{
    for (const auto& spec : networks_of(plan, run)) {
        objects_.intend(engine::ObjectKind::network, spec.name);
        co_await engine_.create_network(spec);
    }
    for (const auto& spec : volumes_of(plan, run)) {
        objects_.intend(engine::ObjectKind::volume, spec.name);
        co_await engine_.create_volume(spec);
    }
    for (const auto& volume : plan.volumes) {
        if (!volume.external)
            continue;
        const auto name = volume_name(volume, run);
        if (!co_await engine_.find_volume(name))
            throw Error(Errc::bad_input, "volumes: there is no volume '" + terminal_safe(name) + "', which is external",
                        "create it first, or leave out external: true");
    }
}

} // namespace gantry::runner
