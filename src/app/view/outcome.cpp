#include "app/view/outcome.hpp"

#include "base/format.hpp"

#include <csignal>
#include <cstring>
#include <vector>

namespace gantry::app {

using runner::Cause;
using runner::State;

namespace {

std::string signal_name(int number)
{
    const char* abbreviation = ::sigabbrev_np(number);
    return abbreviation ? std::string("SIG") + abbreviation : "signal " + std::to_string(number);
}

std::string or_else(const std::string& text, const char* otherwise)
{
    return text.empty() ? otherwise : terminal_safe(text);
}

std::string after(std::chrono::nanoseconds duration)
{
    return duration.count() > 0 ? " after " + format_duration(duration) : "";
}

std::string quoted_for_shell(const std::string& text)
{
    constexpr const char* plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+=,";
    if (!text.empty() && text.find_first_not_of(plain) == std::string::npos)
        return text;
    std::string quoted = "'";
    for (const char c : text)
        quoted += c == '\'' ? "'\\''" : std::string(1, c);
    return quoted + "'";
}

} // namespace

runner::StepSummary step_of(const runner::RunEvent& event)
{
    runner::StepSummary step;
    step.stage = event.stage;
    step.step = event.step;
    runner::take_end(step, event);
    return step;
}

std::string verb_of(State state)
{
    switch (state) {
    case State::pending: return "waits";
    case State::blocked: return "waits for approval";
    case State::running: return "runs";
    case State::success: return "passed";
    case State::failure: return "failed";
    case State::skipped: return "was skipped";
    case State::cancelled: return "was cancelled";
    case State::timed_out: return "timed out";
    case State::error: return "broke off";
    }
    return "ended";
}

std::string reason_of(const runner::StepSummary& step)
{
    switch (step.cause) {
    case Cause::ok: return {};
    case Cause::failed:
        return step.exit_code ? "exit code " + std::to_string(*step.exit_code) : or_else(step.message, "its command failed");
    case Cause::killed_by_signal:
        return step.signal ? "killed by " + signal_name(*step.signal) : or_else(step.message, "killed by a signal");
    case Cause::oom: return or_else(step.message, "out of memory: the kernel killed it");
    case Cause::timeout: return or_else(step.message, "it took too long");
    case Cause::cancelled: return terminal_safe(step.message);
    case Cause::service_unhealthy: return or_else(step.message, "a service did not become healthy");
    case Cause::image_error: return or_else(step.message, "its image cannot be had");
    case Cause::checkout_error: return or_else(step.message, "the files cannot be had");
    case Cause::config_error: return or_else(step.message, "its definition cannot be run");
    case Cause::engine_lost: return or_else(step.message, "the engine went away");
    case Cause::agent_lost: return or_else(step.message, "the process that ran it died");
    case Cause::disk_full: return or_else(step.message, "a disk is full");
    case Cause::internal: return or_else(step.message, "an error in gantry");
    }
    return terminal_safe(step.message);
}

std::string outcome_of(const runner::StepSummary& step)
{
    const bool kept = step.state == State::success && step.attempt == 0;
    if (kept)
        return or_else(step.message, "kept from an earlier run");
    if (step.state == State::success)
        return "passed in " + format_duration(step.duration);
    if (step.state == State::skipped)
        return step.message.empty() ? "skipped" : "skipped: " + terminal_safe(step.message);
    const auto reason = reason_of(step);
    const auto text = verb_of(step.state) + (reason.empty() ? "" : ": " + reason) + after(step.duration);
    return step.allowed_failure ? text + " (allowed)" : text;
}

std::string short_use_of(const runner::StepSummary& step)
{
    constexpr std::uint64_t k_worth_bytes = 1'000'000;
    if (!step.use)
        return {};
    const auto& use = *step.use;
    std::vector<std::string> parts;
    if (use.memory_peak_bytes > 0)
        parts.push_back("peak " + format_size(use.memory_peak_bytes));
    if (use.cpu.count() > 0)
        parts.push_back("CPU " + format_duration(use.cpu));
    if (const auto disk = use.read_bytes + use.written_bytes; disk >= k_worth_bytes)
        parts.push_back("disk " + format_size(disk));
    if (const auto network = use.received_bytes + use.sent_bytes; network >= k_worth_bytes)
        parts.push_back("network " + format_size(network));
    return join(parts, ", ");
}

std::string use_of(const engine::ResourceUse& use)
{
    std::vector<std::string> parts;
    const auto both = [&parts](const std::string& what, std::uint64_t first, const char* first_way, std::uint64_t second,
                               const char* second_way) {
        if (first + second > 0)
            parts.push_back(what + " " + format_size(first) + " " + first_way + ", " + format_size(second) + " " + second_way);
    };
    if (use.cpu.count() > 0)
        parts.push_back("CPU " + format_duration(use.cpu));
    if (use.memory_peak_bytes > 0)
        parts.push_back("memory up to " + format_size(use.memory_peak_bytes));
    both("disk", use.read_bytes, "read", use.written_bytes, "written");
    both("network", use.received_bytes, "in", use.sent_bytes, "out");
    return join(parts, " · ");
}

std::string short_step_name(const runner::RunSummary& summary, const runner::StepSummary& step)
{
    int alike = 0;
    for (const auto& stage : summary.stages)
        for (const auto* list : {&stage.steps, &stage.services})
            for (const auto& other : *list)
                alike += other.step == step.step ? 1 : 0;
    return quoted_for_shell(alike > 1 ? step.stage + "/" + step.step : step.step);
}

} // namespace gantry::app
