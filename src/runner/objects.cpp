#include "runner/objects.hpp"

#include <vector>

namespace gantry::runner {

namespace {
constexpr auto k_pause_between_tries = std::chrono::seconds(1);
constexpr engine::ObjectKind k_order[] = {engine::ObjectKind::container, engine::ObjectKind::network,
                                          engine::ObjectKind::volume};
} // namespace

Objects::Objects(engine::Engine& engine, engine::Labels of_run, Tell intend, Tell removed)
    : engine_(engine), of_run_(std::move(of_run)), intend_(std::move(intend)), removed_(std::move(removed))
{
}

void Objects::intend(engine::ObjectKind kind, const std::string& name)
{
    intend_(kind, name);
    left_.emplace(kind, name);
}

awaitable<void> Objects::remove(engine::ObjectKind kind, std::string name)
{
    if (!left_.contains({kind, name}))
        co_return;
    co_await engine_.remove(kind, name);
    if (left_.erase({kind, name}) > 0)
        removed_(kind, name);
}

awaitable<void> Objects::remove_all(Clock& clock, std::chrono::nanoseconds limit)
{
    const auto deadline = clock.now() + limit;
    std::exception_ptr first_failure;
    for (const auto kind : k_order) {
        for (;;) {
            TaskGroup removals(co_await asio::this_coro::executor);
            std::exception_ptr failure;
            const auto now_left = left_;
            for (const auto& [one_kind, name] : now_left)
                if (one_kind == kind)
                    removals.spawn([this, kind, name = name]() { return remove(kind, name); });
            try {
                co_await removals.join();
            } catch (...) {
                failure = std::current_exception();
            }
            if (!failure)
                break;
            if (clock.now() >= deadline) {
                first_failure = first_failure ? first_failure : failure;
                break;
            }
            co_await clock.sleep_for(k_pause_between_tries);
        }
    }
    if (first_failure)
        std::rethrow_exception(first_failure);
    if (broken_build_) // last: where the engine does not answer, this alone is left to it
        co_await remove_containers_of_builder();
}

// What we make is a stage's; an image's labels, which its builder's containers have, name none.
awaitable<void> Objects::remove_containers_of_builder()
{
    const auto objects = co_await engine_.list(of_run_);
    for (const auto& object : objects)
        if (object.kind == engine::ObjectKind::container && !object.labels.contains("gantry.stage"))
            co_await engine_.remove(object.kind, object.name);
}

void Objects::release(engine::ObjectKind kind, const std::string& name)
{
    left_.erase({kind, name});
}

} // namespace gantry::runner
