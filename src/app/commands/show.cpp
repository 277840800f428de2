#include "app/commands/commands.hpp"

#include "app/context.hpp"
#include "app/exit_code.hpp"
#include "app/view/columns.hpp"
#include "app/view/end_text.hpp"
#include "app/view/rows.hpp"
#include "app/view/view.hpp"
#include "base/clock.hpp"
#include "base/format.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace gantry::app {

using runner::RunSummary;
using runner::State;

namespace {

struct ShowFlags {
    std::string run = "latest";
    bool json = false;
};

constexpr int k_columns = 100;

// "run 17 · shop @ 4f2a9c1 (main) · docker 20.10 · 2024-05-01T10:20:30.123Z"
std::string header_of(const RunSummary& run)
{
    const auto detail = [&run](const char* name) {
        const auto found = run.details.find(name);
        return found == run.details.end() ? std::string() : terminal_safe(found->second);
    };
    auto text = "run " + run.id + " · " + terminal_safe(run.pipeline);
    if (!detail("sha").empty())
        text += " @ " + detail("sha").substr(0, 7);
    if (!detail("branch").empty())
        text += " (" + detail("branch") + ")";
    if (!detail("engine").empty())
        text += " · " + detail("engine");
    if (run.started != std::chrono::system_clock::time_point())
        text += " · " + format_time(run.started);
    return text + "\n\n";
}

std::string what_can_be_done(const RunSummary& run)
{
    if (run.interrupted)
        return "\nrun " + run.id + " was interrupted: its process died; go on with it: gantry resume " + run.id + "\n";
    return "\nrun " + run.id + " goes on" +
           (run.started == std::chrono::system_clock::time_point() ? "" : " since " + format_duration(system_clock().wall() - run.started)) +
           ": gantry logs -f " + run.id + "\n";
}

// A stage or step that goes on has no duration yet.
std::string text_of(Context& context, const RunSummary& run, const Style& style)
{
    auto text = header_of(run);
    for (const auto& stage : run.stages)
        text += stage_rows(style, stage, k_columns);
    if (run.interrupted || !is_final(run.state))
        return style.shown(text + what_can_be_done(run));
    EndNotes notes;
    for (const auto& event : context.store().events(run.id))
        notes.add(event);
    return style.shown(std::move(text)) + render_end(run, notes, [&](const runner::StepKey& step, int lines) {
        return context.store().tail_log(run.id, step, lines);
    }, style);
}

int show_run(Context& context, const ShowFlags& flags)
{
    const auto id = context.store().resolve_id(flags.run);
    const auto run = context.store().summary(id);
    if (flags.json) {
        context.out(to_json(run).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
        return k_exit_ok;
    }
    const auto view = detect_view(false, false, false);
    context.out(text_of(context, run, Style{view.colours, view.unicode}));
    return k_exit_ok;
}

} // namespace

void add_show(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("show", "Show a run: its stages and steps, how they ended and why");
    const auto flags = std::make_shared<ShowFlags>();
    command->add_option("RUN", flags->run, "Its id, or latest (default)")->type_name("");
    command->add_flag("--json", flags->json, "As a JSON object");
    command->footer("Examples:\n"
                    "  gantry show 17\n"
                    "  gantry show --json | jq '.stages[].steps[] | {step, state, duration_ns}'");
    command->callback([&context, flags] {
        context.action = [flags](Context& inner) { return show_run(inner, *flags); };
    });
}

} // namespace gantry::app
