#include "runner/run.hpp"

#include "runner/build_runner.hpp"
#include "runner/declared.hpp"
#include "runner/lower_build.hpp"
#include "runner/service_build.hpp"
#include "runner/services.hpp"
#include "runner/stage_artifacts.hpp"
#include "runner/stage_caches.hpp"
#include "runner/stage_host.hpp"
#include "runner/stage_layers.hpp"
#include "runner/step_runner.hpp"
#include "runner/timers.hpp"

#include <algorithm>
#include <deque>
#include <iterator>
#include <set>

namespace gantry::runner {

namespace {

// The engine may be away when we want to clean up; after this the next command's reaper has to do it.
constexpr auto k_cleanup_limit = std::chrono::seconds(120);

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

struct Run::Impl {
    struct StageRuntime {
        std::unique_ptr<StageHost> host;
        std::map<int, std::shared_ptr<Attempt>> ahead;   // prepared, by position of the step
        std::map<int, std::shared_ptr<Attempt>> running;
        std::vector<std::shared_ptr<Attempt>> stale;     // prepared in vain
        std::vector<std::shared_ptr<Attempt>> ended;     // whose containers may still be there
        std::map<std::string, std::string> exported;        // CI_ENV
        ConcurrencyGroups::Place place;                     // in its group
        std::unique_ptr<Services> services;                 // none: it has none
    };

    Impl(const pipeline::Plan& plan_in, RunDeps deps_in, RunOptions options_in)
        : plan(plan_in), deps(std::move(deps_in)), options(std::move(options_in)),
          schedule(plan, ScheduleOptions{options.slots, options.kept, options.attempts, options.resumed}),
          masks(std::vector<std::pair<std::string, Secret>>(options.secrets.begin(), options.secrets.end())),
          made(made_images(plan)), stages(plan.stages.size()), layers(plan, [this](int stage) { return owner_of(stage); })
    {
    }

    // ---- the loop

    awaitable<RunResult> execute();
    void post(Input input);
    void carry_out(const Action& action);
    void report(RunEvent event);
    void journal(RunEvent event);
    void warn(std::string message, std::string hint);
    void cancel(const std::string& by, bool hard);
    awaitable<void> watch_disks();
    awaitable<void> make_room();

    // ---- carrying out

    void begin_images();
    awaitable<void> enter_group(const pipeline::Concurrency& concurrency, std::string group, int stage,
                                ConcurrencyGroups::Place& place, const std::function<bool()>& given_up);
    awaitable<void> open_stage(int stage);
    awaitable<void> start_services(int stage);
    awaitable<void> collect_stage(int stage, State state);
    awaitable<void> close_stage(int stage);
    awaitable<void> run_step(StepIndex index, std::shared_ptr<Attempt> runner);
    void prepare_step(StepIndex index);
    void prepare_first(int stage);
    StepContext context_of(int stage, const Owner& owner);
    Attempt::Parts parts_for(const std::vector<RunObserver*>& observers);
    std::shared_ptr<Attempt> make_runner(StepIndex index, int attempt, bool ahead);
    std::shared_ptr<Attempt> take_runner(StepIndex index, int attempt);
    void keep_for_shell(Attempt& runner);

    Owner owner_of(int stage) const;
    std::unique_ptr<StageCaches> make_caches(asio::any_io_executor executor);
    std::unique_ptr<StageArtifacts> make_artifacts();
    awaitable<void> restore_kept();
    awaitable<void> save_passed_layers();
    awaitable<void> write_back();
    Intend on_the_books();

    const pipeline::Plan& plan;
    RunDeps deps;
    const std::vector<RunObserver*> nobody; // watches services: their words go to logs alone
    RunOptions options;
    Schedule schedule;
    MaskSet masks;
    const std::set<std::string> made; // images that are not there before a step has made them
    std::vector<StageRuntime> stages;
    StageLayers layers;

