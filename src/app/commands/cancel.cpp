#include "app/commands/commands.hpp"

#include "app/context.hpp"
#include "app/exit_code.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace gantry::app {

void add_cancel(CLI::App& app, Context& context)
{
    struct CancelFlags {
        std::string run;
        bool now = false;
    };
    auto* command = app.add_subcommand("cancel", "End a run that is going on");
    const auto flags = std::make_shared<CancelFlags>();
    command->add_option("RUN", flags->run, "Its id, or latest")->type_name("")->required();
    command->add_flag("--now", flags->now, "Kill its steps at once, without their grace");
    command->footer("Running steps get their stop signal and their grace; what a stage does finally\n"
                    "still runs. Returns at once; the run ends by itself.\n\n"
                    "Example:\n  gantry cancel latest");
    command->callback([&context, flags] {
        context.action = [flags](Context& inner) {
            const auto id = inner.store().resolve_id(flags->run);
            inner.store().request_cancel(id, {flags->now, "gantry cancel"});
            inner.err("gantry: run " + id + " was asked to end; follow it: gantry logs -f " + id + "\n");
            return k_exit_ok;
        };
    });
}

} // namespace gantry::app
