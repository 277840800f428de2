#include "app/commands/commands.hpp"

#include "app/context.hpp"
#include "app/exit_code.hpp"
#include "app/housekeeper.hpp"
#include "app/view/view.hpp"
#include "base/disk.hpp"
#include "base/format.hpp"
#include "base/paths.hpp"
#include "runner/disk_budget.hpp"
#include "runner/workspaces.hpp"

#include <CLI/CLI.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <vector>

namespace gantry::app {

namespace {

// Runs keep some room free; a disk that has not twice that will soon stop them.
constexpr std::uint64_t k_low_disk_factor = 2;

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
        findings.push_back({Verdict::warning, "the engine says: " + warning, "limits and networks that need it do nothing until that is mended"});
    return findings;
}

// Ages of caches, images and logs are told by two clocks.
Finding about_clocks(const std::optional<std::chrono::system_clock::time_point>& of_engine, std::chrono::system_clock::time_point here)
{
    // 2024-01-01: older than any build of this program.
    if (here < std::chrono::system_clock::from_time_t(1704067200))
        return {Verdict::bad, "clock: " + format_time(here) + "; TLS will fail", "timedatectl set-ntp true"};
    constexpr std::chrono::seconds k_tolerated{5};
    const auto text = "clock: " + format_time(here);
    if (!of_engine)
        return {Verdict::good, text, {}};
    const auto ahead = std::chrono::duration_cast<std::chrono::seconds>(*of_engine - here);
    if (std::chrono::abs(ahead) <= k_tolerated)
        return {Verdict::good, text + ", the engine's is the same", {}};
    return {Verdict::warning, text + ", the engine's is " + format_duration(std::chrono::abs(ahead)) + (ahead.count() > 0 ? " ahead" : " behind"),
            "timedatectl set-ntp true, on both machines"};
}

Finding about_workspaces(runner::WorkspaceKind kind)
{
    if (kind == runner::WorkspaceKind::overlay)
        return {Verdict::good, "workspaces: overlay, mounted by the engine (constant time)", {}};
    return {Verdict::warning, "workspaces: copied into the engine (time grows with the files)",
            "an engine on this machine that can mount " + cache_dir() + " needs no copy"};
}

Finding about_disk(const WatchedDisk& disk, const runner::DiskBudget& budget, const std::string& freed_by_prune)
{
    const auto room = disk_room(disk.folder);
    if (!room)
        return {Verdict::warning, "disk: cannot look at " + disk.folder, "make it readable for you: ls -ld " + disk.folder};
    const auto kept = budget.kept_bytes(*room);
    const auto text = "disk: " + format_size(room->free_bytes) + " free for " + disk.what + " (" + disk.folder + "); runs keep " +
                      format_size(kept) + " free";
    if (room->free_bytes >= k_low_disk_factor * kept)
        return {Verdict::good, text, {}};
    const auto verdict = room->free_bytes < kept ? Verdict::bad : Verdict::warning;
    return {verdict, text, freed_by_prune.empty() ? "make room there, or keep less free: GANTRY_KEEP_FREE" : freed_by_prune};
}

bool is_low(const std::vector<WatchedDisk>& disks, const runner::DiskBudget& budget)
{
    return std::any_of(disks.begin(), disks.end(), [&](const WatchedDisk& disk) {
        const auto room = disk_room(disk.folder);
        return room && room->free_bytes < k_low_disk_factor * budget.kept_bytes(*room);
    });
}

// What could be freed is measured only where somebody will want to know: it may take the engine a while.
void about_disks(Context& context, Findings& findings, const std::vector<WatchedDisk>& disks)
{
    try {
        const runner::DiskBudget budget(runner::keep_free_of(""), {});
        std::string freed;
        if (is_low(disks, budget))
            context.run([&]() -> awaitable<void> { freed = co_await what_prune_would_free(context); });
        for (const auto& disk : disks)
            findings.push_back(about_disk(disk, budget, freed));
    } catch (const Error& error) {
        findings.push_back({Verdict::bad, error.what(), error.hint()});
    }
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

// A folder that another user owns comes of one `sudo gantry`.
Finding about_user()
{
    const auto uid = ::geteuid();
    const auto text = "user: " + (uid == 0 ? "root" : "uid " + std::to_string(uid));
    std::string taken;
    for (const auto& folder : {state_dir(), cache_dir(), config_dir()}) {
        struct stat info = {};
        if (uid != 0 && ::stat(folder.c_str(), &info) == 0 && info.st_uid != uid)
            taken += " " + folder;
    }
    if (taken.empty())
        return {Verdict::good, text, {}};
    return {Verdict::bad, text + ", who does not own" + taken, "sudo chown -R " + std::to_string(uid) + taken};
}

awaitable<void> ask_engine(Context& context, Findings& findings, std::vector<WatchedDisk>& disks)
{
    std::optional<std::chrono::system_clock::time_point> clock;
    auto asked_at = std::chrono::system_clock::now();
    try {
        auto& engine = context.engine();
        const auto info = co_await engine.probe();
        asked_at = std::chrono::system_clock::now();
        clock = info.time;
        for (auto& finding : about_engine(info))
            findings.push_back(std::move(finding));
        disks = disks_of(info);
        runner::WorkspacesOptions options;
        options.info = info;
        options.cache_folder = cache_dir();
        options.instance = context.store().instance();
        const auto kind = co_await runner::probe_workspaces(engine, options, [](auto, const auto&) {}, true);
        findings.push_back(about_workspaces(kind));
    } catch (const Error& error) {
        findings.push_back({Verdict::bad, error.what(), error.hint()});
    } catch (const std::filesystem::filesystem_error& error) {
        findings.push_back({Verdict::bad, error.code().message() + ": " + error.path1().string(),
                            "make it a folder of yours, or name another: XDG_CACHE_HOME"});
    }
    findings.push_back(about_clocks(clock, asked_at));
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
    auto disks = own_disks();
    context.run([&context, &findings, &disks] { return ask_engine(context, findings, disks); });
    findings.push_back(about_user());
    findings.push_back(about_state(context));
    about_disks(context, findings, disks);
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
