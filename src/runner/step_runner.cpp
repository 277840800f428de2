#include "runner/step_runner.hpp"

#include "base/format.hpp"
#include "runner/hold.hpp"
#include "runner/placing.hpp"
#include "runner/ports.hpp"

#include <algorithm>
#include <csignal>

namespace gantry::runner {

namespace {

constexpr auto k_pause_between_kills = std::chrono::seconds(5);
// A process that has not ended so long after its first SIGKILL hangs in the kernel, or its engine does.
constexpr auto k_longest_kill = std::chrono::seconds(60);

// An engine that went away may be back soon.
constexpr auto k_removal_limit = std::chrono::seconds(60);
constexpr auto k_pause_between_removals = std::chrono::seconds(1);

// The engine has refused to start a process; after any other error it may have begun.
bool is_refusal(const Error& error)
{
    switch (error.code()) {
    case Errc::unavailable:
    case Errc::timed_out:
    case Errc::cancelled:
    case Errc::internal: return false;
    default: return true;
    }
}

// Told apart from other errors because its cause is the image's, whichever side failed.
struct ImageFailure {
    Error error;
};

} // namespace

Outcome outcome_of_error(const Error& error, Cause otherwise)
{
    Outcome outcome;
    outcome.message = error.what();
    outcome.hint = error.hint();
    switch (error.code()) {
    case Errc::cancelled: outcome.cause = Cause::cancelled; break;
    case Errc::no_space: outcome.cause = Cause::disk_full; break;
    case Errc::unavailable: outcome.cause = otherwise == Cause::image_error ? otherwise : Cause::engine_lost; break;
    case Errc::bad_input:
    case Errc::unsupported: outcome.cause = otherwise == Cause::image_error ? otherwise : Cause::config_error; break;
    default: outcome.cause = otherwise;
    }
    return outcome;
}

// POSIX, "Exit Status for Commands"; the init that goes before a container's command follows it.
std::string hint_of_exit(int exit_code)
{
    if (exit_code == 127)
        return "127 says that a command was not found: is it in the image, and in its PATH?";
    if (exit_code == 126)
        return "126 says that a command was found and cannot be run: see its mode, its first line and its architecture";
    return {};
}

StepRunner::StepRunner(Parts parts, Request request)
    : parts_(parts), request_(std::move(request)), name_(object_name(request_.context.owner)),
      drained_(std::make_unique<Signal>(parts_.background.executor())), use_(parts_.engine, parts_.clock, parts_.background),
      grace_(request_.grace),
      stop_changed_(std::make_unique<Signal>(parts_.background.executor())),
      prepared_changed_(std::make_unique<Signal>(parts_.background.executor())),
      discard_ended_(std::make_unique<Signal>(parts_.background.executor()))
{
    if (request_.context.step->container.stop_grace_period)
        grace_ = *request_.context.step->container.stop_grace_period;
}

StepRunner::~StepRunner() = default;

// Runs a phase that stop() interrupts.
awaitable<void> StepRunner::guarded(std::function<awaitable<void>()> phase)
{
    if (stop_requested_)
        throw Error(Errc::cancelled, "stopped before it began");
    co_await asio::co_spawn(co_await asio::this_coro::executor, phase(),
                            asio::bind_cancellation_slot(cancel_.slot(), use_awaitable));
}

awaitable<void> StepRunner::prepare()
{
    if (std::exchange(preparing_, true)) {
        co_await prepared_changed_->wait_until([this] { return prepared_; });
        co_return;
    }
    std::function<awaitable<void>()> body = [this]() { return create(); };
    try {
        co_await guarded(body);
    } catch (...) {
        failure_ = std::current_exception();
    }
    prepared_ = true;
    prepared_changed_->notify_all();
}

awaitable<void> StepRunner::create()
{
    auto& context = request_.context;
    image_ = image_of(*context.plan, *context.stage, *context.step, context.facts);
    context.image = image_;

    const auto waiting_since = parts_.clock.now();
    const auto platform = context.step->container.platform.value_or("");
    std::string image_user;
    try {
        image_user = (co_await parts_.images.get(image_, platform, request_.pull)).info.user;
    } catch (...) {
        auto error = to_error(std::current_exception());
        if (error.code() == Errc::cancelled)
            throw;
        throw ImageFailure{error};
    }
    const auto have_image = parts_.clock.now();
    timings_.pull = have_image - waiting_since;

    exchange_ = std::make_unique<ExchangeFiles>(request_.exchange_folder);
    if (const auto mount = exchange_->mount())
        context.mounts.push_back(*mount);
    auto spec = lower_step(context);
    make_places(spec, paths_to_place());
    use_of_network_ = {spec.network != engine::ContainerSpec::Network::container, request_.shared_traffic};
    publishes_ = !spec.ports.empty();
    const bool hold = request_.hold && can_be_held(*context.step, spec);
    if (hold)
        hold_back(spec);

    parts_.objects.intend(engine::ObjectKind::container, name_);
    const auto left_out = co_await parts_.engine.create_container(spec);
    parts_.tell_left_out(context.stage->id + "/" + context.step->id, left_out);
    co_await exchange_->place(parts_.engine, spec);
    const std::string user = spec.user.empty() ? image_user : spec.user;
    co_await place_files(spec, user);
    engine::Engine::AttachOptions attach;
    attach.tty = spec.tty;
    attach.open_stdin = spec.open_stdin;
    attachment_ = co_await parts_.engine.attach(name_, attach);
    if (hold) {
        co_await parts_.engine.start_container(name_);
        held_ = true;
    }
    timings_.start = parts_.clock.now() - have_image;
}

std::vector<std::string> StepRunner::paths_to_place() const
{
    auto paths = exchange_->paths_in_container();
    for (const auto& [path, secret] : secret_files_of(request_.context))
        paths.push_back(path);
    return paths;
}

// Secrets go into the container's own layer, or into a volume that goes with it: never on our disk. The folders of workspace
// and caches belong to root; a step that is somebody else may write to them all the same.
awaitable<void> StepRunner::place_files(const engine::ContainerSpec& spec, const std::string& user)
{
    std::vector<PlacedEntry> entries;
    const bool is_root =
        user.empty() || user == "root" || user == "0" || user.rfind("root:", 0) == 0 || user.rfind("0:", 0) == 0;
    for (const auto& mount : request_.context.mounts)
        if (!is_root && mount.type == engine::Mount::Type::volume)
            entries.push_back({mount.target, 0777, {}, true});
    for (const auto& [path, secret] : secret_files_of(request_.context))
        entries.push_back({path, 0444, secret.reveal(), false});
    if (!entries.empty())
        co_await place_entries(parts_.engine, spec, std::move(entries));
}

awaitable<void> StepRunner::begin()
{
    const auto before = parts_.clock.now();
    may_run_ = true;
    if (held_) {
        co_await attachment_->write("\n");
        co_await attachment_->close_stdin();
    } else {
        try {
            co_await parts_.engine.start_container(name_);
        } catch (const Error& error) {
            may_run_ = !is_refusal(error);
            throw;
        }
    }
    timings_.start += parts_.clock.now() - before;
}

awaitable<void> StepRunner::learn_ports()
{
    if (!publishes_)
        co_return;
    try {
        ports_ = published_ports(co_await parts_.engine.inspect_container(name_));
    } catch (const Error&) {
        // An engine that went away shows in the wait for the end.
    }
    if (!ports_.empty() && request_.on_ports)
        request_.on_ports(ports_);
}

awaitable<void> StepRunner::drain()
{
    try {
        co_await attachment_->read_all(*output_);
    } catch (...) {
        output_failure_ = std::current_exception();
    }
    reading_ = false;
    drained_->notify_all();
    // What it prints from now on would be lost, and step and engine may wait for ever to be read.
    if (output_failure_ && !ended_) {
        attachment_.reset();
        co_await kill_until_ended();
    }
}

// Waits for the end of the process, then for the end of its output; leaves nothing reading behind.
awaitable<engine::ContainerExit> StepRunner::follow()
{
    std::optional<engine::ContainerExit> exit;
    std::exception_ptr failure;
    const auto wait = [this, &exit]() -> awaitable<void> { exit = co_await parts_.engine.wait_container(name_); };
    const std::function<bool()> is_given_up = [this] { return unkillable_; };
    try {
        co_await first_of(wait(), stop_changed_->wait_until(is_given_up));
        if (!exit)
            throw Error(Errc::unavailable, "its process has not ended " + print_duration(k_longest_kill) + " after it was killed");
    } catch (...) {
        failure = std::current_exception();
    }
    ended_ = true;
    use_.stop();
    stop_changed_->notify_all();
    if (!failure) {
        may_run_ = false;
        request_.on_exited();
    }
    const std::function<bool()> is_drained = [this] { return !reading_; };
    const std::function<bool()> in_haste = [this] { return hard_; };
    if (!failure)
        co_await output_->wait_for_rest(*drained_, is_drained, in_haste);
    cut_ = !failure && reading_;
    if (reading_)
        cancel_.emit(asio::cancellation_type::terminal); // the reader
    co_await drained_->wait_until(is_drained);
    if (failure)
        std::rethrow_exception(failure);
    co_return *exit;
}

awaitable<StepRunner::Result> StepRunner::run()
{
    Result result;
    auto& outcome = result.outcome;
    co_await prepare();
    try {
        if (failure_)
            std::rethrow_exception(failure_);
        output_ = std::make_unique<StepOutput>(
            StepKey{request_.context.stage->id, request_.context.step->id, request_.context.owner.attempt},
            parts_.writer.open_log({request_.context.stage->id, request_.context.step->id, request_.context.owner.attempt}),
            parts_.masks, parts_.clock, parts_.observers, request_.on_output);
        std::function<awaitable<void>()> body = [this]() { return begin(); };
        co_await guarded(body);
        running_ = true;
        use_.start(name_, use_of_network_);
        request_.on_started();
        const auto started = parts_.clock.now();
        reading_ = true;
        // It may still be unwinding, bound to our cancellation signal, when run() has ended.
        std::function<awaitable<void>()> reader = [self = shared_from_this()]() -> awaitable<void> {
            std::function<awaitable<void>()> inner = [self]() { return self->drain(); };
            // stop() of the process must not cut its last words: only follow() cancels the reader.
            co_await asio::co_spawn(co_await asio::this_coro::executor, inner(),
                                    asio::bind_cancellation_slot(self->cancel_.slot(), use_awaitable));
        };
        parts_.background.spawn(reader);
        if (stop_requested_)
            stop(hard_);

        co_await learn_ports();
        const auto exit = co_await follow();
        const auto ended = parts_.clock.now();
        timings_.command = ended - started;
        output_->finish();
        co_await finish(result, exit);
        timings_.finish = parts_.clock.now() - ended;
    } catch (const ImageFailure& failure) {
        outcome = outcome_of_error(failure.error, Cause::image_error);
    } catch (...) {
        outcome = outcome_of_error(to_error(std::current_exception()), Cause::internal);
        if (outcome.cause == Cause::engine_lost && outcome.hint.empty())
            outcome.hint = "the step's own result is not known; run it again: gantry rerun --failed";
    }
    if (stop_requested_ && outcome.cause != Cause::disk_full && outcome.cause != Cause::engine_lost &&
        (!running_ || killed_by_us_))
        outcome.cause = Cause::cancelled;
    if (may_run_)
        may_run_ = !co_await remove_at_last();
    if (may_run_) {
        result.may_still_run = true;
        outcome.cause = Cause::engine_lost;
        outcome.hint = "its container " + name_ + " may still run; the next gantry command tries to remove it";
    }
    outcome.outputs.insert(ports_.begin(), ports_.end());
    outcome.image = image_;
    outcome.timings = timings_;
    outcome.use = use_.last();
    if (const auto limit = request_.context.step->container.memory_bytes; outcome.use && limit && outcome.cause == Cause::oom)
        outcome.use->memory_peak_bytes = std::max(outcome.use->memory_peak_bytes, static_cast<std::uint64_t>(*limit));
    outcome.log_bytes = output_ ? output_->size_bytes() : 0;
    ended_ = true;
    stop_changed_->notify_all();
    co_return result;
}

awaitable<void> StepRunner::finish(Result& result, const engine::ContainerExit& exit)
{
    result.outcome = outcome_of(exit);
    if (cut_)
        result.problems.emplace_back(k_cut_words);
    // Without all of its output a step has neither passed nor failed. We cancel the reading only where the process has left
    // another one behind that holds its streams open.
    if (output_failure_ && !is_cancellation(output_failure_)) {
        result.outcome = outcome_of_error(to_error(output_failure_), Cause::internal);
        co_return;
    }
    // A daemon that is stopped stops its containers first: such an end is not the step's own.
    const bool by_signal = exit.exit_code == 137 || exit.exit_code == 143;
    if (by_signal && !killed_by_us_ && !exit.oom_killed) {
        const auto status = co_await parts_.engine.inspect_container(name_);
        if (status.state == engine::ContainerState::missing)
            throw Error(Errc::unavailable, "the container was removed by somebody else");
    }
    const auto contents = co_await exchange_->collect(parts_.engine, name_);
    const auto values_of = [&result](const char* file, std::string_view text) {
        std::vector<std::string> problems;
        auto values = parse_exchange(text, &problems);
        for (const auto& problem : problems)
            result.problems.push_back(std::string(file) + ", " + problem);
        return values;
    };
    result.exported = values_of("CI_ENV", contents.env);
    result.outcome.outputs = values_of("CI_OUTPUT", contents.output);
    result.summary = contents.summary;
    result.problems.insert(result.problems.end(), contents.problems.begin(), contents.problems.end());
}

Outcome StepRunner::outcome_of(const engine::ContainerExit& exit) const
{
    Outcome outcome;
    outcome.exit_code = exit.exit_code;
    if (!exit.error.empty()) {
        outcome.cause = Cause::config_error;
        outcome.message = exit.error;
        outcome.exit_code.reset();
        return outcome;
    }
    if (exit.exit_code == 0) {
        outcome.cause = Cause::ok;
        if (exit.oom_killed)
            outcome.message = "a process in it was killed for want of memory, and the step passed all the same";
        return outcome;
    }
    const auto limit = request_.context.step->container.memory_bytes;
    if (exit.oom_killed) {
        outcome.cause = Cause::oom;
        outcome.message = "out of memory" + (limit ? ": its limit is " + format_memory(*limit) : std::string());
        if (const auto& use = use_.last())
            outcome.message += (limit ? ", " : ": ") + format_memory(use->memory_peak_bytes) + " when last seen";
        outcome.hint = "raise resources: { memory: … }, or use less";
    } else if (exit.exit_code > 128 && exit.exit_code <= 128 + 31) {
        outcome.cause = Cause::killed_by_signal;
        outcome.signal = exit.exit_code - 128;
        if (outcome.signal == SIGKILL && limit && !killed_by_us_) // engines do not always hear why the kernel killed
            outcome.hint = "if it used up its memory (limit: " + format_memory(*limit) + "), raise resources: { memory: … }";
    } else {
        outcome.cause = Cause::failed;
        outcome.hint = hint_of_exit(exit.exit_code);
    }
    return outcome;
}

void StepRunner::stop(bool hard)
{
    stop_requested_ = true;
    hard_ = hard_ || hard;
    stop_changed_->notify_all();
    if (!running_) {
        cancel_.emit(asio::cancellation_type::terminal);
        return;
    }
    if (!std::exchange(stopping_, true)) {
        std::function<awaitable<void>()> body = [self = shared_from_this()]() { return self->stop_process(); };
        parts_.background.spawn(body);
    }
}

// Until `holds` does, but not longer than `limit`.
awaitable<void> StepRunner::until(Signal& changed, const std::function<bool()>& holds, std::chrono::nanoseconds limit)
{
    auto wait = changed.wait_until(holds);
    auto sleep = parts_.clock.sleep_for(limit);
    co_await first_of(std::move(wait), std::move(sleep));
}

awaitable<void> StepRunner::stop_process()
{
    killed_by_us_ = true;
    if (!hard_) {
        const auto signal = request_.context.step->container.stop_signal.value_or("SIGTERM");
        try {
            co_await parts_.engine.kill_container(name_, signal);
        } catch (const Error&) {
            // An engine that does not answer ends the step through follow(); a bad signal name, through the kill below.
        }
        const std::function<bool()> has_to_end = [this] { return ended_ || hard_; };
        co_await until(*stop_changed_, has_to_end, grace_);
    }
    co_await kill_until_ended();
}

// A call that fails must not let a step outlive its run, nor a process that cannot be killed let the run go on for ever.
awaitable<void> StepRunner::kill_until_ended()
{
    const auto deadline = parts_.clock.now() + k_longest_kill;
    const std::function<bool()> has_ended = [this] { return ended_; };
    while (!ended_ && parts_.clock.now() < deadline) {
        co_await kill();
        co_await until(*stop_changed_, has_ended, k_pause_between_kills);
    }
    unkillable_ = unkillable_ || !ended_;
    stop_changed_->notify_all();
}

awaitable<void> StepRunner::kill()
{
    try {
        co_await parts_.engine.kill_container(name_, "SIGKILL");
    } catch (const std::exception&) {
        // Of no matter: an engine that does not answer ends the step through follow(), which may also cancel this.
    }
}

// True when it is gone. What kills could not end, no removal does.
awaitable<bool> StepRunner::remove_at_last()
{
    if (unkillable_)
        co_return false;
    const auto remove = [this]() -> awaitable<void> {
        const std::function<bool()> in_haste = [this] { return hard_; };
        for (;;) {
            co_await discard();
            if (discarded_ || hard_)
                co_return;
            co_await until(*stop_changed_, in_haste, k_pause_between_removals);
        }
    };
    auto limit = parts_.clock.sleep_for(k_removal_limit);
    co_await first_of(remove(), std::move(limit));
    co_return discarded_;
}

// Who calls while another call is at it waits for that one: what its container uses is removed next.
awaitable<void> StepRunner::discard()
{
    co_await discard_ended_->wait_until([this] { return !discarding_; });
    if (discarded_)
        co_return;
    discarding_ = true;
    attachment_.reset();
    std::exception_ptr failure;
    try {
        co_await parts_.objects.remove(engine::ObjectKind::container, name_);
        discarded_ = true;
    } catch (const Error&) {
        // Stays on the books; the run's end tries again.
    } catch (...) {
        failure = std::current_exception();
    }
    discarding_ = false;
    discard_ended_->notify_all();
    if (failure)
        std::rethrow_exception(failure);
}

} // namespace gantry::runner
