#include "runner/services.hpp"

#include "base/format.hpp"

#include <algorithm>

namespace gantry::runner {

using pipeline::Condition;

Services::Services(const ServiceRunner::Parts& parts, Request request)
    : parts_(parts), request_(std::move(request)), watching_(parts.background.executor())
{
    for (const auto& service : request_.stage->services) {
        ServiceRunner::Request one;
        auto& context = one.context;
        context.plan = request_.plan;
        context.stage = request_.stage;
        context.service = &service;
        context.owner = request_.owner;
        context.owner.step = service_key(service.name);
        const auto former = request_.attempts.find(context.owner.step);
        context.owner.attempt = former == request_.attempts.end() ? 1 : former->second + 1;
        context.facts = request_.facts;
        context.consent = request_.consent;
        context.network = request_.network;
        one.pull = request_.pull(service.container);
        one.grace = request_.grace;
        one.on_lost = [this](const ServiceFailure& failure) {
            if (up_)
                request_.on_lost(failure);
            else if (!failure_)
                failure_ = failure;
        };
        entries_.push_back({&service, std::make_shared<ServiceRunner>(parts_, std::move(one))});
    }
    order();
}

// `check` has refused circles, so that the longest way down is found after as many rounds as there are services.
void Services::order()
{
    for (std::size_t round = 0; round < entries_.size(); ++round)
        for (auto& entry : entries_)
            for (const auto& dependency : entry.service->container.depends_on)
                if (auto* needed = find(dependency.service)) {
                    entry.level = std::max(entry.level, needed->level + 1);
                    needed->has_to_end |= dependency.condition == Condition::service_completed_successfully;
                }
}

Services::Entry* Services::find(const std::string& name)
{
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.service->name == name; });
    return found == entries_.end() ? nullptr : &*found;
}

awaitable<void> Services::start()
{
    watching_.spawn([this]() { return watch_health(); });
    TaskGroup starts(co_await asio::this_coro::executor);
    for (auto& entry : entries_)
        starts.spawn([this, &entry, &starts]() -> awaitable<void> {
            try {
                co_await bring_up(entry);
            } catch (const ServiceFailure& failure) {
                if (!failure_)
                    failure_ = failure;
                starts.cancel();
            }
        });
    co_await starts.join();
    if (failure_)
        throw ServiceFailure(*failure_);
    up_ = true;
}

awaitable<void> Services::bring_up(Entry& entry)
{
    co_await entry.runner->create();
    for (const auto& dependency : entry.service->container.depends_on)
        co_await wait_for(*entry.service, dependency);
    co_await entry.runner->start();
    co_await entry.runner->gate();
    if (entry.has_to_end)
        co_await entry.runner->completion();
}

awaitable<void> Services::wait_for(const pipeline::Service& who, const pipeline::Dependency& dependency)
{
    const auto* needed = find(dependency.service);
    if (!needed)
        co_return; // not required, or `check` had said so
    auto& runner = *needed->runner;
    co_await runner.changed().wait_until([&runner] { return runner.has_started(); });
    if (dependency.condition == Condition::service_started)
        co_return;
    if (dependency.condition == Condition::service_completed_successfully) {
        co_await runner.completion();
        co_return;
    }
    if (!runner.has_check()) {
        Outcome outcome;
        outcome.cause = Cause::config_error;
        outcome.message = "service " + terminal_safe(who.name) + " waits until " +
                          terminal_safe(needed->service->name) +
                          " is healthy, and neither its image nor the file says how to find out";
        outcome.hint = "give " + terminal_safe(needed->service->name) + " a healthcheck:, or ready: { tcp: PORT }";
        throw ServiceFailure{std::move(outcome)};
    }
    co_await runner.gate();
}

awaitable<void> Services::stop()
{
    const auto top = std::max_element(entries_.begin(), entries_.end(),
                                      [](const Entry& a, const Entry& b) { return a.level < b.level; });
    for (int level = top == entries_.end() ? -1 : top->level; level >= 0; --level) {
        TaskGroup stops(co_await asio::this_coro::executor);
        for (auto& entry : entries_)
            if (entry.level == level)
                stops.spawn([runner = entry.runner]() { return runner->stop(); });
        co_await stops.join();
    }
    TaskGroup removals(co_await asio::this_coro::executor);
    for (auto& entry : entries_)
        removals.spawn([runner = entry.runner]() { return runner->discard(); });
    co_await removals.join();
    co_await watching_.close();
}

void Services::hurry()
{
    for (auto& entry : entries_)
        entry.runner->hurry();
}

// ---- what the engine's own healthchecks say

awaitable<void> Services::watch_health()
{
    const engine::Labels labels{{"gantry.instance", request_.owner.instance},
                                {"gantry.run", request_.owner.run},
                                {"gantry.stage", request_.owner.stage}};
    const std::function<void()> ready = [] {};
    const std::function<void(const engine::EngineEvent&)> on_event = [this](const engine::EngineEvent& event) {
        using Kind = engine::EngineEvent::Kind;
        if (event.kind == Kind::restored)
            watching_.spawn([this]() { return ask_health(); });
        if (event.kind != Kind::health)
            return;
        for (auto& entry : entries_)
            if (entry.runner->container() == event.container)
                entry.runner->on_health(event.health);
    };
    try {
        co_await parts_.engine.watch(labels, ready, on_event);
    } catch (const Error&) {
        // Our own probes do without; `probe: declared` runs into its limit and says so.
    }
}

// Events between the loss of the connection and its return were missed.
awaitable<void> Services::ask_health()
{
    for (auto& entry : entries_) {
        try {
            const auto status = co_await parts_.engine.inspect_container(entry.runner->container());
            if (status.health == "healthy" || status.health == "unhealthy")
                entry.runner->on_health(status.health);
        } catch (const Error&) {
            co_return; // gone again: the next return asks
        }
    }
}

} // namespace gantry::runner
