#include "runner/readiness.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>

namespace gantry::runner {

namespace {

constexpr auto k_first_pause = std::chrono::milliseconds(20);
constexpr auto k_longest_pause = std::chrono::milliseconds(500);

// ":8080/health", "8080/health", "http://localhost:8080/health": what is before the port is where it runs anyway.
void read_http(std::string_view written, ReadyCheck& check)
{
    auto rest = written;
    if (rest.starts_with("http://")) {
        rest.remove_prefix(7);
        rest.remove_prefix(std::min(rest.find_first_of(":/"), rest.size()));
    }
    check.port = 80;
    if (rest.starts_with(':'))
        rest.remove_prefix(1);
    if (!rest.starts_with('/')) {
        const auto [stop, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), check.port);
        if (problem != std::errc() || check.port == 0)
            throw Error(Errc::bad_input,
                        fmt::format("ready: '{}' is not a port and a path", terminal_safe(std::string(written))),
                        "write http: \":8080/health\"");
        rest.remove_prefix(static_cast<std::size_t>(stop - rest.data()));
    }
    check.path = rest.empty() ? "/" : std::string(rest);
    const auto plain = [](char c) { return c > ' ' && c < 0x7f; };
    if (check.path[0] != '/' || !std::all_of(check.path.begin(), check.path.end(), plain))
        throw Error(Errc::bad_input, fmt::format("ready: '{}' is not a path of a URL", terminal_safe(check.path)),
                    "write http: \":8080/health\"");
}

void read_ready(const pipeline::Ready& ready, ReadyCheck& check)
{
    if (ready.tcp) {
        check.kind = ReadyCheck::Kind::tcp;
        check.port = static_cast<std::uint16_t>(*ready.tcp);
    } else if (ready.http) {
        check.kind = ReadyCheck::Kind::http;
        read_http(*ready.http, check);
    } else if (ready.log) {
        check.kind = ReadyCheck::Kind::log;
        check.pattern = *ready.log;
        const RE2 pattern(check.pattern, RE2::Quiet);
        if (!pattern.ok())
            throw Error(Errc::bad_input, fmt::format("ready: '{}' is no regular expression: {}",
                                                     terminal_safe(check.pattern), terminal_safe(pattern.error())));
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
    check.interval = from.interval.value_or(check.interval);
    check.timeout = from.timeout.value_or(check.timeout);
    check.start_period = from.start_period.value_or(check.start_period);
    check.retries = from.retries.value_or(check.retries);
}

// The command that a healthcheck's test names; empty for NONE.
std::vector<std::string> command_of(const std::vector<std::string>& test)
{
    if (test.empty() || test[0] == "NONE")
        return {};
    if (test[0] == "CMD-SHELL")
        return {"/bin/sh", "-c", test.size() > 1 ? test[1] : std::string("true")};
    return {test.begin() + (test[0] == "CMD" ? 1 : 0), test.end()};
}

} // namespace

ReadyCheck ready_check(const pipeline::Service& service, const std::optional<engine::HealthcheckSpec>& of_image)
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
    check.command = command_of(says_test ? of_file->test : of_image ? of_image->test : std::vector<std::string>());
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
    : deadline_(started + check.patience()),
      longest_(std::max<std::chrono::nanoseconds>(std::min<std::chrono::nanoseconds>(k_longest_pause, check.interval),
                                                  k_first_pause)),
      next_(k_first_pause)
{
}

Readiness::Verdict Readiness::on_probe(bool succeeded, Clock::time_point now)
{
    if (succeeded)
        return Verdict::ready;
    return now >= deadline_ ? Verdict::failed : Verdict::waiting;
}

std::chrono::nanoseconds Readiness::pause(Clock::time_point now)
{
    const auto pause = std::exchange(next_, std::min(next_ * 3 / 2, longest_));
    return std::clamp<std::chrono::nanoseconds>(deadline_ - now, std::chrono::nanoseconds(0), pause);
}

} // namespace gantry::runner
