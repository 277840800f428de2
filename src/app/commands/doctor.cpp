#include "app/commands/commands.hpp"

#include "app/context.hpp"
#include "app/exit_code.hpp"
#include "app/view/view.hpp"
#include "base/format.hpp"
#include "base/paths.hpp"
#include "runner/workspaces.hpp"

#include <CLI/CLI.hpp>

#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <vector>

namespace gantry::app {

namespace {

constexpr std::uint64_t k_low_disk_bytes = 2'000'000'000;

enum class Verdict { good, warning, bad };

// One line: what was looked at, and what to do about it.
struct Finding {
    Verdict verdict = Verdict::good;
    std::string text, remedy;
};
using Findings = std::vector<Finding>;

Finding engine_is_there(const engine::EngineInfo& info)
{
    return {Verdict::good, info.name + " " + info.version + " (API " + info.api_version + ") at " + info.endpoint, {}};
}

Findings about_engine(const engine::EngineInfo& info)
{
    Findings findings{engine_is_there(info)};
    findings.push_back({Verdict::good, "storage: " + info.storage_driver + ", cgroup v" + info.cgroup_version + ", " +
                                           std::to_string(info.cpus) + " processors, " + format_size(info.memory_bytes),
                        {}});
    if (info.rootless)
        findings.push_back({Verdict::warning, "the engine runs without root: limits may not be applied",
                            "see the engine's documentation on cgroup delegation"});
    if (!info.live_restore)
        findings.push_back({Verdict::warning, "steps do not survive a restart of the engine",
                            "set \"live-restore\": true in /etc/docker/daemon.json"});
    for (const auto& warning : info.warnings)
        findings.push_back({Verdict::warning, "the engine says: " + warning, {}});
    return findings;
}

Finding about_workspaces(runner::WorkspaceKind kind)
{
    if (kind == runner::WorkspaceKind::overlay)
        return {Verdict::good, "workspaces: overlay, mounted by the engine (constant time)", {}};
    return {Verdict::warning, "workspaces: copied into the engine (time grows with the files)",
            "an engine on this machine that can mount " + cache_dir() + " needs no copy"};
}

Finding about_disk(const std::string& what, const std::string& folder)
{
    auto existing = std::filesystem::path(folder);
    while (!existing.empty() && existing != existing.root_path() && !std::filesystem::exists(existing))
        existing = existing.parent_path();
    struct statvfs status{};
    if (::statvfs(existing.c_str(), &status) != 0)
        return {Verdict::warning, "disk: cannot look at " + folder, {}};
    const auto free = static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
    const auto text = "disk: " + format_size(free) + " free for " + what + " (" + folder + ")";
    if (free < k_low_disk_bytes)
        return {Verdict::warning, text, "make room there"};
    return {Verdict::good, text, {}};
}

Finding about_state(Context& context)
{
    try {
        const auto interrupted = context.store().interrupted_runs();
        if (interrupted.empty())
            return {Verdict::good, "state: " + context.store().root(), {}};
        return {Verdict::warning, std::to_string(interrupted.size()) + " interrupted runs", "gantry resume " + interrupted[0]};
    } catch (const Error& error) {
        return {Verdict::bad, std::string("state: ") + error.what(), error.hint()};
    }
}

Finding about_clock()
{
    // 2024-01-01: older than any build of this program.
    if (std::chrono::system_clock::now() < std::chrono::system_clock::from_time_t(1704067200))
        return {Verdict::bad, "clock: " + format_time(std::chrono::system_clock::now()) + "; TLS will fail",
                "timedatectl set-ntp true"};
    return {Verdict::good, "clock: " + format_time(std::chrono::system_clock::now()), {}};
}

awaitable<void> ask_engine(Context& context, Findings& findings)
{
    try {
        auto& engine = context.engine();
        const auto info = co_await engine.probe();
        for (auto& finding : about_engine(info))
            findings.push_back(std::move(finding));
        if (info.local && !info.root_dir.empty() && std::filesystem::exists(info.root_dir))
            findings.push_back(about_disk("images and containers", info.root_dir));
        runner::WorkspacesOptions options;
        options.cache_folder = cache_dir();
        options.instance = context.store().instance();
        const auto kind = co_await runner::probe_workspaces(engine, options, true);
        findings.push_back(about_workspaces(kind));
    } catch (const Error& error) {
        findings.push_back({Verdict::bad, error.what(), error.hint()});
    }
}

std::string render(const Findings& findings, const ViewOptions& view)
{
    std::string text;
    for (const auto& finding : findings) {
        const char* mark = finding.verdict == Verdict::good ? (view.unicode ? "✓" : "ok")
                           : finding.verdict == Verdict::warning ? "!"
                                                                 : (view.unicode ? "✗" : "x");
        const char* colour = finding.verdict == Verdict::good ? "\033[32m" : finding.verdict == Verdict::warning ? "\033[33m" : "\033[31m";
        text += (view.colours ? colour + std::string(mark) + "\033[0m" : std::string(mark)) + ' ' + terminal_safe(finding.text) + '\n';
        for (const auto& line : split(finding.remedy, '\n'))
            if (!line.empty())
                text += "    " + terminal_safe(line) + '\n';
    }
    return text;
}

int doctor(Context& context)
{
    Findings findings;
    context.run([&context, &findings] { return ask_engine(context, findings); });
    findings.push_back(about_state(context));
    findings.push_back(about_disk("journals and logs", state_dir()));
    findings.push_back(about_disk("snapshots", cache_dir()));
    findings.push_back(about_clock());
    context.out(render(findings, detect_view(false, false, false)));
    for (const auto& finding : findings)
        if (finding.verdict == Verdict::bad)
            return k_exit_infrastructure;
    return k_exit_ok;
}

} // namespace

void add_doctor(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("doctor", "Is everything there that a run needs?");
    command->footer("Example:\n  gantry doctor --engine-host tcp://build-host:2376");
    command->callback([&context] { context.action = doctor; });
}

} // namespace gantry::app
