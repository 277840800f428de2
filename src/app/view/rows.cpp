#include "app/view/rows.hpp"

#include "app/view/end_text.hpp"
#include "app/view/outcome.hpp"
#include "base/columns.hpp"
#include "base/format.hpp"
#include "runner/ports.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace gantry::app {

using runner::State;

namespace {

// Times stand in columns of their own, those of steps before those of stages.
constexpr int k_widest = 72;
constexpr int k_step_indent = 2;
constexpr int k_step_times_before = 8;

std::string glyph(const Style& style, State state)
{
    switch (state) {
    case State::success: return style.green("✓");
    case State::failure:
    case State::timed_out:
    case State::error: return style.red("✗");
    case State::cancelled: return style.yellow("✗");
    case State::running: return style.blue("▶");
    default: return style.dim("·");
    }
}

std::string row(const Style& style, State state, const std::string& name, const std::string& note, std::chrono::nanoseconds duration, int columns)
{
    auto left = glyph(style, state) + " " + name;
    if (!note.empty())
        left += "  " + (went_wrong(state) ? note : style.dim(note));
    return spread(left, duration.count() > 0 ? format_duration(duration) : "", columns);
}

constexpr int k_detail_indent = 6;

std::string detail(const Style& style, const std::string& text, int columns)
{
    return std::string(k_detail_indent, ' ') + style.dim(fit(text, columns - k_detail_indent)) + "\n";
}

// A line that is full goes on in another.
std::string port_lines(const Style& style, const std::map<std::string, std::string>& outputs, int columns)
{
    std::string text, line;
    for (const auto& output : outputs) {
        const auto port = runner::describe_ports({output});
        if (!port.empty() && !line.empty() && columns_of(line + ", " + port) > columns - k_detail_indent)
            text += detail(style, std::exchange(line, {}), columns);
        line += (line.empty() || port.empty() ? "" : ", ") + port;
    }
    return text + (line.empty() ? "" : detail(style, line, columns));
}

// Steps and services that ran, each with its row.
std::string rows_of(const Style& style, const std::vector<runner::StepSummary>& steps, int columns, Use use)
{
    std::string text;
    for (auto step : steps) {
        const auto used = use == Use::all && step.use ? use_of(*std::exchange(step.use, std::nullopt)) : "";
        auto note = note_of(step);
        const auto ports = runner::describe_ports(step.outputs);
        if (use == Use::peak && !ports.empty())
            note += (note.empty() ? "" : "; ") + ports;
        text += step_row(style, step.state, step.step, note, step.duration, columns) + "\n";
        if (use == Use::all)
            text += port_lines(style, step.outputs, columns);
        if (!used.empty())
            text += detail(style, used, columns);
    }
    return text;
}

} // namespace

std::string note_of(const runner::StepSummary& step)
{
    std::vector<std::string> notes;
    if (step.state == State::skipped || (step.state == State::success && step.attempt == 0)) {
        notes.push_back(terminal_safe(step.message));
    } else if (step.state == State::success) {
        notes.push_back(step.attempt > 1 ? "attempt " + std::to_string(step.attempt) : "");
        notes.push_back(short_use_of(step));
    } else if (went_wrong(step.state)) {
        const auto reason = reason_of(step);
        notes.push_back((reason.empty() ? verb_of(step.state) : reason) + (step.allowed_failure ? " (allowed)" : ""));
    }
    if (step.lapses > 0)
        notes.push_back("unhealthy " + (step.lapses > 1 ? std::to_string(step.lapses) + " times" : std::string("once")) + " after it was ready");
    std::erase(notes, std::string());
    return join(notes, ", ");
}

std::string stage_row(const Style& style, State state, const std::string& id, const std::string& note,
                      std::chrono::nanoseconds duration, int columns)
{
    return row(style, state, readable_stage(id), note, duration, std::min(columns, k_widest));
}

std::string step_row(const Style& style, State state, const std::string& name, const std::string& note,
                     std::chrono::nanoseconds duration, int columns)
{
    const int width = columns >= k_widest ? k_widest - k_step_times_before : columns;
    return std::string(k_step_indent, ' ') + row(style, state, terminal_safe(name), note, duration, width - k_step_indent);
}

std::string stage_rows(const Style& style, const runner::StageSummary& stage, int columns, Use use)
{
    bool tells = false; // a step already says what the stage would
    bool ran = false;
    for (const auto& step : stage.steps) {
        ran |= step.attempt > 0;
        tells |= step.attempt > 0 && went_wrong(step.state);
    }
    const auto said = stage.message.empty() && went_wrong(stage.state) ? verb_of(stage.state) : terminal_safe(stage.message);
    const auto note = tells ? "" : said;
    auto text = stage_row(style, stage.state, stage.stage, note, stage.duration, columns) + "\n";
    auto services = stage.services;
    std::erase_if(services, [](const runner::StepSummary& service) { return service.attempt == 0; });
    text += rows_of(style, services, columns, use);
    return ran ? text + rows_of(style, stage.steps, columns, use) : text;
}

} // namespace gantry::app
