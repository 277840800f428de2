#include "runner/services.hpp"

#include "base/format.hpp"
#include "runner/carrier.hpp"

#include <algorithm>

namespace gantry::runner {

using pipeline::Condition;

namespace {

ServiceFailure cannot_tell(const std::string& who, const std::string& service)
{
    Outcome outcome;
    outcome.cause = Cause::config_error;
    outcome.message = terminal_safe(who) + " waits until " + terminal_safe(service) +
                      " is healthy, and neither its image nor the file says how to find out";
    outcome.hint = "give " + terminal_safe(service) + " a healthcheck:, or ready: { tcp: PORT }";
    return ServiceFailure{std::move(outcome)};
}

} // namespace

Services::Services(const ServiceRunner::Parts& parts, Request request)
    : parts_(parts), request_(std::move(request)),
      images_(request_.stage->services, parts.background.executor(), [this](const pipeline::Service& service) { return build(service); }),
      watching_(parts.background.executor())
{
    const auto owner_of = [this](const pipeline::Service& service) {
        auto owner = request_.owner;
        owner.step = service_key(service.name);
        const auto former = request_.attempts.find(owner.step);
        owner.attempt = former == request_.attempts.end() ? 1 : former->second + 1;
        return owner;
    };
    for (const auto& service : request_.stage->services)
        containers_[service.name] = object_name(owner_of(service));
    for (const auto& service : request_.stage->services) {
        ServiceRunner::Request one;
        auto& context = one.context;
        context.plan = request_.plan;
        context.stage = request_.stage;
        context.service = &service;
        context.owner = owner_of(service);
        context.facts = request_.facts;
        context.consent = request_.consent;
        context.network = request_.network;
        context.services = containers_;
        one.pull = request_.pull(service.container);
        one.grace = request_.grace;
        one.carrier = [this]() -> const std::string& { return carrier_; };
        one.on_lost = [this](const ServiceFailure& failure) {
            if (up_)
                request_.on_lost(failure);
            else if (!failure_)
                failure_ = failure;
        };
        auto& entry = entries_.emplace_back();
        entry.service = &service;
        entry.runner = std::make_shared<ServiceRunner>(parts_, std::move(one));
        entry.needs = pipeline::dependencies_of(service.container);
    }
    order();
    note_what_steps_need();
}

// Steps begin when all services are ready; some want more of one.
void Services::note_what_steps_need()
{
    for (const auto& step : request_.stage->steps) {
        if (step.skip_reason)
            continue;
        for (const auto& dependency : step.container.depends_on)
            if (auto* needed = find(dependency.service)) {
                needed->has_to_end |= dependency.condition == Condition::service_completed_successfully;
                if (dependency.condition == Condition::service_healthy)
                    needed->waited_for_by = "step " + step.id;
            }
    }
}

// `check` has refused circles, so that the longest way down is found after as many rounds as there are services.
void Services::order()
{
    for (std::size_t round = 0; round < entries_.size(); ++round)
        for (auto& entry : entries_)
            for (const auto& dependency : entry.needs)
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
    co_await create_carrier_if_needed();
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

awaitable<void> Services::create_carrier_if_needed()
{
    const bool needed = std::any_of(entries_.begin(), entries_.end(), [](const Entry& entry) {
        const auto& files = entry.service->files;
        return std::any_of(files.begin(), files.end(), [](const auto& file) { return !file.source.empty(); });
    });
    if (!needed)
        co_return;
    carrier_ = object_name(request_.owner, "files");
    parts_.objects.intend(engine::ObjectKind::container, carrier_);
    auto labels = labels_of(request_.owner);
    std::vector<engine::Mount> mounts{request_.workspace};
    co_await create_carrier(parts_.engine, carrier_, std::move(labels), std::move(mounts));
}

awaitable<void> Services::bring_up(Entry& entry)
{
    // Before everything else that it waits for: what that is may wait for this image.
    auto built = co_await images_.of(*entry.service);
    // Whose network or volumes it shares has to be there before it is made.
    const bool shares = pipeline::shares_with_service(entry.service->container);
    if (!shares)
        co_await entry.runner->create(std::move(built));
    for (const auto& dependency : entry.needs)
        co_await wait_for(*entry.service, dependency);
    if (shares)
        co_await entry.runner->create(std::move(built));
    co_await entry.runner->start();
    if (!entry.waited_for_by.empty() && !entry.runner->has_check())
        throw cannot_tell(entry.waited_for_by, entry.service->name);
    const auto who = request_.stage->id + ": for service " + entry.service->name;
    co_await parts_.waits.during(who + " to be ready", entry.runner->gate());
    if (entry.has_to_end)
        co_await parts_.waits.during(who + " to end", entry.runner->completion());
}

awaitable<std::string> Services::build(const pipeline::Service& service)
{
    auto& runner = *find(service.name)->runner;
    try {
        co_return co_await request_.build(service, runner.owner());
    } catch (const ServiceFailure& failure) {
        runner.tell_not_built(failure.outcome);
        throw;
    }
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
    if (!runner.has_check())
        throw cannot_tell("service " + who.name, needed->service->name);
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
    if (!carrier_.empty())
        removals.spawn([this]() -> awaitable<void> {
            try {
                co_await parts_.objects.remove(engine::ObjectKind::container, carrier_);
            } catch (const Error&) {
                // Still on the books: removed at the end of the run.
            }
        });
    co_await removals.join();
    co_await watching_.close();
}

std::map<std::string, pipeline::RuntimeFacts::Step> Services::facts() const
{
    std::map<std::string, pipeline::RuntimeFacts::Step> facts;
    for (const auto& entry : entries_)
        facts.emplace(entry.service->name, entry.runner->facts());
    return facts;
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
