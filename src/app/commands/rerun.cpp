#include "app/commands/commands.hpp"

#include "app/execute.hpp"
#include "app/exit_code.hpp"
#include "base/paths.hpp"
#include "runner/kept_stages.hpp"
#include "runner/workspaces.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace gantry::app {

namespace {

struct AgainFlags {
    std::string run = "latest";
    bool failed = false;
    ExecuteFlags execute;
};

std::string run_folder(Context& context, const std::string& id)
{
    return context.store().root() + "/runs/" + id;
}

bool mounts_overlays(Context& context, const std::string& cache_folder)
{
    auto kind = runner::WorkspaceKind::copy;
    context.run([&]() -> awaitable<void> {
        auto& engine = context.engine();
        runner::WorkspacesOptions options;
        options.info = co_await engine.probe();
        options.cache_folder = cache_folder;
        options.instance = context.store().instance();
        kind = co_await runner::probe_workspaces(engine, options, [](auto, const auto&) {});
    });
    return kind == runner::WorkspaceKind::overlay;
}

void keep_passed(Context& context, const std::string& id, ExecuteRequest& request)
{
    request.kept_files = runner::saved_layers(run_folder(context, id));
    if (!request.kept_files.empty() && !mounts_overlays(context, request.snapshot.cache_folder)) {
        context.log().info("stages run again whose files were saved: the engine does not mount overlays");
        request.kept_files.clear();
    }
    const auto wanted = request.meta.in_place ? runner::Wanted::all_changes : runner::Wanted::what_stages_build_on;
    request.kept = runner::kept_stages(request.plan, context.store().summary(id), request.kept_files, wanted);
}

ExecuteRequest request_of(Context& context, const std::string& id, const AgainFlags& flags)
{
    auto& store = context.store();
    ExecuteRequest request;
    request.plan = store.plan(id);
    request.meta = store.meta(id);
    request.flags = flags.execute;
    request.snapshot.folder = request.meta.folder;
    request.snapshot.rev = request.meta.rev;
    request.snapshot.dirty = request.meta.rev.empty();
    request.snapshot.cache_folder = cache_dir();
    request.source = request.meta.rev.empty() ? runner::inspect_source(request.meta.folder)
                                              : runner::inspect_commit(request.meta.folder, request.meta.rev);
    request.snapshot.alone = request.source.root != request.meta.folder;
    return request;
}

int rerun(Context& context, const AgainFlags& flags)
{
    const auto id = context.store().resolve_id(flags.run);
    auto request = request_of(context, id, flags);
    request.meta.rerun_of = id;
    request.meta.in_place = false; // nobody has asked for that again
    if (flags.failed) {
        keep_passed(context, id, request);
        if (request.kept.size() == request.plan.stages.size()) {
            context.err("gantry: every stage of run " + id + " has passed: there is nothing to try again\n");
            return k_exit_ok;
        }
    }
    return execute(context, std::move(request));
}

int resume(Context& context, const AgainFlags& flags)
{
    auto& store = context.store();
    const auto id = store.resolve_id(flags.run);
    const auto summary = store.summary(id);
    if (!summary.interrupted) {
        if (store.is_alive(id))
            throw Error(Errc::conflict, "run " + id + " is going on", "gantry logs -f " + id);
        throw Error(Errc::conflict, "run " + id + " has ended: " + std::string(to_string(summary.state)),
                    "gantry rerun " + id + (summary.state == runner::State::success ? "" : " --failed"));
    }
    auto request = request_of(context, id, flags);
    keep_passed(context, id, request);
    request.attempts = runner::attempts_of(summary);
    request.resume = id;
    request.flags.in_place = request.meta.in_place;
    request.resumed = runner::has_begun(summary);
    return execute(context, std::move(request));
}

} // namespace

void add_rerun(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("rerun", "Run the plan of an earlier run again");
    const auto flags = std::make_shared<AgainFlags>();
    command->add_option("RUN", flags->run, "Its id, or latest")->type_name("");
    command->add_flag("--failed", flags->failed, "Keep what passed, run the rest");
    add_execute_flags(*command, flags->execute);
    command->footer("Example:\n  gantry rerun 17 --failed");
    command->callback([&context, flags] {
        context.action = [flags](Context& inner) { return rerun(inner, *flags); };
    });
}

void add_resume(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("resume", "Go on with a run whose process died");
    const auto flags = std::make_shared<AgainFlags>();
    command->add_option("RUN", flags->run, "Its id, or latest")->type_name("");
    add_execute_flags(*command, flags->execute);
    command->footer("Example:\n  gantry resume 17");
    command->callback([&context, flags] {
        context.action = [flags](Context& inner) { return resume(inner, *flags); };
    });
}

} // namespace gantry::app
