#include "runner/service_runner.hpp"

#include "base/format.hpp"
#include "runner/placing.hpp"
#include "runner/ports.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

namespace gantry::runner {

namespace {

// How long a killed process may take to end.
constexpr auto k_kill_limit = std::chrono::seconds(10);
constexpr std::size_t k_longest_line = 64 * 1024; // that `ready: {log: …}` looks at
constexpr std::size_t k_longest_prompt = 1024;    // and without an end

} // namespace

// Looks at lines for `ready: {log: …}` on the way to the log.
class ServiceRunner::Sink final : public engine::OutputSink {
public:
    Sink(ServiceRunner& service, const ReadyCheck& check) : service_(service)
    {
        if (check.kind == ReadyCheck::Kind::log)
            pattern_ = std::make_unique<RE2>(check.pattern, RE2::Quiet);
    }

    awaitable<void> write(engine::Stream stream, std::string_view bytes) override
    {
        if (pattern_)
            look_at(stream == engine::Stream::err ? lines_[1] : lines_[0], bytes);
        co_await service_.output_->write(stream, bytes);
    }

private:
    void look_at(std::string& line, std::string_view bytes)
    {
        while (pattern_ && !bytes.empty()) {
            const auto end = bytes.find('\n');
            line.append(bytes.substr(0, std::min(end, k_longest_line - std::min(line.size(), k_longest_line))));
            if (end == std::string_view::npos) {
                if (matches_whatever_follows(line))
                    tell();
                return;
            }
            bytes.remove_prefix(end + 1);
            if (RE2::PartialMatch(line, *pattern_))
                tell();
            line.clear();
        }
    }

    // Of a line that has no end yet, such as a prompt: where it is cut is chance, so no '$' or '\b' matches there. A long one is
    // no prompt, and would be looked at again with each piece.
    bool matches_whatever_follows(const std::string& line) const
    {
        return line.size() <= k_longest_prompt && RE2::PartialMatch(line + 'x', *pattern_) && RE2::PartialMatch(line + ' ', *pattern_);
    }

    void tell()
    {
        pattern_.reset();
        service_.matched_ = true;
        service_.changed_->notify_all();
    }

