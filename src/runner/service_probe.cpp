#include "runner/service_probe.hpp"

#include "base/format.hpp"
#include "base/reach.hpp"
#include "base/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::runner {

namespace {

// A look at a port that somebody drops packets of must not hold up the next one.
constexpr auto k_reach_limit = std::chrono::seconds(1);
constexpr auto k_end_limit = std::chrono::seconds(2);
constexpr int k_not_run = 126, k_killed = 137; // by the runtime, or a shell; with the container
constexpr const char* k_mark = "GANTRY_PROBE"; // in the environment of what a probe starts
constexpr std::size_t k_probe_output = 4 * 1024;
constexpr std::size_t k_said = 200; // of a probe's output, in a message

// The first bytes that a probe prints.
class Words final : public engine::OutputSink {
public:
    explicit Words(std::string& into) : text(into) {}
    awaitable<void> write(engine::Stream, std::string_view bytes) override
    {
        text.append(bytes.substr(0, k_probe_output - std::min(text.size(), k_probe_output)));
        co_return;
    }
    std::string& text;
};

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

// Masked before it is cut.
std::string ServiceProbe::last_line(std::string_view printed) const
{
    const auto all = printed.size() < k_probe_output ? mask_text(masks_, printed) : mask_beginning(masks_, printed);
    const auto text = trim(all);
    return terminal_safe(first_bytes(text.substr(text.rfind('\n') + 1), k_said));
}

std::string ServiceProbe::after_colon(std::string_view printed) const
{
    const auto line = last_line(printed);
    return line.empty() ? "" : ": " + line;
}

std::string ServiceProbe::said_with(int exit_code, std::string_view printed) const
{
    return fmt::format("exit code {}{}", exit_code, after_colon(printed));
}

std::string ServiceProbe::printed_so_far() const { return running_ ? last_line(printed_) : std::string(); }

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
    printed_.clear();
    Words words(printed_);
    engine::ExecSpec spec;
    spec.command = std::move(command);
    const auto nonce = random_hex(8);
    spec.environment.emplace_back(k_mark, nonce);
    running_ = true;
    const auto run = [this](const engine::ExecSpec& what, Words& out, Answer& result) -> awaitable<void> {
        const auto session = co_await engine_.exec(container_, what);
        co_await session->read_all(out);
        const int code = co_await session->exit_code();
        running_ = false;
        result.succeeded = code == 0;
        result.said = said_with(code, out.text);
        result.is_its_own = code != k_not_run && code != k_killed;
    };
    try {
        auto probe = run(spec, words, answer);
        auto limit = clock_.sleep_for(check.timeout);
        co_await first_of(std::move(probe), std::move(limit));
        if (std::exchange(running_, false)) {
            answer.said += after_colon(printed_);
            co_await end_command(std::string(k_mark) + "=" + nonce);
        }
    } catch (const Error& error) {
        if (error.code() == Errc::cancelled)
            throw;
        running_ = false;
        answer.said = error.what();
        answer.is_its_own = false;
    }
    co_return answer;
}

// Engines end no exec, not even one that nobody listens to: probes that hang would pile up in the service.
awaitable<void> ServiceProbe::end_command(std::string mark)
{
    engine::ExecSpec spec;
    spec.command = ending_command(mark);
    const auto run = [this](const engine::ExecSpec& what) -> awaitable<void> {
        const auto session = co_await engine_.exec(container_, what);
        std::string printed;
        Words unheard(printed);
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
