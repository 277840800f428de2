#include "app/reap.hpp"

#include "app/registry.hpp"
#include "base/format.hpp"
#include "base/paths.hpp"
#include "engine/fake/fake.hpp"
#include "runner/objects.hpp"
#include "runner/open_shell.hpp"
#include "runner/run.hpp"
#include "runner/stage_caches.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace gantry::app {

namespace {

constexpr auto k_wait = std::chrono::seconds(5), k_untold_wait = std::chrono::seconds(1);
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

struct Reaped {
    int count = 0;
    bool all = true; // nothing can come any more
};

// What is missing may still come. Waits for it, but not so long that a person would give up: the next command looks again.
awaitable<Reaped> remove_all_of(Context& context, const std::string& run)
{
    const auto events = context.store().events(run);
    const auto begin = system_clock().wall();
    // The clock may have been set back since.
    const auto last = events.empty() ? begin : std::min(events.back().time, begin);
    auto awaited = announced_by(events);
    Reaped reaped;
    for (bool is_told = false;;) {
        const auto [removed, in_use] = co_await runner::remove_leftovers(context.engine(), context.store().instance(), run);
        reaped.count += static_cast<int>(removed.size());
        for (const auto& name : removed)
            awaited.erase(name);
        const auto now = system_clock().wall();
        const bool may_come = now < last + runner::k_engine_may_finish;
        if (in_use && !may_come)
            std::rethrow_exception(in_use);
        if (!in_use && (awaited.empty() || now >= last + k_wait)) { // what uses something is what we wait for
            reaped.all = awaited.empty() || !may_come;
            co_return reaped;
        }
        if (!is_told && now >= begin + k_untold_wait) {
            context.err("gantry: waiting for the engine: it may still make something for run " + run + ", whose process died\n");
            is_told = true;
        }
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

namespace {

// Of one run. The one that takes over the lock cleans up; a run that another process has taken over is not interrupted.
awaitable<void> reap_interrupted(Context& context, const std::string& id)
{
    std::unique_ptr<runner::RunWriter> writer;
    try {
        writer = context.store().reopen_run(id);
    } catch (const Error& error) {
        if (error.code() != Errc::conflict)
            throw;
        co_return;
    }
    const auto reaped = co_await remove_all_of(context, id);
    if (reaped.count > 0)
        context.err("gantry: removed " + format_count(reaped.count, "leftover") + " of run " + id +
                    ", whose process died; go on with it: gantry resume " + id + "\n");
    if (reaped.all)
        context.store().set_aside(id);
}

awaitable<void> reap_unclean(Context& context, const std::string& id)
{
    const auto leftovers = co_await runner::remove_leftovers(context.engine(), context.store().instance(), id);
    if (!leftovers.removed.empty())
        context.err("gantry: removed " + format_count(leftovers.removed.size(), "leftover") + " of run " + id + "\n");
    if (leftovers.in_use)
        std::rethrow_exception(leftovers.in_use);
    context.store().set_aside(id);
}

// What stands in the way of one is told, and stops no other.
awaitable<void> reap_one(Context& context, const engine::EngineInfo& info, const std::string& id,
                         awaitable<void> (*remove)(Context&, const std::string&))
{
    std::string problem;
    try {
        const auto meta = runner::find_meta(context.store(), id);
        if (!meta) // where it was made nobody knows
            context.err("gantry: what there is of run " + id + " was damaged, by a power loss perhaps; to remove it: gantry rm " + id + "\n");
        if (!meta || made_at(*meta, info))
            co_return co_await remove(context, id);
        problem = "that is for gantry ps " + flag_of_endpoint(meta->engine_endpoint);
    } catch (const Error& error) {
        problem = error.what();
    }
    context.err("gantry: run " + id + " may have left something behind: " + terminal_safe(problem) + "\n");
}

awaitable<void> reap_shell(Context& context, const engine::EngineInfo& info, const runner::DeadShell& shell)
{
    const auto& record = shell.record;
    runner::RunMeta made;
    made.engine_endpoint = record.engine_endpoint;
    made.engine_id = record.engine_id;
    std::string problem;
    try {
        if (made_at(made, info)) {
            if (co_await runner::remove_dead_shell(context.engine(), system_clock(), shell))
                context.err("gantry: removed what a shell of run " + record.run + " left, whose process died\n");
            co_return;
        }
        problem = "that is for gantry ps " + flag_of_endpoint(record.engine_endpoint);
    } catch (const Error& error) {
        problem = error.what();
    }
    context.err("gantry: a shell of run " + record.run + " may have left something behind: " + terminal_safe(problem) + "\n");
}

// Nothing outlives a process of the fake engine.
std::vector<std::string> without_fake(Context& context, std::vector<std::string> runs)
{
    std::erase_if(runs, [&context](const std::string& id) {
        try {
            if (context.store().meta(id).engine_endpoint != engine::k_fake_endpoint)
                return false;
        } catch (const Error&) {
            return false; // told by reap_one()
        }
        context.store().set_aside(id);
        return true;
    });
    return runs;
}

} // namespace

awaitable<void> reap(Context& context)
{
    const auto interrupted = without_fake(context, context.store().interrupted_runs());
    const auto unclean = without_fake(context, context.store().unclean_runs());
    const auto shells = runner::dead_shells(context.store().root());
    if (interrupted.empty() && unclean.empty() && shells.empty())
        co_return;
    const auto info = co_await context.engine().probe();
    // Before the runs, which would take their containers and leave their images.
    for (const auto& shell : shells)
        co_await reap_shell(context, info, shell);
    for (const auto& id : interrupted)
        co_await reap_one(context, info, id, reap_interrupted);
    for (const auto& id : unclean)
        co_await reap_one(context, info, id, reap_unclean);
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
        context.run([&context] { return reap(context); });
        if (can([&] { context.caches(); }) && context.caches().has_unattended())
            context.run([&context] { return reap_caches(context); });
    } catch (const Error& error) {
        context.err("gantry: an interrupted run may have left something behind: " + terminal_safe(error.what()) + "\n");
    }
}

} // namespace gantry::app