    ServiceRunner& service_;
    std::unique_ptr<RE2> pattern_; // gone once it has matched
    std::string lines_[2];
};

ServiceRunner::ServiceRunner(Parts parts, Request request)
    : parts_(std::move(parts)), request_(std::move(request)), container_(object_name(request_.context.owner)),
      changed_(std::make_unique<Signal>(parts_.background.executor())), use_(parts_.engine, parts_.clock, parts_.background),
      probe_(parts_.engine, parts_.clock, parts_.masks, container_, parts_.near)
{
}

ServiceRunner::~ServiceRunner() = default;

void ServiceRunner::warn(const std::string& what) const
{
    auto warning = event(RunEvent::Kind::warning);
    warning.message = fmt::format("{}: service {}: {}", request_.context.stage->id, name(), what);
    parts_.tell(std::move(warning));
}

RunEvent ServiceRunner::event(RunEvent::Kind kind) const
{
    RunEvent event;
    event.kind = kind;
    event.stage = request_.context.stage->id;
    event.step = service_key(name());
    event.attempt = request_.context.owner.attempt;
    return event;
}

// ---- coming up

awaitable<void> ServiceRunner::create(std::string built)
{
    auto& context = request_.context;
    std::exception_ptr failure;
    Cause otherwise = Cause::image_error;
    try {
        context.image = built.empty() ? image_of(*context.plan, *context.stage, *context.service, context.facts) : std::move(built);
        const auto platform = context.service->container.platform.value_or("");
        const auto image = co_await parts_.images.get(context.image, platform, request_.pull);
        otherwise = Cause::internal;
        check_ = ready_check(*context.service, image.info.healthcheck, image.info.shell);
        auto spec = lower_service(context);
        auto files = lower_files(context);
        std::vector<std::string> targets;
        for (const auto& file : files)
            targets.push_back(file.target);
        make_places(spec, targets);
        use_of_network_.own = spec.network != engine::ContainerSpec::Network::container;
        publishes_ = !spec.ports.empty();
        created_ = true;
        parts_.objects.intend(engine::ObjectKind::container, container_);
        const auto left_out = co_await parts_.engine.create_container(spec);
        parts_.tell_left_out(context.stage->id + ": service " + name(), left_out);
        if (!files.empty()) {
            const auto missing = co_await place_files(parts_.engine, request_.carrier(), spec, std::move(files));
            for (const auto& file : missing)
                warn(fmt::format("there is no '{}' in the workspace, and so {} is an empty folder", file.source, file.target));
        }
        engine::Engine::AttachOptions attach;
        attach.tty = spec.tty;
        attachment_ = co_await parts_.engine.attach(container_, attach);
        output_ = std::make_unique<StepOutput>(
            StepKey{context.stage->id, context.owner.step, context.owner.attempt},
            parts_.writer.open_log({context.stage->id, context.owner.step, context.owner.attempt}), parts_.masks,
            parts_.clock, parts_.observers, std::function<void()>());
        sink_ = std::make_unique<Sink>(*this, check_);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure)
        fail(failure, otherwise);
}

awaitable<void> ServiceRunner::start()
{
    std::exception_ptr failure;
    try {
        co_await parts_.engine.start_container(container_);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure)
        fail(failure, Cause::config_error);
    begun_ = parts_.clock.now();
    started_ = true;
    use_.start(container_, use_of_network_);
    reading_ = true;
    std::function<awaitable<void>()> reader = [self = shared_from_this()]() -> awaitable<void> {
        std::function<awaitable<void>()> inner = [self]() -> awaitable<void> {
            co_await self->attachment_->read_all(*self->sink_);
        };
        try {
            co_await asio::co_spawn(co_await asio::this_coro::executor, inner(),
                                    asio::bind_cancellation_slot(self->cancel_reading_.slot(), use_awaitable));
        } catch (...) {
            // An engine that went away shows in the wait for its end; a full disk, in whatever else writes to it.
        }
        self->reading_ = false;
        self->changed_->notify_all();
    };
    parts_.background.spawn(reader);
    std::function<awaitable<void>()> waiter = [self = shared_from_this()]() { return self->wait_for_end(); };
    parts_.background.spawn(waiter);
    auto started = event(RunEvent::Kind::service_started);
    started.state = State::running;
    started.image = request_.context.image;
    parts_.tell(started);
    changed_->notify_all();
    co_await learn_ports();
}

awaitable<void> ServiceRunner::learn_ports()
{
    if (!publishes_)
        co_return;
    try {
        ports_ = published_ports(co_await parts_.engine.inspect_container(container_));
    } catch (const Error& error) {
        if (error.code() == Errc::cancelled)
            throw;
        // An engine that went away shows in the wait for its end.
    }
}

pipeline::RuntimeFacts::Step ServiceRunner::facts() const
{
    pipeline::RuntimeFacts::Step facts;
    facts.image = request_.context.image;
    facts.outputs = ports_;
    return facts;
}

awaitable<void> ServiceRunner::wait_for_end()
{
    const auto wait = [this]() -> awaitable<void> { exit_ = co_await parts_.engine.wait_container(container_); };
    const std::function<bool()> is_abandoned = [this] { return abandoned_; };
    try {
        co_await first_of(wait(), changed_->wait_until(is_abandoned));
    } catch (...) {
        lost_ = std::current_exception();
    }
    if (exit_) {
        const std::function<bool()> is_drained = [this] { return !reading_; };
        const std::function<bool()> in_haste = [this] { return hurried_ || abandoned_; };
        if (check_.kind == ReadyCheck::Kind::declared && !ready_)
            co_await ask_for_last_probe();
        co_await output_->wait_for_rest(*changed_, is_drained, in_haste);
        if (reading_)
            warn(k_cut_words);
    }
    co_await end_reading();
    note_end();
    changed_->notify_all();
    if (stopping_ || !ready_)
        co_return; // the gate tells
    // That the engine went away, the steps see themselves.
    if (const auto outcome = outcome_of_end(); outcome.cause == Cause::service_unhealthy)
        request_.on_lost(ServiceFailure{outcome});
}

// What came behind the end that note_end() gives to the output would be masked by itself: half of a secret is none.
awaitable<void> ServiceRunner::end_reading()
{
    if (reading_)
        cancel_reading_.emit(asio::cancellation_type::terminal);
    const std::function<bool()> has_ended = [this] { return !reading_; };
    co_await changed_->wait_until(has_ended);
}

void ServiceRunner::note_end()
{
    if (std::exchange(told_end_, true))
        return;
    use_.stop();
    try {
        if (output_)
            output_->finish();
    } catch (const Error&) {
        // A full disk: whatever else writes to it tells.
    }
    auto ended = event(RunEvent::Kind::service_finished);
    // What it says to our own signal is no news.
    const auto outcome = given_up_ ? *given_up_ : stopping_ ? Outcome() : outcome_of_end();
    ended.cause = outcome.cause;
    ended.state = state_of(outcome.cause);
    ended.exit_code = exit_ ? std::optional(exit_->exit_code) : std::nullopt;
    ended.signal = outcome.signal;
    ended.message = outcome.message;
    ended.duration = parts_.clock.now() - begun_;
    ended.outputs = ports_;
    ended.log_bytes = output_ ? output_->size_bytes() : 0;
    ended.use = use_.last();
    parts_.tell(ended);
}

// ---- going

void ServiceRunner::hurry()
{
    hurried_ = true;
    changed_->notify_all();
}

awaitable<void> ServiceRunner::stop()
{
    stopping_ = true;
    changed_->notify_all();
    const std::function<bool()> is_over = [this] { return told_end_; };
    const auto kill = [this](const std::string& signal, std::chrono::nanoseconds limit) -> awaitable<void> {
        try {
            co_await parts_.engine.kill_container(container_, signal);
            auto end = changed_->wait_until([this, &signal] { return told_end_ || (hurried_ && signal != "SIGKILL"); });
            auto sleep = parts_.clock.sleep_for(limit);
            co_await first_of(std::move(end), std::move(sleep));
        } catch (const Error&) {
            // The removal below kills, too.
        }
    };
    const auto& container = request_.context.service->container;
    if (started_ && !is_over() && !hurried_) {
        const std::string signal = container.stop_signal.value_or("SIGTERM");
        co_await kill(signal, container.stop_grace_period.value_or(request_.grace));
    }
    if (started_ && !is_over()) {
        const std::string signal = "SIGKILL";
        co_await kill(signal, k_kill_limit);
    }
}

awaitable<void> ServiceRunner::discard()
{
    if (!created_)
        co_return;
    bool removed = false;
    try {
        co_await parts_.objects.remove(engine::ObjectKind::container, container_);
        removed = true;
    } catch (const Error&) {
        // Still on the books: removed at the end of the run.
    }
    if (!started_)
        co_return;
    const std::function<bool()> is_over = [this] { return told_end_; };
    if (removed) {
        auto end = changed_->wait_until(is_over);
        auto limit = parts_.clock.sleep_for(k_kill_limit);
        co_await first_of(std::move(end), std::move(limit));
    } else if (!exit_ && !lost_ && !given_up_) {
        given_up_.emplace();
        given_up_->cause = Cause::engine_lost;
        given_up_->message =
            fmt::format("service {} did not end when it was killed: its container {} may still run", terminal_safe(name()), container_);
    }
    abandoned_ = true;
    changed_->notify_all();
    co_await changed_->wait_until(is_over);
}

} // namespace gantry::runner
