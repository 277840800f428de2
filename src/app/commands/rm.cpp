#include "app/commands/commands.hpp"

#include "app/context.hpp"
#include "app/exit_code.hpp"
#include "app/registry.hpp"
#include "runner/housekeeping_apply.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <optional>
#include <set>

namespace gantry::app {

namespace {

awaitable<void> remove_at_engine(Context& context, std::string id, std::optional<runner::RunMeta> meta)
{
    const auto info = co_await context.engine().probe();
    if (meta && !made_at(*meta, info))
        throw Error(Errc::conflict,
                    "run " + id + " was made on the engine at " + meta->engine_endpoint + ", which may have something of it",
                    "gantry rm " + id + " " + flag_of_endpoint(meta->engine_endpoint));
    co_await runner::remove_run(context.engine(), context.store(), id);
}

void remove_one(Context& context, const std::string& id)
{
    const auto meta = runner::find_meta(context.store(), id);
    try {
        context.run([&] { return remove_at_engine(context, id, meta); });
        return;
    } catch (const Error& error) {
        const bool is_answered = error.code() != Errc::unavailable && error.code() != Errc::denied;
        if (meta || is_answered)
            throw;
    }
    // Nobody knows where it was made, so it is not to wait for an engine.
    context.store().hold_run(id)->remove();
}

// All of them are looked at before the first one goes.
int remove_runs(Context& context, const std::vector<std::string>& runs)
{
    std::set<std::string> ids;
    for (const auto& run : runs) {
        const auto id = context.store().resolve_id(run);
        if (context.store().is_alive(id))
            throw Error(Errc::conflict, "run " + id + " goes on", "gantry cancel " + id);
        ids.insert(id);
    }
    for (const auto& id : ids) {
        remove_one(context, id);
        context.artifacts().remove([&id](const cache::StoredArtifacts& stored) { return stored.manifest.run == id; });
    }
    return k_exit_ok;
}

} // namespace

void add_rm(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("rm", "Remove runs with their logs, artifacts and kept containers");
    const auto runs = std::make_shared<std::vector<std::string>>();
    command->add_option("RUN", *runs, "Ids, or latest")->type_name("")->required();
    command->footer("Examples:\n"
                    "  gantry rm 17\n"
                    "  gantry rm 3 4 5");
    command->callback(
        [&context, runs] { context.action = [runs](Context& inner) { return remove_runs(inner, *runs); }; });
}

} // namespace gantry::app
