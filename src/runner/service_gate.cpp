#include "runner/service_runner.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

// When a service counts as ready, and what is told of one that does not get there.

namespace gantry::runner {

// ---- readiness

awaitable<void> ServiceRunner::gate()
{
    const std::function<bool()> decided = [this] { return ready_ || exit_ || lost_; };
    if (!decided() && !std::exchange(probing_, true)) {
        std::exception_ptr failure;
        try {
            auto probes = probe_until_ready();
            auto end = changed_->wait_until(decided);
            co_await first_of(std::move(probes), std::move(end));
        } catch (...) {
            failure = std::current_exception();
        }
        probing_ = false;
        if (failure)
            std::rethrow_exception(failure);
    } else {
        co_await changed_->wait_until(decided);
    }
    if (ready_)
        co_return;
    const bool done = exit_ && exit_->exit_code == 0 && check_.kind == ReadyCheck::Kind::none;
    if (!done)
        fail_ended();
    become_ready();
}

awaitable<void> ServiceRunner::completion()
{
    co_await changed_->wait_until([this] { return exit_ || lost_; });
    if (lost_ || exit_->exit_code != 0)
        fail_ended();
}

// Throws ServiceFailure when the patience is over; an end of the process interrupts it.
awaitable<void> ServiceRunner::probe_until_ready()
{
    using Kind = ReadyCheck::Kind;
    if (check_.kind == Kind::none) {
        become_ready();
        co_return;
    }
    if (check_.kind == Kind::log || check_.kind == Kind::declared) {
        const bool by_log = check_.kind == Kind::log;
        // The engine begins a probe an interval after the last one ended: its verdict may come that much later than ours.
        const auto slack = by_log ? std::chrono::nanoseconds(0) : check_.interval;
        const auto patience = check_.patience(by_log ? std::chrono::nanoseconds(0) : check_.timeout);
        const std::function<bool()> told = [this, by_log] { return by_log ? matched_ : !health_.empty(); };
        auto news = changed_->wait_until(told);
        auto limit = parts_.clock.sleep_for(patience + slack);
        co_await first_of(std::move(news), std::move(limit));
        if (!by_log && health_ == "unhealthy")
            co_await ask_for_last_probe();
        if (by_log ? !matched_ : health_ != "healthy")
            fail_not_ready(by_log || health_.empty() ? "nothing" : health_, check_.patience());
        become_ready();
        co_return;
    }
    // The engine's own probes of the same check count where they are faster: one of ours may hang.
    const std::function<bool()> engine_says = [this] { return check_.kind == Kind::command && health_ == "healthy"; };
    auto probes = probe_by_our_clock();
    auto news = changed_->wait_until(engine_says);
    co_await first_of(std::move(probes), std::move(news));
    become_ready();
}

// Of the engine's own probes, which only it hears. What it cannot tell is no failure of its own.
awaitable<void> ServiceRunner::ask_for_last_probe()
{
    try {
        const auto status = co_await parts_.engine.inspect_container(container_);
        if (status.last_probe)
            last_probe_ = probe_.said_with(status.last_probe->exit_code, status.last_probe->output);
    } catch (const Error& error) {
        if (error.code() == Errc::cancelled)
            throw;
    }
}

awaitable<void> ServiceRunner::probe_by_our_clock()
{
    Readiness readiness(check_, begun_);
    for (;;) {
        const auto begun = parts_.clock.now();
        const auto answer = co_await probe_.ask(check_);
        // What came of the container's end tells less than what the probe before it said.
        if (answer.is_its_own || last_probe_.empty())
            last_probe_ = answer.said;
        const auto now = parts_.clock.now();
        const auto verdict = readiness.on_probe(answer.succeeded, begun, now);
        if (verdict == Readiness::Verdict::ready)
            co_return;
        if (verdict == Readiness::Verdict::failed)
            fail_not_ready(answer.said, std::chrono::round<std::chrono::duration<std::int64_t, std::deci>>(readiness.patience()));
        co_await parts_.clock.sleep_for(readiness.pause(now));
    }
}

void ServiceRunner::become_ready()
{
    if (std::exchange(ready_, true))
        return;
    auto ready = event(RunEvent::Kind::service_ready);
    ready.duration = parts_.clock.now() - begun_;
    ready.outputs = ports_;
    ready.message = check_.kind == ReadyCheck::Kind::none ? "" : describe(check_);
    parts_.tell(ready);
    changed_->notify_all();
}

void ServiceRunner::on_health(const std::string& health)
{
    const auto former = std::exchange(health_, health);
    changed_->notify_all();
    // Whoever waits for the gate learns it there; afterwards only a change is news.
    const bool flaps = ready_ && !stopping_ && (health == "unhealthy" || former == "unhealthy") && health != former;
    if (!flaps)
        return;
    auto told = event(RunEvent::Kind::service_health);
    told.message = health;
    parts_.tell(told);
}

// ---- failures

void ServiceRunner::tell_not_built(const Outcome& outcome)
{
    auto ended = event(RunEvent::Kind::service_finished);
    ended.cause = outcome.cause;
    ended.state = state_of(outcome.cause);
    ended.exit_code = outcome.exit_code;
    ended.message = outcome.message;
    ended.log_bytes = outcome.log_bytes;
    ended.use = outcome.use;
    parts_.tell(ended);
}

void ServiceRunner::fail(const std::exception_ptr& failure, Cause otherwise) const
{
    if (is_cancellation(failure))
        std::rethrow_exception(failure);
    auto outcome = outcome_of_error(to_error(failure), otherwise);
    outcome.message = "service " + terminal_safe(name()) + ": " + outcome.message;
    throw ServiceFailure{std::move(outcome)};
}

void ServiceRunner::give_up(Outcome outcome)
{
    given_up_ = outcome;
    throw ServiceFailure{std::move(outcome)};
}

void ServiceRunner::fail_not_ready(const std::string& said, std::chrono::nanoseconds patience)
{
    Outcome outcome;
    outcome.cause = Cause::service_unhealthy;
    const auto why = check_.kind == ReadyCheck::Kind::log
                         ? "its output has no line that matches " + terminal_safe(check_.pattern)
                         : describe(check_) + " says " + (said.empty() ? "no" : said);
    outcome.message = fmt::format("service {} was not ready after {}: {}", terminal_safe(name()),
                                  print_duration(patience), why);
    if (check_.kind == ReadyCheck::Kind::declared)
        outcome.message += after_last_probe();
    outcome.hint = "its log tells more, and healthcheck: {retries, interval, start_period} how long to wait";
    give_up(std::move(outcome));
}

void ServiceRunner::fail_ended()
{
    auto outcome = outcome_of_end();
    if (outcome.cause == Cause::ok) {
        outcome.cause = Cause::service_unhealthy;
        outcome.message = fmt::format("service {} ended with exit code 0 before it was ready", terminal_safe(name())) + after_last_probe();
    }
    give_up(std::move(outcome));
}

Outcome ServiceRunner::outcome_of_end() const
{
    Outcome outcome;
    if (lost_) {
        outcome = outcome_of_error(to_error(lost_), Cause::engine_lost);
        outcome.message = "service " + terminal_safe(name()) + ": " + outcome.message;
        return outcome;
    }
    if (!exit_)
        return outcome;
    outcome.exit_code = exit_->exit_code;
    if (exit_->exit_code == 0 && exit_->error.empty())
        return outcome;
    outcome.cause = Cause::service_unhealthy;
    const auto limit = request_.context.service->container.memory_bytes;
    auto how = fmt::format("exit code {}", exit_->exit_code);
    if (!exit_->error.empty()) {
        how = terminal_safe(exit_->error);
    } else if (exit_->oom_killed) {
        how = "out of memory" + (limit ? ": its limit is " + format_memory(*limit) : std::string());
    } else if (exit_->exit_code > 128 && exit_->exit_code <= 128 + 31) {
        outcome.signal = exit_->exit_code - 128;
        how = fmt::format("signal {}", *outcome.signal);
    }
    outcome.message = fmt::format("service {} ended {}: {}", terminal_safe(name()),
                                  ready_ ? "while it was needed" : "before it was ready", how);
    outcome.hint = hint_of_exit(exit_->exit_code);
    if (outcome.hint.empty())
        outcome.hint = exit_->oom_killed ? "raise its mem_limit, or let it use less"
                                         : "its last lines say why; try it by itself: docker run IMAGE";
    if (!ready_)
        outcome.message += after_last_probe();
    return outcome;
}

std::string ServiceRunner::after_last_probe() const
{
    if (const auto printed = probe_.printed_so_far(); !printed.empty())
        return "; its probe had not ended: " + printed;
    return last_probe_.empty() ? "" : "; last probe: " + last_probe_;
}

} // namespace gantry::runner
