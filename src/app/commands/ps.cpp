#include "app/commands/commands.hpp"

#include "app/context.hpp"
#include "app/exit_code.hpp"
#include "app/view/outcome.hpp"
#include "app/view/style.hpp"
#include "app/view/view.hpp"
#include "base/clock.hpp"
#include "base/columns.hpp"
#include "base/format.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>

namespace gantry::app {

using Json = nlohmann::ordered_json;
using runner::RunSummary;

namespace {

struct PsFlags {
    bool all = false, json = false;
};

// Without the plan of a run that has begun: its stages are not shown, and reading it costs more than the rest.
RunSummary read_run(const runner::Store& store, const std::string& id)
{
    const bool alive = store.is_alive(id);
    auto summary = runner::summarize(id, {}, store.events(id));
    summary.interrupted = !alive && !is_final(summary.state);
    if (summary.pipeline.empty()) // it waits for its group: nothing is written down of it yet
        summary.pipeline = store.plan(id).pipeline;
    return summary;
}

std::chrono::nanoseconds duration_of(const RunSummary& run)
{
    if (run.started == std::chrono::system_clock::time_point())
        return std::chrono::nanoseconds(0);
    return (is_final(run.state) ? run.finished : system_clock().wall()) - run.started;
}

std::string detail(const RunSummary& run, const std::string& name)
{
    const auto found = run.details.find(name);
    return found == run.details.end() ? "" : found->second;
}

std::string state_of(const RunSummary& run)
{
    return run.interrupted ? "interrupted" : std::string(to_string(run.state));
}

Json json_of(const RunSummary& run)
{
    Json json = {{"id", run.id}, {"state", state_of(run)}, {"pipeline", run.pipeline}};
    if (is_final(run.state))
        json["cause"] = to_string(run.cause);
    if (run.started != std::chrono::system_clock::time_point())
        json["started"] = format_time(run.started);
    if (is_final(run.state))
        json["finished"] = format_time(run.finished);
    if (!run.interrupted)
        json["duration_ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(duration_of(run)).count();
    for (const auto& [name, value] : run.details)
        json[name] = value;
    for (const auto& stage : run.stages)
        for (const auto& step : stage.steps)
            if (step.state == runner::State::running && !run.interrupted)
                json["running"].push_back(stage.stage + "/" + step.step);
    return json;
}

std::string table_of(const std::vector<RunSummary>& runs)
{
    std::vector<std::vector<std::string>> rows{{"RUN", "STATE", "PIPELINE", "ON", "STARTED", "TIME"}};
    for (const auto& run : runs) {
        const auto on = detail(run, "branch").empty() ? detail(run, "sha").substr(0, 7) : detail(run, "branch");
        const bool begun = run.started != std::chrono::system_clock::time_point();
        rows.push_back({run.id, state_of(run), terminal_safe(run.pipeline), terminal_safe(on), begun ? format_ago(system_clock().wall() - run.started) : "",
                        run.interrupted || !begun ? "" : format_duration(duration_of(run))});
    }
    return aligned(rows);
}

// One that cannot be read is named and left out.
std::vector<RunSummary> read_runs(Context& context, bool all)
{
    auto& store = context.store();
    std::vector<RunSummary> runs;
    for (const auto& id : store.run_ids()) {
        try {
            if (all || store.is_alive(id))
                runs.push_back(read_run(store, id));
        } catch (const Error& error) {
            if (error.code() != Errc::not_found) // removed just now
                context.err("gantry: run " + id + ": " + terminal_safe(error.what()) + "\n");
        }
    }
    return runs;
}

int list_runs(Context& context, const PsFlags& flags)
{
    const auto runs = read_runs(context, flags.all);
    if (flags.json) {
        auto json = Json::array();
        for (const auto& run : runs)
            json.push_back(json_of(run));
        context.out(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    } else if (runs.empty()) {
        context.err(flags.all ? "gantry: there are no runs yet: gantry run\n" : "gantry: nothing runs; what has run: gantry ps --all\n");
    } else {
        context.out(table_of(runs));
    }
    return k_exit_ok;
}

} // namespace

void add_ps(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("ps", "List runs");
    const auto flags = std::make_shared<PsFlags>();
    command->add_flag("-a,--all", flags->all, "Also those that have ended, newest first");
    command->add_flag("--json", flags->json, "As a JSON array");
    command->footer("Examples:\n"
                    "  gantry ps --all\n"
                    "  gantry ps --all --json | jq -r '.[] | select(.state == \"failure\") | .id'");
    command->callback([&context, flags] {
        context.action = [flags](Context& inner) { return list_runs(inner, *flags); };
    });
}

} // namespace gantry::app