    int cancels = 0;
    bool in_haste = false; // cancelled twice, or hard
    std::unique_ptr<TaskGroup> tasks;
    std::unique_ptr<Signal> arrived;
    std::unique_ptr<Signal> moved;  // the schedule has taken inputs in
    ConcurrencyGroups::Place place; // of the run in its group
    std::unique_ptr<Images> images;
    std::unique_ptr<Objects> objects;
    std::unique_ptr<Declared> declared;
    std::unique_ptr<StageCaches> caches;
    std::unique_ptr<DiskWatch> disk_watch; // none: nobody has to
    std::unique_ptr<StageArtifacts> artifacts;
    std::deque<Input> inputs;
    std::unique_ptr<Timers> timers;
    std::optional<RunEvent> last_event; // run_finished, held back until everything is removed
    std::optional<RunResult> result;
    std::exception_ptr fatal;           // the journal cannot be written
    Clock::time_point begun{};
};

void Run::Impl::post(Input input)
{
    inputs.push_back(std::move(input));
    if (arrived)
        arrived->notify_all();
}

void Run::Impl::cancel(const std::string& by, bool hard)
{
    post(input::Cancel{hard, by});
    in_haste = ++cancels > 1 || hard;
    if (in_haste)
        for (auto& stage : stages)
            if (stage.services)
                stage.services->hurry();
}

awaitable<RunResult> Run::Impl::execute()
{
    const auto executor = co_await asio::this_coro::executor;
    begun = deps.clock.now();
    tasks = std::make_unique<TaskGroup>(executor);
    arrived = std::make_unique<Signal>(executor);
    moved = std::make_unique<Signal>(executor);
    timers = std::make_unique<Timers>(deps.clock, *tasks, [this](int id) { post(input::TimerFired{id}); });
    const auto tell = [this](RunEvent::Kind what) -> Objects::Tell {
        return [this, what](engine::ObjectKind kind, const std::string& name) {
            RunEvent event;
            event.kind = what;
            event.object_kind = to_string(kind);
            event.object = name;
            journal(event);
        };
    };
    objects = std::make_unique<Objects>(deps.engine, tell(RunEvent::Kind::intent), tell(RunEvent::Kind::removed));
    declared = std::make_unique<Declared>(deps.engine, *objects, plan, Owner{options.instance, deps.writer.id()}, executor);
    caches = make_caches(executor);
    artifacts = make_artifacts();
    images = std::make_unique<Images>(
        deps.engine, deps.clock, *tasks,
        [this](const engine::PullProgress& progress) {
            for (auto* observer : deps.observers)
                observer->on_pull(progress);
        },
        [this](const std::string& image, const Images::Ready& ready) {
            RunEvent event;
            event.kind = RunEvent::Kind::image_ready;
            event.message = image;
            event.duration = ready.pull;
            journal(event);
        });
    if (options.resumed) {
        RunEvent event;
        event.kind = RunEvent::Kind::resumed;
        journal(event);
    }
    if (plan.concurrency) {
        const std::function<bool()> cancelled = [this] { return !inputs.empty(); };
        co_await enter_group(*plan.concurrency, plan.concurrency->group.literal(), -1, place, cancelled);
    }
    begin_images();
    // The snapshot and the probe of the engine's disk do not wait for the first stage.
    std::function<awaitable<void>()> prepare_workspaces = [this]() -> awaitable<void> {
        try {
            co_await deps.workspaces.prepare();
        } catch (...) {
            // open() of the first stage meets the same error and reports it.
        }
    };
    tasks->spawn(prepare_workspaces);

    try {
        co_await restore_kept();
    } catch (...) {
        fatal = std::current_exception();
        inputs.push_front(input::Cancel{true, "the files of earlier stages cannot be restored"});
    }
    inputs.push_front(input::Begin{});
    TaskGroup watchers(executor);
    if (deps.disks)
        watchers.spawn([this]() { return watch_disks(); });
    while (!result) {
        while (!inputs.empty() && !result) {
            const auto input = std::move(inputs.front());
            inputs.pop_front();
            for (const auto& action : schedule.on(input, deps.clock.now()))
                carry_out(action);
            moved->notify_all();
        }
        if (!result && inputs.empty())
            co_await arrived->wait();
    }

    timers->disarm_all();
    co_await watchers.close();
    co_await tasks->join();
    if (!options.write_back.empty() && !fatal && result->state != State::cancelled)
        co_await write_back();
    if (result->state != State::success && !fatal && deps.workspaces.sees_our_disk())
        co_await save_passed_layers();
    try {
        co_await objects->remove_all(deps.clock, k_cleanup_limit);
    } catch (...) {
        const auto error = to_error(std::current_exception());
        warn(std::string("not everything could be removed: ") + error.what(), "the next gantry command tries again");
    }
    if (last_event) {
        last_event->duration = deps.clock.now() - begun;
        journal(*last_event);
    }
    if (fatal)
        std::rethrow_exception(fatal);
    co_return *result;
}

// Room is made of what may be made again: entries of caches beyond their limits.
awaitable<void> Run::Impl::make_room()
{
    if (!deps.caches)
        co_return;
    std::vector<cache::Used> over;
    {
        auto session = deps.caches->open();
        const auto entries = session.entries();
        const auto dropped = cache::over_limit(entries, deps.caches->limits());
        std::copy_if(entries.begin(), entries.end(), std::back_inserter(over), [&](const cache::Used& used) {
            return std::find(dropped.begin(), dropped.end(), used.entry) != dropped.end();
        });
    }
    if (!over.empty())
        co_await remove_cache_entries(deps.engine, *deps.caches, over);
}

awaitable<void> Run::Impl::watch_disks()
{
    const DiskWatch::MakeRoom room = [this]() { return make_room(); };
    const DiskWatch::OnShort on_short = [this](const Error& error) {
        warn(error.what(), error.hint());
        post(input::DiskFull{error.what()});
    };
    disk_watch = std::make_unique<DiskWatch>(*deps.disks, deps.clock, co_await asio::this_coro::executor, room, on_short);
    co_await disk_watch->watch();
}

void Run::Impl::carry_out(const Action& action)
{
    if (const auto* open = std::get_if<action::OpenStage>(&action)) {
        tasks->spawn([this, stage = open->stage]() { return open_stage(stage); });
    } else if (const auto* start = std::get_if<action::StartStep>(&action)) {
        // On the books at once, so that a stop that comes next finds it.
        const auto runner = take_runner(start->step, start->attempt);
        stages[start->step.stage].running[start->step.step] = runner;
        tasks->spawn([this, step = start->step, runner]() { return run_step(step, runner); });
    } else if (const auto* prepare = std::get_if<action::PrepareStep>(&action)) {
        prepare_step(prepare->step);
    } else if (const auto* stop = std::get_if<action::StopStep>(&action)) {
        auto& running = stages[stop->step.stage].running;
        const auto found = running.find(stop->step.step);
        if (found != running.end())
            found->second->stop(stop->hard);
    } else if (const auto* collect = std::get_if<action::CollectStage>(&action)) {
        tasks->spawn([this, what = *collect]() { return collect_stage(what.stage, what.state); });
    } else if (const auto* close = std::get_if<action::CloseStage>(&action)) {
        tasks->spawn([this, stage = close->stage]() { return close_stage(stage); });
    } else if (const auto* timer = std::get_if<action::ArmTimer>(&action)) {
        timers->arm(timer->timer, timer->at);
    } else if (const auto* disarm = std::get_if<action::DisarmTimer>(&action)) {
        timers->disarm(disarm->timer);
    } else if (const auto* told = std::get_if<action::Report>(&action)) {
        report(told->event);
    } else if (const auto* finish = std::get_if<action::Finish>(&action)) {
        result = RunResult{finish->state, finish->cause};
    }
}

void Run::Impl::report(RunEvent event)
{
    if (event.kind == RunEvent::Kind::run_finished) {
        last_event = std::move(event);
        return;
    }
    if (event.kind == RunEvent::Kind::run_started)
        event.outputs.insert(options.details.begin(), options.details.end());
    const bool begins = event.kind == RunEvent::Kind::run_started;
    journal(std::move(event));
    if (begins)
        for (const auto& name : masks.short_names())
            warn("the secret " + name + " is so short that it is not masked in output", "give it 4 bytes or more");
}

void Run::Impl::journal(RunEvent event)
{
    event.time = deps.clock.wall();
    if (!masks.empty()) {
        event.message = mask_text(masks, event.message);
        for (auto& [name, value] : event.outputs)
            value = mask_text(masks, value);
    }
    try {
        deps.writer.append(event);
    } catch (...) {
        // Without a journal nothing may go on: what we could not remember we could not clean up.
        if (!std::exchange(fatal, std::current_exception()))
            post(input::Cancel{true, "the journal cannot be written"});
    }
    for (auto* observer : deps.observers)
        observer->on_event(event);
    using Kind = RunEvent::Kind;
    if (disk_watch && (event.kind == Kind::step_started || event.kind == Kind::step_finished || event.kind == Kind::image_ready))
        disk_watch->look_now();
}

void Run::Impl::warn(std::string message, std::string hint)
{
    RunEvent event;
    event.kind = RunEvent::Kind::warning;
    event.message = std::move(message);
    event.hint = std::move(hint);
    journal(std::move(event));
}

Intend Run::Impl::on_the_books()
{
    return [this](engine::ObjectKind kind, const std::string& name) { objects->intend(kind, name); };
}

void Run::Impl::begin_images()
{
    for (const auto& stage : plan.stages) {
        if (stage.skip_reason || options.kept.contains(stage.id))
            continue;
        for (const auto& step : stage.steps) {
            const auto& image = step.container.image;
            if (image && image->is_literal() && !step.skip_reason && !step.build && !step.push && !made.contains(image->literal()))
                images->begin(image->literal(), step.container.platform.value_or(""),
                              policy_of(step.container, options.pull));
        }
        for (const auto& service : stage.services)
            if (const auto& image = service.container.image;
                image && image->is_literal() && !service.build && !made.contains(image->literal()))
                images->begin(image->literal(), service.container.platform.value_or(""),
                              policy_of(service.container, options.pull));
    }
}

Owner Run::Impl::owner_of(int stage) const
{
    Owner owner;
    owner.instance = options.instance;
    owner.run = deps.writer.id();
    owner.stage = plan.stages[stage].id;
    return owner;
}

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
        of_stage.mask = [this](std::string text) { return masks.empty() ? text : mask_text(masks, text); };
        if (deps.find_earlier_results)
            of_stage.find_earlier = [this, id = of_stage.stage] { return deps.find_earlier_results(id); };
        return std::make_unique<StageReports>(*plan.stages[stage].artifacts, std::move(of_stage));
    };
    return std::make_unique<StageArtifacts>(std::move(parts));
}

