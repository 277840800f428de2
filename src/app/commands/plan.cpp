#include "app/commands/commands.hpp"

#include "app/exit_code.hpp"
#include "app/planning.hpp"
#include "app/view/view.hpp"
#include "base/format.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace gantry::app {

namespace {

struct PlanFlags {
    SourceFlags source;
    bool json = false;
};

int show_plan(Context& context, const PlanFlags& flags)
{
    const auto planning = plan_pipeline(context, flags.source);
    if (!planning)
        return k_exit_usage;
    if (flags.json) {
        const auto json = to_json(planning->plan);
        context.out(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    } else if (planning->plan.skip_reason) {
        context.out("nothing to run: " + terminal_safe(*planning->plan.skip_reason) + "\n");
    } else {
        context.out(as_locale_shows(render_plan(planning->plan)));
    }
    return k_exit_ok;
}

} // namespace

void add_plan(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("plan", "Show what would run");
    const auto flags = std::make_shared<PlanFlags>();
    add_source_flags(*command, flags->source);
    command->add_flag("--json", flags->json, "The whole plan, as a run keeps it");
    command->footer("Examples:\n"
                    "  gantry plan --event tag --tag v1.0     what a tag would run\n"
                    "  gantry plan --json | jq '.stages[].id'");
    command->callback([&context, flags] {
        context.action = [flags](Context& inner) { return show_plan(inner, *flags); };
    });
}

} // namespace gantry::app
