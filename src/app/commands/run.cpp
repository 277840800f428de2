#include "app/commands/commands.hpp"

#include "app/execute.hpp"
#include "app/exit_code.hpp"
#include "app/planning.hpp"
#include "base/format.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace gantry::app {

namespace {

struct RunFlags {
    SourceFlags source;
    ExecuteFlags execute;
};

// Everything that can be wrong with the file is told at once, before anything is made.
int run_pipeline(Context& context, const RunFlags& flags)
{
    const auto consent = consent_of(flags.execute);
    if (flags.execute.in_place && (flags.source.committed || !flags.source.rev.empty()))
        throw Error(Errc::bad_input, "--in-place writes into the working tree, and --rev and --no-dirty do not run it",
                    "leave one of them out");
    auto planning = plan_pipeline(context, flags.source,
                                  [&consent](const pipeline::Plan& plan) { return runner::check_consent(plan, consent); });
    if (!planning)
        return k_exit_usage;
    if (planning->plan.skip_reason) {
        context.err("gantry: nothing to run: " + terminal_safe(*planning->plan.skip_reason) + "\n");
        return k_exit_ok;
    }

    ExecuteRequest request;
    request.plan = std::move(planning->plan);
    request.snapshot = planning->loaded.snapshot;
    request.source = planning->loaded.source;
    request.meta.folder = planning->loaded.snapshot.folder;
    request.meta.file = planning->loaded.file;
    request.meta.rev = planning->loaded.snapshot.rev;
    request.meta.in_place = flags.execute.in_place;
    request.flags = flags.execute;
    return execute(context, std::move(request));
}

} // namespace

void add_run(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("run", "Run a pipeline here");
    const auto flags = std::make_shared<RunFlags>();
    add_source_flags(*command, flags->source);
    add_execute_flags(*command, flags->execute);
    command->add_flag("--in-place", flags->execute.in_place, "Write what the stages changed into this folder");
    command->footer("Examples:\n"
                    "  gantry run                               the repository around here, as it is\n"
                    "  gantry run --stage test --matrix gcc=13  a part of it, with what it needs\n"
                    "  gantry run --event tag --tag v1.0        as if that tag had been pushed");
    command->callback([&context, flags] {
        context.action = [flags](Context& inner) { return run_pipeline(inner, *flags); };
    });
}

} // namespace gantry::app
