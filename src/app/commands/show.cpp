#include "app/commands/commands.hpp"

#include "app/context.hpp"
#include "app/exit_code.hpp"
#include "app/view/end_text.hpp"
#include "app/view/report_rows.hpp"
#include "app/view/rows.hpp"
#include "app/view/view.hpp"
#include "base/clock.hpp"
#include "base/columns.hpp"
#include "base/format.hpp"
#include "runner/report_results.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace gantry::app {

using runner::RunSummary;
using runner::State;

namespace {

struct ShowFlags {
    std::string run = "latest";
    bool json = false, tests = false;
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
        text += stage_rows(style, stage, k_columns, Use::all);
    if (run.interrupted || !is_final(run.state))
        return style.shown(text + what_can_be_done(run));
    EndNotes notes;
    for (const auto& event : context.store().events(run.id))
        notes.add(event);
    return style.shown(std::move(text)) + render_end(run, notes, [&](const runner::StepKey& step, int lines) {
        return context.store().tail_log(run.id, step, lines);
    }, style);
}

// Of each stage that had test reports.
int show_tests(Context& context, const std::string& id, const ShowFlags& flags)
{
    const auto view = detect_view(false, false, false);
    const Style style{view.colours, view.unicode};
    auto array = nlohmann::json::array();
    std::string text;
    for (const auto& stage : context.store().plan(id).stages) {
        const auto results = runner::find_results(context.store().root() + "/runs/" + id, stage.id);
        if (!results || !results->tests)
            continue;
        array.push_back({{"stage", stage.id}, {"tests", runner::to_json(*results->tests)}});
        text += failed_tests_text(stage.id, *results->tests, style);
    }
    if (text.empty())
        context.err("gantry: run " + id + " has no test reports: artifacts.reports of a stage names them\n");
    context.out(flags.json ? array.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n" : style.shown(text));
    return k_exit_ok;
}

// Stages say what their reports do.
nlohmann::json json_of(Context& context, const RunSummary& run)
{
    std::vector<runner::ReportedStage> reported;
    for (const auto& event : context.store().events(run.id))
        add_reported(reported, event);
    auto json = to_json(run);
    for (auto& stage : json["stages"])
        for (const auto& one : reported)
            if (stage.value("stage", "") == one.stage) {
                if (one.tests)
                    stage["tests"] = to_json(*one.tests);
                if (one.coverage)
                    stage["coverage"] = to_json(*one.coverage);
            }
    return json;
}

int show_run(Context& context, const ShowFlags& flags)
{
    const auto id = context.store().resolve_id(flags.run);
    if (flags.tests)
        return show_tests(context, id, flags);
    const auto run = context.store().summary(id);
    if (flags.json) {
        context.out(json_of(context, run).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
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
    command->add_flag("--tests", flags->tests, "What its test reports say: each failed test, where it is and what it said");
    command->add_flag("--json", flags->json, "As a JSON object; with --tests an array of stages with all their tests");
    command->footer("Examples:\n"
                    "  gantry show 17\n"
                    "  gantry show --tests\n"
                    "  gantry show --json | jq '.stages[].steps[] | {step, state, duration_ns}'");
    command->callback([&context, flags] {
        context.action = [flags](Context& inner) { return show_run(inner, *flags); };
    });
}

} // namespace gantry::app
