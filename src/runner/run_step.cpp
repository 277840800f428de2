#include "runner/run_state.hpp"

#include "base/image_reference.hpp"
#include "runner/build_runner.hpp"
#include "runner/step_runner.hpp"

#include <algorithm>

// The steps of a stage: what they need, made ahead or when their turn comes.

namespace gantry::runner {

namespace {

// Nothing in it waits for what an earlier step says, so its container can be made ahead of its turn.
bool is_complete(const pipeline::PlanStep& step)
{
    const auto literal = [](const auto& text) { return !text || text->is_literal(); };
    const auto all_literal = [](const pipeline::EnvMap& map) {
        return std::all_of(map.begin(), map.end(), [](const auto& entry) { return entry.second.is_literal(); });
    };
    const auto& container = step.container;
    return step.run && literal(step.run) && literal(container.image) && literal(container.user) &&
           literal(container.working_dir) && literal(container.hostname) && !container.command && !container.entrypoint &&
           container.volumes.empty() && all_literal(container.environment) && all_literal(step.settings);
}

} // namespace

engine::PullPolicy policy_of(const pipeline::Container& container, engine::PullPolicy otherwise)
{
    if (!container.pull_policy)
        return otherwise;
    if (*container.pull_policy == "always")
        return engine::PullPolicy::always;
    if (*container.pull_policy == "never")
        return engine::PullPolicy::never;
    return engine::PullPolicy::missing;
}

Attempt::Parts Run::Impl::parts_for(const std::vector<RunObserver*>& observers)
{
    auto left_out = [this](const std::string& where, const std::vector<std::string>& what) { tell_left_out(where, what); };
    return {deps.engine, deps.clock, deps.writer, *images, *objects, masks, observers, waits, std::move(left_out), *tasks, deps.pool};
}

// What all that runs in a stage has in common; without a step.
StepContext Run::Impl::context_of(int stage, const Owner& owner)
{
    StepContext context;
    context.plan = &plan;
    context.stage = &plan.stages[stage];
    context.owner = owner;
    context.run_number = deps.writer.number();
    context.facts = schedule.facts(stage);
    context.exported = stages[stage].exported;
    context.secrets = &options.secrets;
    context.consent = options.consent;
    context.mounts = {stages[stage].host->workspace_mount()};
    return context;
}

std::shared_ptr<Attempt> Run::Impl::make_runner(StepIndex index, int attempt, bool ahead)
{
    const auto& stage = plan.stages[index.stage];
    const auto& step = stage.steps[index.step];
    auto& runtime = stages[index.stage];

    Attempt::Request request;
    auto& context = request.context;
    auto owner = owner_of(index.stage);
    owner.step = step.id;
    owner.attempt = attempt;
    context = context_of(index.stage, owner);
    context.step = &step;
    for (auto& mount : caches->mounts(index.stage))
        context.mounts.push_back(std::move(mount));
    const auto network = runtime.host->network_for(step);
    context.network = network.network;
    context.network_container = network.container;
    request.shared_traffic = network.traffic;
    if (runtime.services)
        context.services = runtime.services->containers();
    request.pull = policy_of(step.container, options.pull);
    if (deps.workspaces.sees_our_disk())
        request.exchange_folder = deps.writer.folder() + "/exchange/" + object_name(context.owner);
    request.hold = ahead;
    request.grace = options.grace;
    request.on_started = [this, index] { post(input::StepStarted{index}); };
    request.on_exited = [this, index] { post(input::StepExited{index}); };
    request.on_ports = [this, index, attempt](const auto& ports) {
        RunEvent event;
        event.kind = RunEvent::Kind::step_started;
        event.stage = plan.stages[index.stage].id;
        event.step = plan.stages[index.stage].steps[index.step].id;
        event.attempt = attempt;
        event.state = State::running;
        event.outputs = ports;
        journal(std::move(event));
    };
    if (step.idle_timeout)
        request.on_output = [this, index] { post(input::StepOutput{index}); };

    const auto parts = parts_for(deps.observers);
    if (step.build || step.push)
        return std::make_shared<BuildRunner>(parts, std::move(request));
    return std::make_shared<StepRunner>(parts, std::move(request));
}

void Run::Impl::prepare_step(StepIndex index)
{
    auto& runtime = stages[index.stage];
    const auto& step = plan.stages[index.stage].steps[index.step];
    if (!is_complete(step) || runtime.ahead.contains(index.step))
        return;
    if (step.container.image && made.contains(full_name(step.container.image->literal())))
        return;
    const auto runner = make_runner(index, schedule.attempt(index) + 1, true);
    runtime.ahead[index.step] = runner;
    tasks->spawn([runner]() { return runner->prepare(); });
}

// The one that was prepared, unless it was prepared for something else than what is asked for now.
std::shared_ptr<Attempt> Run::Impl::take_runner(StepIndex index, int attempt)
{
    auto& runtime = stages[index.stage];
    const auto found = runtime.ahead.find(index.step);
    if (found != runtime.ahead.end()) {
        const auto runner = found->second;
        runtime.ahead.erase(found);
        if (!runner->failed() && runner->exported() == runtime.exported)
            return runner;
        runner->stop(true);
        runtime.stale.push_back(runner);
    }
    return make_runner(index, attempt, false);
}

awaitable<void> Run::Impl::run_step(StepIndex index, std::shared_ptr<Attempt> runner)
{
    auto& runtime = stages[index.stage];
    // One that was prepared in vain has the same name: it must be gone first.
    for (auto& stale : std::exchange(runtime.stale, {})) {
        co_await stale->prepare();
        co_await stale->discard();
    }
    auto ended = co_await runner->run();
    runtime.running.erase(index.step);

    for (auto& [name, value] : ended.exported)
        runtime.exported[name] = value;
    const auto tell = [this, index](RunEvent::Kind kind, std::string message) {
        RunEvent event;
        event.kind = kind;
        event.stage = plan.stages[index.stage].id;
        event.step = plan.stages[index.stage].steps[index.step].id;
        event.message = std::move(message);
        journal(event);
    };
    for (const auto& problem : ended.problems)
        tell(RunEvent::Kind::warning,
             plan.stages[index.stage].id + "/" + plan.stages[index.stage].steps[index.step].id + ": " + problem);
    if (!ended.summary.empty())
        tell(RunEvent::Kind::summary, std::move(ended.summary));

    if (is_for_shell(index, ended) && !runner->container().empty()) {
        keep_for_shell(*runner);
    } else {
        // Not waited for: the next step need not wait until this one's container is gone, the stage does.
        runtime.ended.push_back(runner);
        tasks->spawn([runner]() { return runner->discard(); });
    }
    post(input::StepEnded{index, std::move(ended.outcome), ended.may_still_run});
}

// Only of a process that is known to have ended is there something to look into.
bool Run::Impl::is_for_shell(StepIndex index, const Attempt::Result& ended) const
{
    if (!options.keep_failed || cancels > 0 || !ended.outcome.exit_code || ended.may_still_run)
        return false;
    return state_of(ended.outcome.cause) == State::failure || schedule.is_timed_out(index);
}

void Run::Impl::keep_for_shell(Attempt& runner)
{
    objects->release(engine::ObjectKind::container, runner.container());
    for (const auto& [kind, name] : std::set(objects->left()))
        if (kind == engine::ObjectKind::volume)
            objects->release(kind, name);
}

} // namespace gantry::runner
