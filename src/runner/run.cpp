#include "runner/run.hpp"

#include "base/format.hpp"
#include "base/image_reference.hpp"
#include "runner/run_state.hpp"

#include <algorithm>
#include <iterator>

namespace gantry::runner {

namespace {

// The engine may be away when we want to clean up; after this the next command's reaper has to do it.
constexpr auto k_cleanup_limit = std::chrono::seconds(120);

constexpr std::size_t k_most_files_told = 10; // files in one warning

} // namespace

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
    if (!in_haste)
        return;
    for (auto& stage : stages)
        if (stage.services)
            stage.services->hurry();
    if (moved)
        moved->notify_all(); // once the schedule is done, nobody else does
}

awaitable<RunResult> Run::Impl::execute()
{
    const auto executor = co_await asio::this_coro::executor;
    begun = deps.clock.now();
    tasks = std::make_unique<TaskGroup>(executor);
    pulls = std::make_unique<TaskGroup>(executor);
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
    objects = std::make_unique<Objects>(deps.engine, engine::Labels{{"gantry.instance", options.instance}, {"gantry.run", deps.writer.id()}},
                                        tell(RunEvent::Kind::intent), tell(RunEvent::Kind::removed));
    declared = std::make_unique<Declared>(deps.engine, *objects, plan, Owner{options.instance, deps.writer.id()},
                                          options.consent, executor);
    caches = make_caches(executor);
    artifacts = make_artifacts();
    images = std::make_unique<Images>(
        deps.engine, deps.clock, *pulls, waits,
        [this](const engine::PullProgress& progress) { tell_pull(progress); },
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
    const std::function<bool()> cancelled = [this] { return !inputs.empty(); }; // nothing else can have come yet
    if (plan.concurrency)
        co_await enter_group(*plan.concurrency, plan.concurrency->group.literal(), -1, place, cancelled);
    if (!cancelled()) {
        begin_images();
        // The snapshot and the probe of the engine's disk do not wait for the first stage.
        tasks->spawn([this]() { return prepare_workspaces(); });
        try {
            co_await first_of(restore_kept(), arrived->wait_until(cancelled));
        } catch (...) {
            fatal = std::current_exception();
            inputs.push_front(input::Cancel{true, "the files of earlier stages cannot be restored"});
        }
    }
    inputs.push_back(input::Begin{}); // behind a cancel: then no stage is opened
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
    deps.workspaces.give_up();
    co_await watchers.close();
    co_await pulls->close();
    try {
        co_await tasks->join();
    } catch (...) {
        // What is left is removed and the end is told all the same.
        fatal = fatal ? fatal : std::current_exception();
    }
    const std::function<bool()> hurried = [this] { return in_haste; };
    if (!options.write_back.empty() && !fatal && result->state != State::cancelled)
        co_await first_of(write_back(), moved->wait_until(hurried));
    const bool is_worth_saving = result->state != State::success && result->cause != Cause::disk_full && !fatal;
    if (is_worth_saving && deps.workspaces.sees_our_disk())
        co_await first_of(save_passed_layers(), moved->wait_until(hurried));
    try {
        co_await objects->remove_all(deps.clock, k_cleanup_limit);
    } catch (...) {
        const auto error = to_error(std::current_exception());
        warn(std::string("not everything could be removed: ") + error.what(), "the next gantry command tries again");
        deps.writer.note_leftovers();
    }
    if (last_event) {
        last_event->duration = deps.clock.now() - begun;
        if (fatal) { // that is why it was cancelled, and the journal may still have room for so much
            last_event->state = State::error;
            last_event->cause = outcome_of_error(to_error(fatal), Cause::internal).cause;
        }
        journal(*last_event);
    }
    if (fatal)
        std::rethrow_exception(fatal);
    co_return *result;
}

awaitable<void> Run::Impl::prepare_workspaces()
{
    try {
        // The journal begins with the run, not with what is made for it.
        co_await moved->wait_until([this] { return has_begun || options.resumed; });
        co_await deps.workspaces.prepare(on_the_books());
    } catch (...) {
        co_return; // open() of the first stage meets the same error and reports it
    }
    if (options.write_back.empty() || deps.workspaces.sees_our_disk() || fatal)
        co_return;
    // Each stage's layer is a copy of all files there: nobody could tell what it changed. Before any stage is open.
    fatal = std::make_exception_ptr(Error(Errc::unsupported, "--in-place needs an engine that mounts the files of this machine, and this one gets copies",
                                          "gantry doctor says why; without --in-place, let stages keep files (artifacts:) and get them: gantry artifacts"));
    post(input::Cancel{true, "--in-place is not possible"});
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

void Run::Impl::spawn_owing(std::function<awaitable<void>()> task, std::function<Input(const Error&)> otherwise)
{
    std::function<awaitable<void>()> guarded = [this, task = std::move(task), otherwise = std::move(otherwise)]() -> awaitable<void> {
        std::exception_ptr failure;
        try {
            co_await task();
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure && is_cancellation(failure))
            std::rethrow_exception(failure);
        if (failure)
            post(otherwise(to_error(failure)));
    };
    tasks->spawn(std::move(guarded));
}

void Run::Impl::carry_out(const Action& action)
{
    if (const auto* open = std::get_if<action::OpenStage>(&action)) {
        tasks->spawn([this, stage = open->stage]() { return open_stage(stage); });
    } else if (const auto* start = std::get_if<action::StartStep>(&action)) {
        // On the books at once, so that a stop that comes next finds it.
        const auto runner = take_runner(start->step, start->attempt);
        stages[start->step.stage].running[start->step.step] = runner;
        spawn_owing([this, step = start->step, runner]() { return run_step(step, runner); },
                    [this, step = start->step](const Error& error) -> Input {
                        stages[step.stage].running.erase(step.step);
                        return input::StepEnded{step, outcome_of_error(error, Cause::internal)};
                    });
    } else if (const auto* prepare = std::get_if<action::PrepareStep>(&action)) {
        prepare_step(prepare->step);
    } else if (const auto* stop = std::get_if<action::StopStep>(&action)) {
        auto& running = stages[stop->step.stage].running;
        const auto found = running.find(stop->step.step);
        if (found != running.end())
            found->second->stop(stop->hard);
    } else if (const auto* collect = std::get_if<action::CollectStage>(&action)) {
        spawn_owing([this, what = *collect]() { return collect_stage(what.stage, what.state); },
                    [stage = collect->stage](const Error& error) -> Input {
                        return input::StageCollected{stage, outcome_of_error(error, Cause::internal)};
                    });
    } else if (const auto* close = std::get_if<action::CloseStage>(&action)) {
        spawn_owing([this, stage = close->stage]() { return close_stage(stage); },
                    [this, stage = close->stage](const Error& error) -> Input {
                        // What it had is on the books until the end of the run.
                        warn(plan.stages[stage].id + ": " + error.what(), error.hint());
                        stages[stage].place = {};
                        return input::StageClosed{stage};
                    });
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
    has_begun |= begins;
    if (begins)
        for (const auto& name : masks.short_names())
            warn("the secret " + name + " is so short that it is not masked in output", "give it 4 bytes or more");
}

void Run::Impl::journal(RunEvent event)
{
    event.time = deps.clock.wall();
    if (!masks.empty()) {
        // All but names: those of stages and steps stand in the file, and an object is found by its own again.
        for (auto* text : {&event.message, &event.hint, &event.image})
            *text = mask_text(masks, *text);
        // A step that forgets the name (echo "$TOKEN" >> $CI_OUTPUT) makes one of what stands before the secret's first '='.
        std::erase_if(event.outputs, [this](const auto& output) {
            const auto& [name, value] = output;
            return mask_text(masks, name + "=" + value) != name + "=" + mask_text(masks, value);
        });
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

void Run::Impl::tell_pull(engine::PullProgress progress)
{
    progress.image = masked(std::move(progress.image));
    for (auto* observer : deps.observers)
        observer->on_pull(progress);
}

void Run::Impl::tell_waiting(std::string what)
{
    what = masked(std::move(what));
    for (auto* observer : deps.observers)
        observer->on_waiting(what);
}

std::string Run::Impl::masked(std::string text) const
{
    return masks.empty() ? text : mask_text(masks, text);
}

void Run::Impl::warn(std::string message, std::string hint)
{
    RunEvent event;
    event.kind = RunEvent::Kind::warning;
    event.message = std::move(message);
    event.hint = std::move(hint);
    journal(std::move(event));
}

void Run::Impl::tell_left_out(const std::string& where, const std::vector<std::string>& what)
{
    for (const auto& sentence : what)
        if (told_left_out.insert(sentence).second)
            warn(where + ": the engine says: " + sentence, "take the key out, or run it where the engine can do that");
}

Intend Run::Impl::on_the_books()
{
    return [this](engine::ObjectKind kind, const std::string& name) { objects->intend(kind, name); };
}

LayerAccess Run::Impl::layer_access()
{
    return {deps.engine, deps.pool, deps.workspaces.shared_folder(), on_the_books()};
}

void Run::Impl::begin_images()
{
    const auto begin = [this](const pipeline::Container& container) {
        const auto& image = container.image;
        if (image && image->is_literal() && !made.contains(full_name(image->literal())))
            images->begin(image->literal(), container.platform.value_or(""), policy_of(container, options.pull));
    };
    for (const auto& stage : plan.stages) {
        if (stage.skip_reason || options.kept.contains(stage.id))
            continue;
        for (const auto& step : stage.steps)
            if (!step.skip_reason && !step.build && !step.push)
                begin(step.container);
        for (const auto& service : stage.services)
            if (!service.build)
                begin(service.container);
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

awaitable<void> Run::Impl::restore_kept()
{
    std::set<std::string> kept;
    for (const auto& [id, how] : options.kept)
        kept.insert(id);
    const auto access = layer_access();
    co_await layers.restore(access, kept, options.kept_files, !options.write_back.empty());
}

awaitable<void> Run::Impl::save_passed_layers()
{
    const StageLayers::Which passed = [this](int stage) { return schedule.stage_state(stage) == State::success; };
    const StageLayers::Failed failed = [this](const std::string& stage, const std::string& why) {
        deps.log.info("files of a stage not saved", {{"stage", stage}, {"why", masked(why)}});
    };
    const auto access = layer_access();
    co_await layers.save(access, passed, deps.writer.folder(), failed);
}

// A stage that was cut short may have left half of a file.
awaitable<void> Run::Impl::write_back()
{
    const StageLayers::Which ended = [this](int stage) {
        const auto state = schedule.stage_state(stage);
        return state == State::success || state == State::failure;
    };
    const auto access = layer_access();
    const TreeWriter::Had had = [this](const std::string& path) { return deps.workspaces.is_in_source(path); };
    try {
        const auto stayed = co_await layers.write_back(access, ended, options.write_back, had);
        if (!stayed.empty())
            warn("removed by the stages, but not from " + options.write_back + ": " +
                     terminal_safe(some_of(stayed, k_most_files_told)),
                 "the run did not have these files, or they are git's; remove them yourself");
    } catch (...) {
        const auto error = to_error(std::current_exception());
        result->is_written_back = false;
        warn("what the stages changed is not all in " + options.write_back + ": " + error.what(), error.hint());
    }
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

awaitable<Leftovers> remove_leftovers(engine::Engine& engine, const std::string& instance, const std::string& run)
{
    const engine::Labels labels{{"gantry.instance", instance}, {"gantry.run", run}};
    const auto objects = co_await engine.list(labels);
    Leftovers leftovers;
    const auto remove = [&engine, &leftovers](engine::ObjectKind kind, std::string name) -> awaitable<void> {
        try {
            co_await engine.remove(kind, name);
            leftovers.removed.insert(name);
        } catch (const Error& error) {
            if (error.code() != Errc::conflict)
                throw;
            if (!leftovers.in_use)
                leftovers.in_use = std::current_exception();
        }
    };
    for (const auto kind : {engine::ObjectKind::container, engine::ObjectKind::network, engine::ObjectKind::volume}) {
        TaskGroup removals(co_await asio::this_coro::executor);
        for (const auto& object : objects)
            if (object.kind == kind)
                removals.spawn([&remove, kind, name = object.name]() { return remove(kind, name); });
        co_await removals.join();
    }
    co_return leftovers;
}

} // namespace gantry::runner
