#include "app/reap.hpp"

#include "base/format.hpp"
#include "base/paths.hpp"
#include "runner/run.hpp"
#include "runner/stage_caches.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace gantry::app {

namespace {

constexpr auto k_time_for_the_engine = std::chrono::seconds(3);
constexpr auto k_look_again = std::chrono::milliseconds(100);

// The names of what a run was about to make and does not say that it has removed.
std::set<std::string> announced_by(const std::vector<runner::RunEvent>& events)
{
    std::set<std::string> names;
    for (const auto& event : events)
        if (event.kind == runner::RunEvent::Kind::intent)
            names.insert(event.object);
        else if (event.kind == runner::RunEvent::Kind::removed)
            names.erase(event.object);
    return names;
}

// The engine goes on with what it was asked for by a process that has just died: what is missing may still come.
awaitable<int> remove_all_of(Context& context, const std::string& run)
{
    const auto events = context.store().events(run);
    const auto now = system_clock().wall();
    // The clock may have been set back since.
    const auto until = (events.empty() ? now : std::min(events.back().time, now)) + k_time_for_the_engine;
    auto awaited = announced_by(events);
    int count = 0;
    for (;;) {
        const auto removed = co_await runner::remove_leftovers(context.engine(), context.store().instance(), run);
        count += static_cast<int>(removed.size());
        for (const auto& name : removed)
            awaited.erase(name);
        if (awaited.empty() || system_clock().wall() >= until)
            co_return count;
        co_await system_clock().sleep_for(k_look_again);
    }
}

} // namespace

// After the runs: their containers may have mounted what is to go.
awaitable<void> reap_caches(Context& context)
{
    const auto removed = co_await runner::remove_cache_leftovers(context.engine(), context.caches(), context.store().instance());
    if (removed > 0)
        context.err("gantry: removed " + format_count(removed, "volume") + " of caches that nobody uses\n");
}

awaitable<void> reap(Context& context)
{
    auto& store = context.store();
    const auto interrupted = store.interrupted_runs();
    if (interrupted.empty())
        co_return;
    const auto info = co_await context.engine().probe();
    for (const auto& id : interrupted) {
        // Another engine's leftovers wait for a command that speaks to that one.
        if (store.meta(id).engine_endpoint != info.endpoint)
            continue;
        // The one that takes over the lock cleans up; a run that another process has taken over is not interrupted.
        std::unique_ptr<runner::RunWriter> writer;
        try {
            writer = store.reopen_run(id);
        } catch (const Error&) {
            continue;
        }
        const auto removed = co_await remove_all_of(context, id);
        if (removed > 0)
            context.err("gantry: removed " + format_count(removed, "leftover") + " of run " + id +
                        ", whose process died; go on with it: gantry resume " + id + "\n");
        store.set_aside(id);
    }
}

namespace {

// What stands in the way of opening is told by a command that needs it, and by no other.
template <typename Open>
bool can(Open open)
{
    try {
        open();
        return true;
    } catch (const Error&) {
        return false;
    }
}

bool state_is_there()
{
    std::error_code failure;
    return std::filesystem::exists(state_dir(), failure);
}

} // namespace

void reap_first(Context& context)
{
    bool is_there = false;
    if (!can([&] { is_there = state_is_there(); }) || !is_there || !can([&] { context.store(); }))
        return;
    try {
        if (!context.store().interrupted_runs().empty())
            context.run([&context] { return reap(context); });
        if (can([&] { context.caches(); }) && context.caches().has_unattended())
            context.run([&context] { return reap_caches(context); });
    } catch (const Error& error) {
        context.err("gantry: an interrupted run may have left something behind: " + terminal_safe(error.what()) + "\n");
    }
}

} // namespace gantry::app