awaitable<void> Run::Impl::restore_kept()
{
    std::set<std::string> kept;
    for (const auto& [id, how] : options.kept)
        kept.insert(id);
    const auto intend = on_the_books();
    co_await layers.restore(deps.engine, kept, options.kept_files, intend);
}

awaitable<void> Run::Impl::save_passed_layers()
{
    const StageLayers::Which passed = [this](int stage) { return schedule.stage_state(stage) == State::success; };
    const StageLayers::Failed failed = [this](const std::string& stage, const std::string& why) {
        deps.log.info("files of a stage not saved", {{"stage", stage}, {"why", why}});
    };
    const auto intend = on_the_books();
    co_await layers.save(deps.engine, passed, deps.writer.folder(), intend, failed);
}

// A stage that was cut short may have left half of a file.
awaitable<void> Run::Impl::write_back()
{
    const StageLayers::Which ended = [this](int stage) {
        const auto state = schedule.stage_state(stage);
        return state == State::success || state == State::failure;
    };
    const auto intend = on_the_books();
    try {
        co_await layers.write_back(deps.engine, *deps.pool, ended, options.write_back, intend);
    } catch (...) {
        const auto error = to_error(std::current_exception());
        warn("what the stages changed is not all in " + options.write_back + ": " + error.what(), error.hint());
    }
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
    const auto tell = [this](const std::string& what) {
        for (auto* observer : deps.observers)
            observer->on_waiting(what);
    };
    const std::function<void(const std::string&)> waiting = [&](const std::string& runs) {
        tell((stage < 0 ? "" : plan.stages[stage].id + ": ") + "for a place in the group " + request.group +
             (runs.empty() ? "" : ", which run " + runs + " has"));
    };
    const auto enter = [&]() -> awaitable<void> { place_out = co_await deps.groups->enter(request, waiting); };
    auto& news = stage < 0 ? *arrived : *moved;
    co_await first_of(enter(), news.wait_until(given_up));
    tell("");
}

