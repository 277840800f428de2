#include "runner/run_state.hpp"

#include "runner/service_build.hpp"

// What a stage has, from its opening to its end.

namespace gantry::runner {

std::unique_ptr<StageCaches> Run::Impl::make_caches(asio::any_io_executor executor)
{
    StageCaches::Parts parts{plan, deps.engine, deps.clock, *objects, deps.caches, options.engine_id, options.scope, options.keep_failed, {}, {}, {}, {}};
    parts.owner_of = [this](int stage) { return owner_of(stage); };
    parts.mounts = [this] { return deps.workspaces.sees_our_disk(); };
    parts.tell = [this](RunEvent event, int stage) {
        if (stage >= 0)
            event.stage = plan.stages[stage].id;
        journal(std::move(event));
    };
    parts.enter = [this](std::string group, int stage, ConcurrencyGroups::Place& entered) -> awaitable<void> {
        const pipeline::Concurrency one_at_a_time;
        const std::function<bool()> halted = [this, stage] { return schedule.is_halted(stage); };
        co_await enter_group(one_at_a_time, std::move(group), stage, entered, halted);
    };
    return std::make_unique<StageCaches>(std::move(parts), std::move(executor));
}

std::unique_ptr<StageArtifacts> Run::Impl::make_artifacts()
{
    StageArtifacts::Parts parts{plan,      deps.engine, deps.clock, *objects, deps.artifacts, options.artifact_limits,
                                deps.pool, {},          {},         {}};
    parts.owner_of = [this](int stage) { return owner_of(stage); };
    parts.tell = [this](RunEvent event, int stage) {
        event.stage = plan.stages[stage].id;
        journal(std::move(event));
    };
    parts.make_reports = [this](int stage) {
        StageReports::Parts of_stage;
        of_stage.run_folder = deps.writer.folder();
        of_stage.stage = plan.stages[stage].id;
        of_stage.mask = [this](std::string text) { return masked(std::move(text)); };
        if (deps.find_earlier_results)
            of_stage.find_earlier = [this, id = of_stage.stage] { return deps.find_earlier_results(id); };
        return std::make_unique<StageReports>(*plan.stages[stage].artifacts, std::move(of_stage));
    };
    return std::make_unique<StageArtifacts>(std::move(parts));
}

// Returns with a place in the group, or without one when given_up() says that none is wanted any more.
awaitable<void> Run::Impl::enter_group(const pipeline::Concurrency& concurrency, std::string group, int stage,
                                       ConcurrencyGroups::Place& place_out, const std::function<bool()>& given_up)
{
    if (!deps.groups)
        co_return;
    ConcurrencyGroups::Request request;
    request.scope = options.scope;
    request.group = std::move(group);
    request.limit = concurrency.limit;
    request.cancel_in_progress = concurrency.cancel_in_progress;
    request.run = deps.writer.id();
    request.stage = stage;
    Waits::Notice notice(waits);
    const std::function<void(const std::string&)> waiting = [&](const std::string& runs) {
        notice.set((stage < 0 ? "" : plan.stages[stage].id + ": ") + "for a place in the group " + request.group +
                   (runs.empty() ? "" : ", which run " + runs + " has"));
    };
    const auto enter = [&]() -> awaitable<void> { place_out = co_await deps.groups->enter(request, waiting); };
    auto& news = stage < 0 ? *arrived : *moved;
    co_await first_of(enter(), news.wait_until(given_up));
}

awaitable<void> Run::Impl::open_stage(int stage)
{
    auto& runtime = stages[stage];
    runtime.host = std::make_unique<StageHost>(deps.engine, *objects, deps.workspaces);
    StageHost::Request request;
    request.stage = &plan.stages[stage];
    request.owner = owner_of(stage);
    const std::function<bool()> halted = [this, stage] { return schedule.is_halted(stage); };
    try {
        if (const auto& concurrency = request.stage->concurrency) {
            auto group = group_of(plan, *request.stage, schedule.facts(stage));
            // The whole run's place is its stages', too: waiting for it would never end.
            const bool is_in = plan.concurrency && plan.concurrency->group.is_literal() && plan.concurrency->group.literal() == group;
            if (!is_in)
                co_await enter_group(*concurrency, std::move(group), stage, runtime.place, halted);
        }
        co_await declared->open(*request.stage);
        request.stack = layers.stack_of(stage);
        auto give_files = [this, &runtime, &request, stage]() -> awaitable<void> {
            co_await runtime.host->open(request);
            layers.opened(stage, runtime.host->layer());
            auto facts = schedule.facts(stage);
            co_await caches->open(stage, std::move(facts));
        };
        // Where files are copied to the engine this takes as long as there are files.
        co_await first_of(give_files(), moved->wait_until(halted));
        if (halted())
            throw Error(Errc::cancelled, "the stage was halted while it got its files");
        co_await start_services(stage);
        post(input::StageOpened{stage, runtime.services ? runtime.services->facts() : decltype(pipeline::RuntimeFacts::services)()});
    } catch (const ServiceFailure& failure) {
        post(input::StageFailedToOpen{stage, failure.outcome, true});
    } catch (...) {
        const auto error = to_error(std::current_exception());
        post(input::StageFailedToOpen{stage, outcome_of_error(error, Cause::checkout_error)});
    }
}

// The containers of its first steps can be made while its services come up.
void Run::Impl::prepare_first(int stage)
{
    constexpr int k_ahead = 2;
    const auto& steps = plan.stages[stage].steps;
    for (int i = 0; i < k_ahead && i < static_cast<int>(steps.size()); ++i) {
        const bool first_group = steps[i].group == steps[0].group && !steps[i].in_finally;
        if (first_group && !steps[i].condition && !steps[i].skip_reason)
            prepare_step({stage, i});
    }
}

// Until they are ready, or nobody needs them any more.
awaitable<void> Run::Impl::start_services(int stage)
{
    auto& runtime = stages[stage];
    if (plan.stages[stage].services.empty())
        co_return;
    Services::Request request;
    request.plan = &plan;
    request.stage = &plan.stages[stage];
    request.owner = owner_of(stage);
    request.facts = schedule.facts(stage);
    request.consent = options.consent;
    request.network = runtime.host->network();
    request.workspace = runtime.host->workspace_mount();
    if (const auto former = options.attempts.find(request.stage->id); former != options.attempts.end())
        request.attempts = former->second;
    request.pull = [this](const pipeline::Container& container) { return policy_of(container, options.pull); };
    request.build = [this, stage](const pipeline::Service& service, const Owner& owner) {
        return build_service(parts_for(deps.observers), context_of(stage, owner), service);
    };
    request.grace = options.grace;
    request.on_lost = [this, stage](const ServiceFailure& failure) { post(input::ServiceLost{stage, failure.outcome}); };
    const ServiceRunner::Parts parts{parts_for(nobody), deps.workspaces.sees_our_disk(),
                                     [this](RunEvent event) { journal(std::move(event)); }};
    runtime.services = std::make_unique<Services>(parts, std::move(request));
    prepare_first(stage);
    const std::function<bool()> halted = [this, stage] { return schedule.is_halted(stage); };
    co_await first_of(runtime.services->start(), moved->wait_until(halted));
}

// A second or hard cancel does not wait for it, and no timeout.
awaitable<void> Run::Impl::collect_stage(int stage, State state)
{
    StageArtifacts::Result collected;
    collected.outcome.cause = Cause::cancelled;
    auto collect = [this, stage, state, &collected]() -> awaitable<void> {
        const auto& host = stages[stage].host;
        StageArtifacts::Ended ended{stage, state, host->workspace_mount(), host->layer(), schedule.facts(stage), layers.is_needed(stage)};
        collected = co_await artifacts->collect(std::move(ended));
    };
    const std::function<bool()> given_up = [this, stage] { return in_haste || schedule.is_collecting_over(stage); };
    co_await first_of(collect(), moved->wait_until(given_up));
    if (collected.handed_on)
        layers.handed_on(stage, std::move(*collected.handed_on));
    post(input::StageCollected{stage, std::move(collected.outcome)});
}

awaitable<void> Run::Impl::remove_containers(int stage)
{
    auto& runtime = stages[stage];
    TaskGroup discards(co_await asio::this_coro::executor);
    for (auto& [position, runner] : runtime.ahead) {
        runner->stop(true);
        discards.spawn([runner = runner]() -> awaitable<void> {
            co_await runner->prepare(); // until it has unwound
            co_await runner->discard();
        });
    }
    runtime.ahead.clear();
    for (auto& runner : runtime.ended)
        discards.spawn([runner = runner]() { return runner->discard(); });
    runtime.ended.clear();
    co_await discards.join();
    if (runtime.services)
        co_await runtime.services->stop();
}

awaitable<void> Run::Impl::close_stage(int stage)
{
    auto& runtime = stages[stage];
    auto close_host = [&runtime]() -> awaitable<void> {
        try {
            if (runtime.host)
                co_await runtime.host->close();
        } catch (const Error&) {
            // Still on the books: removed at the end of the run.
        }
    };
    // Whoever has ended has left the network: it goes at the same time. Where somebody is in it, it would be tried in vain for a while.
    if (runtime.ahead.empty() && !runtime.services)
        co_await both(remove_containers(stage), close_host());
    else
        co_await remove_containers(stage);
    const bool passed = schedule.stage_state(stage) == State::success && !in_haste;
    auto close_rest = [this, &close_host, stage]() -> awaitable<void> {
        co_await close_host(); // what could not go before
        try {
            co_await declared->close(plan.stages[stage]);
        } catch (const Error&) {
            // As above.
        }
    };
    const std::function<bool()> too_late = [this, passed] { return passed && in_haste; };
    co_await both(first_of(caches->close(stage, passed), moved->wait_until(too_late)), close_rest());
    runtime.place = {};
    post(input::StageClosed{stage});
}

} // namespace gantry::runner
