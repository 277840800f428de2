#include "app/commands/commands.hpp"


#include "app/execute.hpp"
#include "app/exit_code.hpp"
#include "app/pipeline_source.hpp"
#include "app/registry.hpp"
#include "pipeline/checks.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>

namespace gantry::app {

namespace {

struct RunFlags {
    SourceFlags source;
    ExecuteFlags execute;
    bool ignore_triggers = true;
};

void print_problems(Context& context, pipeline::Diagnostics diagnostics, const pipeline::Sources& sources)
{
    if (diagnostics.empty())
        return;
    pipeline::sort_by_position(diagnostics);
    context.err(pipeline::render_text(diagnostics, sources));
}

// Everything that can be wrong with the file is told at once, before anything is made.
int run_pipeline(Context& context, const RunFlags& flags)
{
    const auto loaded = load_pipeline(flags.source);
    auto diagnostics = loaded.parsed.diagnostics;
    if (loaded.parsed.ok()) {
        const auto& row = engine_row(context.options.engine);
        const auto capabilities = capabilities_of(row);
        const auto found = pipeline::check(loaded.parsed.definition, &capabilities);
        diagnostics.insert(diagnostics.end(), found.begin(), found.end());
    }
    if (pipeline::has_errors(diagnostics)) {
        print_problems(context, std::move(diagnostics), loaded.parsed.sources);
        return k_exit_usage;
    }
    auto options = plan_options_of(flags.source, loaded);
    // Whoever types `gantry run` wants a run; an event that was named is played with its filters.
    options.ignore_triggers = flags.source.event.empty();
    auto planned = pipeline::make_plan(loaded.parsed.definition, event_of(flags.source, loaded.source), options);
    diagnostics.insert(diagnostics.end(), planned.diagnostics.begin(), planned.diagnostics.end());
    const auto consent = consent_of(flags.execute);
    if (planned.ok()) {
        const auto refused = runner::check_consent(planned.plan, consent);
        diagnostics.insert(diagnostics.end(), refused.begin(), refused.end());
    }
    print_problems(context, diagnostics, loaded.parsed.sources);
    if (pipeline::has_errors(diagnostics))
        return k_exit_usage;
    if (planned.plan.skip_reason) {
        context.err("gantry: nothing to run: " + *planned.plan.skip_reason + "\n");
        return k_exit_ok;
    }

    ExecuteRequest request;
    request.plan = std::move(planned.plan);
    request.snapshot = loaded.snapshot;
    request.source = loaded.source;
    request.meta.folder = loaded.snapshot.folder;
    request.meta.file = loaded.file;
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
    command->footer("Examples:\n"
                    "  gantry run                              the repository around here, as it is now\n"
                    "  gantry run --stage test --matrix gcc=13 a part of it, with what it needs\n"
                    "  gantry run --event tag --tag v1.0       as if that tag had been pushed");
    command->callback([&context, flags] {
        context.action = [flags](Context& inner) { return run_pipeline(inner, *flags); };
    });
}

} // namespace gantry::app