awaitable<void> Run::Impl::open_stage(int stage)
{
    auto& runtime = stages[stage];
    runtime.host = std::make_unique<StageHost>(deps.engine, *objects, deps.workspaces);
    StageHost::Request request;
    request.stage = &plan.stages[stage];
    request.owner = owner_of(stage);
    try {
        if (const auto& concurrency = request.stage->concurrency) {
            const std::function<bool()> halted = [this, stage] { return schedule.is_halted(stage); };
            auto group = group_of(plan, *request.stage, schedule.facts(stage));
            co_await enter_group(*concurrency, std::move(group), stage, runtime.place, halted);
        }
        co_await declared->open(*request.stage);
        request.stack = layers.stack_of(stage);
        co_await runtime.host->open(request);
        layers.opened(stage, runtime.host->layer());
        auto facts = schedule.facts(stage);
        co_await caches->open(stage, std::move(facts));
        co_await start_services(stage);
        post(input::StageOpened{stage, runtime.services ? runtime.services->facts() : decltype(pipeline::RuntimeFacts::services)()});
    } catch (const ServiceFailure& failure) {
        post(input::StageFailedToOpen{stage, failure.outcome});
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

// A second or hard cancel does not wait for it.
awaitable<void> Run::Impl::collect_stage(int stage, State state)
{
    StageArtifacts::Result collected;
    collected.outcome.cause = Cause::cancelled;
    auto collect = [this, stage, state, &collected]() -> awaitable<void> {
        const auto& host = stages[stage].host;
        StageArtifacts::Ended ended{stage, state, host->workspace_mount(), host->layer(), schedule.facts(stage), layers.is_needed(stage)};
        collected = co_await artifacts->collect(std::move(ended));
    };
    co_await first_of(collect(), moved->wait_until([this] { return in_haste; }));
    if (collected.handed_on)
        layers.handed_on(stage, std::move(*collected.handed_on));
    post(input::StageCollected{stage, std::move(collected.outcome)});
}

awaitable<void> Run::Impl::close_stage(int stage)
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
    const bool passed = schedule.stage_state(stage) == State::success;
    auto close_host = [this, &runtime, stage]() -> awaitable<void> {
        try {
            if (runtime.host)
                co_await runtime.host->close();
            co_await declared->close(plan.stages[stage]);
        } catch (const Error&) {
            // Still on the books: removed at the end of the run.
        }
    };
    co_await both(caches->close(stage, passed), close_host());
    runtime.place = {};
    post(input::StageClosed{stage});
}

Attempt::Parts Run::Impl::parts_for(const std::vector<RunObserver*>& observers)
{
    return {deps.engine, deps.clock, deps.writer, *images, *objects, masks, observers, *tasks};
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
    if (step.container.image && made.contains(step.container.image->literal()))
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

    const bool failed = state_of(ended.outcome.cause) == State::failure;
    if (options.keep_failed && failed && !runner->container().empty()) {
        keep_for_shell(*runner);
    } else {
        // Not waited for: the next step need not wait until this one's container is gone, the stage does.
        runtime.ended.push_back(runner);
        tasks->spawn([runner]() { return runner->discard(); });
    }
    post(input::StepEnded{index, std::move(ended.outcome)});
}

void Run::Impl::keep_for_shell(Attempt& runner)
{
    objects->release(engine::ObjectKind::container, runner.container());
    for (const auto& [kind, name] : std::set(objects->left()))
        if (kind == engine::ObjectKind::volume)
            objects->release(kind, name);
}

Run::Run(const pipeline::Plan& plan, RunDeps deps, RunOptions options)
    : impl_(std::make_unique<Impl>(plan, std::move(deps), std::move(options)))
{
}

Run::~Run() = default;

awaitable<RunResult> Run::execute()
{
    return impl_->execute();
}

void Run::cancel(const std::string& by, bool hard)
{
    impl_->cancel(by, hard);
}

awaitable<std::set<std::string>> remove_leftovers(engine::Engine& engine, const std::string& instance, const std::string& run)
{
    const engine::Labels labels{{"gantry.instance", instance}, {"gantry.run", run}};
    const auto objects = co_await engine.list(labels);
    for (const auto kind : {engine::ObjectKind::container, engine::ObjectKind::network, engine::ObjectKind::volume}) {
        TaskGroup removals(co_await asio::this_coro::executor);
        for (const auto& object : objects)
            if (object.kind == kind)
                removals.spawn([&engine, kind, name = object.name]() { return engine.remove(kind, name); });
        co_await removals.join();
    }
    std::set<std::string> names;
    for (const auto& object : objects)
        names.insert(object.name);
    co_return names;
}

} // namespace gantry::runner
