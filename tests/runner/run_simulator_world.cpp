#include "runner/run_simulator_world.hpp"

#include "runner/kept_stages.hpp"
#include "runner/run_simulator_process.hpp"
#include "runner/simulator_rules.hpp"

#include <nlohmann/json.hpp>

#include <boost/asio/detached.hpp>

#include <algorithm>

namespace gantry::test {

namespace {

using Kind = runner::RunEvent::Kind;
using runner::State;
constexpr auto k_longest_run = std::chrono::hours(2);
constexpr int k_most_handlers = 400'000;

std::string label(const engine::ContainerSpec& spec, const std::string& key)
{
    const auto found = spec.labels.find("gantry." + key);
    return found == spec.labels.end() ? std::string() : found->second;
}

std::string key_of(const std::string& stage, const std::string& step, int attempt)
{
    return stage + "/" + step + "/" + std::to_string(attempt);
}

} // namespace

// ---- what will happen

Scenario::Scenario(std::uint64_t the_seed) : seed(the_seed), fate(the_seed, Fate::Of::processes)
{
    Random random(seed ^ 0xca1f);
    slots = random.between(1, 6);
    const int speeds[] = {0, 20, 300, 3000};
    longest_call = std::chrono::milliseconds(speeds[random.below(random.chance(80) ? 3 : 4)]);
    const auto within = [&](int most) { return std::chrono::milliseconds(random.below(most + 1)); };
    if (random.chance(35)) {
        failing_calls = random.between(1, 60);
        lost_answers = random.between(0, 40);
    }
    if (random.chance(20))
        for (int i = random.between(1, 2); i > 0; --i)
            outages.push_back({within(12'000), within(random.chance(50) ? 2000 : random.chance(60) ? 20'000 : 400'000), random.chance(50)});
    if (random.chance(30))
        for (int i = random.between(1, 3); i > 0; --i)
            cancels.push_back({within(9000), random.chance(25)});
    if (random.chance(30))
        for (int i = random.between(1, 2); i > 0; --i)
            crash_after.push_back(random.below(random.chance(50) ? 150 : 800));
    if (random.chance(3))
        full_disk_after = random.below(60);
}

// ---- the engine

RunWorld::RunWorld(const RandomPlan& plan, const Scenario& scenario, runner::Store& store)
    : plan_(plan), scenario_(scenario), store_(store), random_(scenario.seed ^ 0x3a1d)
{
    engine_ = std::make_unique<engine::FakeEngine>(loop_.get_executor(), clock_);
    script_engine();
}

// Dead processes still wait for the engine and the clock: their coroutines go first.
RunWorld::~RunWorld()
{
    engine_.reset();
    processes_.clear();
}

void RunWorld::script_engine()
{
    engine_->on_start([this](const engine::ContainerSpec& spec) {
        engine::FakeBehaviour behaviour;
        remember([&] { behaviour = behave(spec); });
        return behaviour;
    });
    engine_->on_call([this](const engine::FakeCall& call) {
        remember([&] { check_call(call); });
        fail_calls(call);
    });
    engine_->on_latency([this](const engine::FakeCall&) -> std::chrono::nanoseconds {
        return std::chrono::milliseconds(random_.below(static_cast<int>(scenario_.longest_call.count()) + 1));
    });
}

// The caller of the engine would take it for the engine's failure.
void RunWorld::remember(const std::function<void()>& check)
{
    try {
        check();
    } catch (const std::exception& broken) {
        broken_ = broken.what();
    }
}

void RunWorld::fail_calls(const engine::FakeCall& call)
{
    const bool is_answer = call.operation.starts_with("after ");
    if (call.operation == "create_volume" && living_) {
        for (std::size_t i = 0; i < plan_.plan.stages.size(); ++i)
            if (!scenario_.fate.opens(static_cast<int>(i)) &&
                call.object == living_->volume_of(plan_.plan.stages[i].id))
                throw Error(Errc::internal, "this stage never opens");
    }
    if (calm_ || random_.below(1000) >= (is_answer ? scenario_.lost_answers : scenario_.failing_calls))
        return;
    ++lost_calls;
    constexpr Errc codes[] = {Errc::unavailable, Errc::timed_out, Errc::internal,
                              Errc::no_space,    Errc::conflict,  Errc::denied};
    throw Error(codes[random_.below(is_answer ? 2 : 6)], "injected: " + to_string(call));
}

const pipeline::PlanStep& RunWorld::step_of(const std::string& stage, const std::string& step) const
{
    for (const auto& one : plan_.plan.stages)
        for (const auto& other : one.steps)
            if (one.id == stage && other.id == step)
                return other;
    throw std::runtime_error("the plan has no step " + stage + "/" + step);
}

// By a timeout or a cancel.
bool RunWorld::is_stopped_some_time(const std::string& stage, const std::string& step) const
{
    const auto& stages = plan_.plan.stages;
    const auto found = std::find_if(stages.begin(), stages.end(), [&](const auto& one) { return one.id == stage; });
    return step_of(stage, step).timeout || found->timeout || plan_.plan.timeout ||
           (!scenario_.cancels.empty() && scenario_.crash_after.empty());
}

// What a step's process does is decided by the seed, the step, and how many times it was tried in this process.
engine::FakeBehaviour RunWorld::behave(const engine::ContainerSpec& spec)
{
    const auto stage = label(spec, "stage");
    const auto step = label(spec, "step");
    const int attempt = std::stoi(label(spec, "attempt"));
    const auto key = key_of(stage, step, attempt);
    // One that was held, and prepared in vain, is made anew.
    require(spec.open_stdin || began_.insert(key).second, "an attempt of a step is started twice");
    ++containers;

    const auto index = living_->index_of(stage, step);
    Random random(scenario_.seed * 31 + static_cast<std::uint64_t>(index.stage * 1000 + index.step * 20 + attempt));
    const auto outcome = scenario_.fate.of(index.stage, index.step, living_->tries(stage, step, attempt));
    engine::FakeBehaviour behaviour;
    behaviour.waits_for_stdin = spec.open_stdin;
    behaviour.runs_for = std::chrono::milliseconds(random.below(random.chance(10) ? 15'000 : 2500));
    behaviour.ignores_signals = random.chance(15);
    behaviour.never_ends = random.chance(8) && is_stopped_some_time(stage, step);
    behaviour.stops_within = std::chrono::milliseconds(random.below(3000));
    behaviour.output = "out of " + key + "\n";
    if (random.chance(50))
        behaviour.error_output = "no line end";
    for (const auto& [name, value] : outcome.outputs)
        behaviour.files[std::string(runner::k_exchange) + "/output"] = name + "=" + value + "\n";
    behaviour.exit_code = outcome.exit_code.value_or(0);
    if (outcome.cause == runner::Cause::killed_by_signal)
        behaviour.exit_code = 139;
    if (outcome.cause == runner::Cause::oom) {
        behaviour.exit_code = 137;
        behaviour.oom_killed = true;
    }
    if (outcome.cause == runner::Cause::config_error)
        behaviour.start_error = "no such program";
    else
        outputs_[key] = behaviour.output + behaviour.error_output;
    return behaviour;
}

// ---- the outside

void RunWorld::play_outside(Process& process)
{
    for (const auto& outage : scenario_.outages)
        asio::co_spawn(
            loop_,
            [this, outage]() -> awaitable<void> {
                co_await clock_.sleep_for(outage.after);
                if (calm_)
                    co_return;
                engine_->go_away();
                co_await clock_.sleep_for(outage.lasts);
                engine_->come_back(outage.containers_survive);
            },
            asio::detached);
    for (const auto& cancel : scenario_.cancels)
        asio::co_spawn(
            loop_,
            [this, cancel, &process]() -> awaitable<void> {
                co_await clock_.sleep_for(cancel.after);
                if (living_ == &process)
                    process.cancel(cancel.hard, clock_.now());
            },
            asio::detached);
}

// One handler, or else a move of the clock.
void RunWorld::move()
{
    require(broken_.empty(), broken_.c_str());
    loop_.restart();
    if (loop_.poll_one() == 0)
        require(clock_.advance_to_next(), "stuck: nothing is ready and nobody sleeps");
}

// True if the process has ended, false if it is to die.
bool RunWorld::drive_to_end(Process& process, int handlers)
{
    const auto begun = clock_.now();
    for (int i = 0; !process.has_ended(); ++i) {
        if (i == handlers)
            return false;
        require(i < k_most_handlers, "the run does not end: too many handlers");
        require(clock_.now() - begun < k_longest_run, "the run does not end: it takes hours");
        move();
    }
    return true;
}

// True if that worked.
bool RunWorld::remove_leftovers(const std::string& id)
{
    auto& process = add_process(nullptr, {});
    process.spawn(runner::remove_leftovers(*engine_, store_.instance(), id));
    drive_to_end(process, -1);
    process.die();
    living_ = nullptr;
    return !process.failure;
}

// As any gantry command after a crash.
void RunWorld::clean_up(const std::string& id)
{
    for (int tries = 0;; ++tries) {
        calm_ = calm_ || tries == 3;
        if (calm_)
            engine_->come_back(true);
        if (remove_leftovers(id))
            break;
        require(tries < 4, "the reaper fails although the engine answers");
    }
    const auto writer = store_.reopen_run(id);
    store_.set_aside(id);
}

Process& RunWorld::add_process(std::unique_ptr<runner::RunWriter> writer, runner::RunOptions options)
{
    processes_.push_back(std::make_unique<Process>(loop_, plan_.plan, *engine_, clock_, std::move(writer),
                                                   std::move(options), scenario_.full_disk_after));
    living_ = processes_.back().get();
    return *living_;
}

void RunWorld::run()
{
    auto writer = store_.create_run(plan_.plan, {});
    const auto id = writer->id();
    runner::RunOptions options;
    options.instance = store_.instance();
    options.slots = scenario_.slots;
    for (std::size_t i = 0;; ++i) {
        auto& process = add_process(std::move(writer), options);
        process.spawn(process.run().execute());
        if (i == 0)
            play_outside(process);
        const bool ended = drive_to_end(process, i < scenario_.crash_after.size() ? scenario_.crash_after[i] : -1);
        process.die();
        living_ = nullptr;
        told_.insert(told_.end(), process.events.begin(), process.events.end());
        result_ = process.result;
        cancelled = cancelled || process.cancelled_at;
        check_process(process, ended);
        const auto is_among = [&id](const std::vector<std::string>& runs) { return std::find(runs.begin(), runs.end(), id) != runs.end(); };
        if (is_among(store_.unclean_runs())) { // the next gantry command
            calm_ = true;
            engine_->come_back(true);
            require(remove_leftovers(id), "the reaper fails although the engine answers");
            break;
        }
        if (ended && !process.failure)
            break;
        ++crashes;
        if (!is_among(store_.interrupted_runs()))
            break; // it died after its end
        clean_up(id);
        if (scenario_.full_disk_after >= 0)
            break;
        writer = store_.reopen_run(id);
        const auto former = store_.summary(id);
        options.kept = runner::kept_stages(plan_.plan, former, {});
        options.attempts = runner::attempts_of(former);
        options.resumed = runner::has_begun(former);
    }
    check_engine();
    check_journal(id);
    check_logs(id);
    store_.hold_run(id)->remove();
}

std::string RunWorld::describe() const
{
    std::string text;
    for (const auto& process : processes_)
        for (const auto& event : process->events)
            text += to_json(event).dump() + "\n";
    return text + engine_->describe();
}

// ---- what must hold

// Before each call has its effect.
void RunWorld::check_call(const engine::FakeCall& call)
{
    if (!living_ || call.operation.starts_with("after "))
        return;
    if (call.operation == "create_container" || call.operation == "create_network" || call.operation == "create_volume")
        require(living_->intended.contains(call.object), "something is created before the journal knows of it");
    const bool starts = call.operation == "start_container";
    if (!starts && call.operation != "write")
        return;
    const auto* spec = engine_->spec_of(call.object);
    if (!spec || label(*spec, "step").empty() || (starts && spec->open_stdin)) // held: it begins with the first write
        return;
    check_alone(*spec);
    if (!living_->cancelled_at || clock_.now() <= *living_->cancelled_at)
        return;
    require(!living_->hard, "a step begins after the hard cancel");
    require(step_of(label(*spec, "stage"), label(*spec, "step")).in_finally, "a step begins after the cancel");
}

// No earlier attempt is there yet.
void RunWorld::check_alone(const engine::ContainerSpec& begins) const
{
    if (label(begins, "attempt") == "1")
        return;
    for (const auto& object : engine_->objects())
        if (object.kind == engine::ObjectKind::container && object.name != begins.name) {
            const auto* other = engine_->spec_of(object.name);
            const bool same = label(*other, "stage") == label(begins, "stage") && label(*other, "step") == label(begins, "step");
            require(!same || engine_->describe().find("container " + object.name + " running") == std::string::npos,
                    "an attempt begins while an earlier one runs");
        }
}

void RunWorld::check_process(const Process& process, bool ended)
{
    std::map<std::pair<std::string, std::string>, State> over;
    std::map<std::string, std::chrono::system_clock::time_point> opened, closed;
    std::set<std::string> body_began, began;
    for (const auto& event : process.events) {
        const auto name = event.stage + "/" + event.step;
        anything_expired = anything_expired || event.cause == runner::Cause::timeout;
        if (event.kind == Kind::stage_started)
            opened[event.stage] = event.time;
        if (event.kind == Kind::step_started) {
            began.insert(name);
            if (!step_of(event.stage, event.step).in_finally)
                body_began.insert(event.stage);
            require(!over.contains({event.stage, event.step}), "a step starts that is over");
        }
        if (event.kind == Kind::step_finished || event.kind == Kind::stage_finished) {
            require(over.emplace(std::pair(event.stage, event.step), event.state).second, "a final state changes");
            closed[event.stage] = event.time;
        }
    }
    if (!ended || process.failure) {
        require(!ended || scenario_.full_disk_after >= 0, "the run fails instead of reporting a result");
        return;
    }
    require(process.result.has_value(), "the run has no result");
    // Finally-steps have five minutes after a halt.
    for (std::size_t i = 0; i < plan_.plan.stages.size(); ++i) {
        const auto& stage = plan_.plan.stages[i];
        if (!body_began.contains(stage.id) || process.hard ||
            closed[stage.id] - opened[stage.id] >= std::chrono::minutes(5))
            continue;
        for (std::size_t k = 0; k < stage.steps.size(); ++k)
            if (stage.steps[k].in_finally && !stage.steps[k].skip_reason &&
                plan_.step_conditions[i][k].kind == MeantCondition::Kind::none)
                require(began.contains(stage.id + "/" + stage.steps[k].id),
                        "a finally-step of an opened stage did not run");
    }
}

// It replays to what was told.
void RunWorld::check_journal(const std::string& id)
{
    const auto events = store_.events(id);
    summary = store_.summary(id);
    std::set<std::string> attempts;
    for (const auto& event : events)
        if (event.kind == Kind::step_started)
            require(attempts.insert(key_of(event.stage, event.step, event.attempt)).second,
                    "an attempt is there twice");
    if (scenario_.full_disk_after >= 0)
        return;
    require(events.size() == told_.size(), "the journal has other events than were told");
    for (std::size_t i = 0; i < events.size(); ++i)
        require(to_json(events[i]) == to_json(told_[i]), "the journal differs from what was told");
    const auto first = std::find_if(events.begin(), events.end(), [](const auto& event) {
        return event.kind != Kind::image_ready && event.kind != Kind::cancel_requested;
    });
    require(first->kind == Kind::run_started, "the first event is not the run's start");
    require(events.back().kind == Kind::run_finished, "the last event is not the run's end");
    const auto ends =
        std::count_if(events.begin(), events.end(), [](const auto& event) { return event.kind == Kind::run_finished; });
    require(ends == 1, "a run ends twice");
    require(!result_ || (summary.state == result_->state && summary.cause == result_->cause),
            "the journal tells another result");
    require(runner::is_final(summary.state), "a run that ended is not final");
    for (const auto& stage : summary.stages) {
        require(runner::is_final(stage.state), "a stage of a run that ended is not final");
        for (const auto& step : stage.steps)
            require(runner::is_final(step.state), "a step of a run that ended is not final");
    }
}

// Every byte of a step whose own result is told.
void RunWorld::check_logs(const std::string& id)
{
    if (scenario_.full_disk_after >= 0)
        return;
    for (const auto& stage : summary.stages)
        for (const auto& step : stage.steps) {
            if (step.state != State::success && step.state != State::failure)
                continue;
            const runner::StepKey key{stage.stage, step.step, step.attempt};
            const auto log = store_.read_log(id, key, 0, 1 << 20);
            const auto& printed = outputs_.at(key_of(stage.stage, step.step, step.attempt));
            require(log.size() == printed.size(), "a log lost or gained bytes");
            // The order between the streams is not promised.
            require(std::is_permutation(log.begin(), log.end(), printed.begin()), "a log has other bytes");
            require(step.log_bytes == log.size(), "log_bytes is not the length of the log");
        }
}

void RunWorld::check_engine()
{
    if (!engine_->violations().empty())
        throw std::runtime_error("the engine complains: " + engine_->violations().front());
    require(engine_->objects().empty(), "something is left at the engine");
}

} // namespace gantry::test
