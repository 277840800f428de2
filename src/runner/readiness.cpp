#include "runner/readiness.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "pipeline/ready.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gantry::runner {

namespace {

constexpr auto k_first_pause = std::chrono::milliseconds(20);
constexpr auto k_longest_pause = std::chrono::milliseconds(500);

void read_ready(const pipeline::Ready& ready, ReadyCheck& check)
{
    if (ready.tcp) {
        check.kind = ReadyCheck::Kind::tcp;
        check.port = static_cast<std::uint16_t>(*ready.tcp);
    } else if (ready.http) {
        check.kind = ReadyCheck::Kind::http;
        auto page = pipeline::parse_ready_page(*ready.http);
        if (!page.problem.empty())
            throw Error(Errc::bad_input, "ready: " + page.problem, pipeline::k_ready_page_hint);
        check.port = page.port;
        check.path = std::move(page.path);
    } else if (ready.log) {
        check.kind = ReadyCheck::Kind::log;
        check.pattern = *ready.log;
        if (const auto problem = pipeline::ready_log_problem(check.pattern); !problem.empty())
            throw Error(Errc::bad_input, "ready: " + problem);
    }
}

void take_times(const engine::HealthcheckSpec& from, ReadyCheck& check)
{
    const auto take = [](std::chrono::nanoseconds given, std::chrono::nanoseconds& time) {
        if (given.count() > 0)
            time = given;
    };
    take(from.interval, check.interval);
    take(from.timeout, check.timeout);
    take(from.start_period, check.start_period);
    if (from.retries > 0)
        check.retries = from.retries;
}

void take_times(const pipeline::Healthcheck& from, ReadyCheck& check)
{
    engine::HealthcheckSpec times;
    times.interval = from.interval.value_or(times.interval);
    times.timeout = from.timeout.value_or(times.timeout);
    times.start_period = from.start_period.value_or(check.start_period);
    times.retries = from.retries.value_or(times.retries);
    take_times(times, check);
    check.start_period = times.start_period; // none is a time as any other
}

// The command that a healthcheck's test names; empty for NONE.
std::vector<std::string> command_of(const std::vector<std::string>& test, std::vector<std::string> shell)
{
    if (test.empty() || test[0] == "NONE")
        return {};
    if (test[0] == "CMD-SHELL") {
        if (shell.empty())
            shell = {"/bin/sh", "-c"};
        shell.push_back(test.size() > 1 ? test[1] : std::string("true"));
        return shell;
    }
    return {test.begin() + (test[0] == "CMD" ? 1 : 0), test.end()};
}

} // namespace

ReadyCheck ready_check(const pipeline::Service& service, const std::optional<engine::HealthcheckSpec>& of_image,
                       const std::vector<std::string>& shell)
{
    ReadyCheck check;
    const auto& of_file = service.container.healthcheck;
    if (of_image)
        take_times(*of_image, check);
    if (of_file)
        take_times(*of_file, check);
    if (service.ready) {
        read_ready(*service.ready, check);
        return check;
    }
    if (of_file && of_file->disable)
        return check;
    const bool says_test = of_file && !of_file->test.empty();
    check.command = command_of(says_test ? of_file->test : of_image ? of_image->test : std::vector<std::string>(), shell);
    if (!check.command.empty())
        check.kind = service.probe == "declared" ? ReadyCheck::Kind::declared : ReadyCheck::Kind::command;
    return check;
}

std::string describe(const ReadyCheck& check)
{
    switch (check.kind) {
    case ReadyCheck::Kind::tcp: return fmt::format("port {}", check.port);
    case ReadyCheck::Kind::http: return fmt::format("http :{}{}", check.port, check.path);
    case ReadyCheck::Kind::log: return "a line that matches " + terminal_safe(check.pattern);
    default: return "its healthcheck";
    }
}

Readiness::Readiness(const ReadyCheck& check, Clock::time_point started)
    : check_(check), started_(started),
      longest_pause_(std::max<std::chrono::nanoseconds>(std::min<std::chrono::nanoseconds>(k_longest_pause, check.interval),
                                                  k_first_pause)),
      next_(k_first_pause)
{
}

Readiness::Verdict Readiness::on_probe(bool succeeded, Clock::time_point begun, Clock::time_point now)
{
    if (succeeded)
        return Verdict::ready;
    longest_probe_ = std::clamp<std::chrono::nanoseconds>(now - begun, longest_probe_, std::max(check_.timeout, longest_probe_));
    return now >= started_ + patience() ? Verdict::failed : Verdict::waiting;
}

std::chrono::nanoseconds Readiness::pause(Clock::time_point now)
{
    const auto pause = std::exchange(next_, std::min(next_ * 5 / 4, longest_pause_));
    return std::clamp<std::chrono::nanoseconds>(started_ + patience() - now, std::chrono::nanoseconds(0), pause);
}

} // namespace gantry::runner
