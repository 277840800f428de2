#include "runner/service_probe.hpp"

#include "base/format.hpp"
#include "base/reach.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::runner {

namespace {

// A look at a port that somebody drops packets of must not hold up the next one.
constexpr auto k_reach_limit = std::chrono::seconds(1);
constexpr auto k_end_limit = std::chrono::seconds(2);
constexpr const char* k_mark = "GANTRY_PROBE"; // in the environment of what a probe starts
constexpr std::size_t k_probe_output = 4 * 1024;
constexpr std::size_t k_said = 200; // of a probe's output, in a message

// The first bytes that a probe prints.
class Words final : public engine::OutputSink {
public:
    awaitable<void> write(engine::Stream, std::string_view bytes) override
    {
        text.append(bytes.substr(0, k_probe_output - std::min(text.size(), k_probe_output)));
        co_return;
    }
    std::string text;
};

std::string last_line(std::string_view text)
{
    text = trim(text);
    const auto line = text.substr(text.rfind('\n') + 1);
    return terminal_safe(std::string(line.substr(0, k_said)));
}

// What listens in a network namespace, as its kernel tells (proc(5), /proc/net/tcp): the port in hexadecimal, state 0A.
std::vector<std::string> listening_command(std::uint16_t port)
{
    return {"/bin/sh", "-c",
            fmt::format("cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q ':{:04X} [0-9A-F:]* 0A '", port)};
}

std::vector<std::string> http_command(const ReadyCheck& check)
{
    const auto url = fmt::format("http://127.0.0.1:{}{}", check.port, check.path);
    return {"/bin/sh", "-c", "wget -q -O /dev/null \"$0\" 2>/dev/null || curl -fsS -o /dev/null \"$0\"", url};
}

// Kills all that has the mark. A shell's $(…) leaves out the zeros that part the words of an environment.
std::vector<std::string> ending_command(const std::string& mark)
{
    return {"/bin/sh", "-c",
            "for e in /proc/[0-9]*/environ; do case \"$(cat \"$e\")\" in *\"$0\"*) p=${e%/environ}; kill -9 \"${p#/proc/}\";; esac; done 2>/dev/null",
            mark};
}

} // namespace

awaitable<ServiceProbe::Answer> ServiceProbe::ask(const ReadyCheck& check)
{
    if (check.kind == ReadyCheck::Kind::command)
        co_return co_await run_command(check, check.command);
    if (near_) {
        auto answer = co_await look_at_port(check);
        if (near_)
            co_return answer;
    }
    auto command = check.kind == ReadyCheck::Kind::tcp ? listening_command(check.port) : http_command(check);
    co_return co_await run_command(check, std::move(command));
}

awaitable<ServiceProbe::Answer> ServiceProbe::run_command(const ReadyCheck& check, std::vector<std::string> command)
{
    Answer answer;
    answer.said = "no answer within " + print_duration(check.timeout);
    Words words;
    engine::ExecSpec spec;
    spec.command = std::move(command);
    const auto nonce = random_hex(8);
    spec.environment.emplace_back(k_mark, nonce);
    bool ended = false;
    const auto run = [this, &ended](const engine::ExecSpec& what, Words& out, Answer& result) -> awaitable<void> {
        const auto session = co_await engine_.exec(container_, what);
        co_await session->read_all(out);
        const int code = co_await session->exit_code();
        ended = true;
        result.succeeded = code == 0;
        result.said = fmt::format("exit code {}", code);
    };
    try {
        auto probe = run(spec, words, answer);
        auto limit = clock_.sleep_for(check.timeout);
        co_await first_of(std::move(probe), std::move(limit));
        if (!ended)
            co_await end_command(std::string(k_mark) + "=" + nonce);
    } catch (const Error& error) {
        if (error.code() == Errc::cancelled)
            throw;
        answer.said = error.what();
    }
    if (const auto line = last_line(words.text); !line.empty() && !answer.succeeded)
        answer.said += ": " + line;
    co_return answer;
}

// Engines end no exec, not even one that nobody listens to: probes that hang would pile up in the service.
awaitable<void> ServiceProbe::end_command(std::string mark)
{
    engine::ExecSpec spec;
    spec.command = ending_command(mark);
    const auto run = [this](const engine::ExecSpec& what) -> awaitable<void> {
        const auto session = co_await engine_.exec(container_, what);
        Words unheard;
        co_await session->read_all(unheard);
    };
    auto ending = run(spec);
    auto limit = clock_.sleep_for(k_end_limit);
    co_await first_of(std::move(ending), std::move(limit));
}

// Straight from here; where no way leads there, from inside of it, from then on.
awaitable<ServiceProbe::Answer> ServiceProbe::look_at_port(const ReadyCheck& check)
{
    Answer answer;
    if (address_.empty())
        address_ = (co_await engine_.inspect_container(container_)).ip_address;
    const auto limit = std::min<std::chrono::nanoseconds>(check.timeout, k_reach_limit);
    ReachAnswer reached;
    if (check.kind == ReadyCheck::Kind::tcp)
        reached = co_await reach_tcp(address_, check.port, limit);
    else
        reached = co_await reach_http(address_, check.port, check.path, limit);
    near_ = reached.reach != Reach::unreachable;
    answer.succeeded = reached.reach == Reach::answers;
    answer.said = reached.said;
    co_return answer;
}

} // namespace gantry::runner
