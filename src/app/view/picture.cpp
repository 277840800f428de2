#include "app/view/picture.hpp"

#include "app/view/end_text.hpp"
#include "app/view/lines.hpp"
#include "app/view/outcome.hpp"
#include "app/view/rows.hpp"
#include "base/columns.hpp"
#include "base/format.hpp"
#include "runner/ports.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>

namespace gantry::app {

using runner::RunEvent;
using runner::State;
using Kind = RunEvent::Kind;

namespace {

constexpr std::size_t k_recent_bytes = 8 * 1024;
constexpr std::size_t k_lines = 3; // of a running step

enum Rank { stage_rank, step_rank, wait_rank, output_rank, done_rank, pending_rank };

struct LastGroup {
    std::string title; // "": it begins before the text
    bool is_open;
};

// Nothing where `text` has no mark.
std::optional<LastGroup> last_group(std::string_view text)
{
    // Most output has none: memmem is faster than what a disk writes, rfind is not.
    constexpr std::string_view k_common = "group::";
    if (::memmem(text.data(), text.size(), k_common.data(), k_common.size()) == nullptr)
        return std::nullopt;
    const auto at_line_begin = [text](std::size_t at) { return at == 0 || text[at - 1] == '\n'; };
    auto open = text.rfind(k_group_mark);
    while (open != std::string_view::npos && !at_line_begin(open))
        open = open == 0 ? std::string_view::npos : text.rfind(k_group_mark, open - 1);
    const auto close = text.rfind(k_group_end_mark);
    if (open == std::string_view::npos && close == std::string_view::npos)
        return std::nullopt;
    if (open == std::string_view::npos)
        return LastGroup{"", false};
    const auto title = text.substr(open + k_group_mark.size());
    return LastGroup{std::string(title.substr(0, std::min(title.find('\n'), std::size_t{200}))),
                     close == std::string_view::npos || close < open};
}

struct OutputLine {
    std::string_view text;
    bool is_title; // of a group that is closed: all that is shown of it
};

// The last lines of `text` that are not empty, oldest first; not further back than where a group begins that is open.
// `last_title` is that of the last group, whose begin may not be in `text` any more.
std::vector<OutputLine> last_lines(std::string_view text, std::size_t count, std::string_view last_title)
{
    std::vector<OutputLine> lines;
    bool is_in_closed = false;
    while (!text.empty() && lines.size() < count) {
        if (text.ends_with('\n'))
            text.remove_suffix(1);
        const auto begin = text.rfind('\n') + 1;
        const auto line = text.substr(begin);
        text = text.substr(0, begin);
        if (line.starts_with(k_group_mark)) {
            if (!is_in_closed)
                break;
            lines.push_back({line.substr(k_group_mark.size()), true});
            is_in_closed = false;
            last_title = {};
        } else if (line.starts_with(k_group_end_mark)) {
            is_in_closed = true;
        } else if (!is_in_closed && !trim(line).empty()) {
            lines.push_back({line, false});
        }
    }
    if (is_in_closed && lines.size() < count && !last_title.empty())
        lines.push_back({last_title, true});
    std::reverse(lines.begin(), lines.end());
    return lines;
}

} // namespace

void Picture::begin(const pipeline::Plan& plan)
{
    for (const auto& stage : plan.stages) {
        stages_.emplace_back();
        stages_.back().id = stage.id;
        stages_.back().needs = stage.needs;
        for (const auto& step : stage.steps) {
            stages_.back().steps.emplace_back();
            stages_.back().steps.back().told.stage = stage.id;
            stages_.back().steps.back().told.step = step.id;
        }
    }
}

Picture::Stage* Picture::find_stage(const std::string& id)
{
    const auto found = std::find_if(stages_.begin(), stages_.end(), [&](const Stage& stage) { return stage.id == id; });
    return found == stages_.end() ? nullptr : &*found;
}

Picture::Step* Picture::find_step(const std::string& stage_id, const std::string& id)
{
    if (auto* stage = find_stage(stage_id))
        for (auto& step : stage->steps)
            if (step.told.step == id)
                return &step;
    return nullptr;
}

void Picture::on_event(const RunEvent& event, Time now)
{
    const auto hint = event.hint.empty() ? "" : " (" + terminal_safe(event.hint) + ")";
    auto* stage = find_stage(event.stage);
    auto* step = find_step(event.stage, event.step);
    switch (event.kind) {
    case Kind::stage_started:
        if (stage) {
            stage->state = State::running;
            stage->begun = now;
        }
        break;
    case Kind::stage_finished: end_stage(event); break;
    case Kind::step_started:
        if (const auto ports = runner::describe_ports(event.outputs); !ports.empty())
            say(readable_stage(event.stage) + " › " + terminal_safe(event.step) + " has " + ports);
        else if (step) {
            const auto told = step_of(event);
            *step = {told, now, {}, {}, {}};
            step->told.state = State::running;
        }
        break;
    case Kind::step_retry:
        say(style_.yellow("↻ ") + readable_stage(event.stage) + " › " + terminal_safe(event.step) + " failed: " + reason_of(step_of(event)) +
            "; attempt " + std::to_string(event.attempt) + (event.duration.count() > 0 ? " in " + format_duration(event.duration) : ""));
        [[fallthrough]];
    case Kind::step_finished:
        if (step)
            step->told = step_of(event);
        break;
    case Kind::service_started:
        if (stage) {
            stage->built.erase(event.step);
            stage->awaited[event.step] = now;
        }
        break;
    case Kind::service_ready:
        if (const auto ports = runner::describe_ports(event.outputs); !ports.empty())
            say(readable_stage(event.stage) + " › " + terminal_safe(event.step) + " has " + ports);
        [[fallthrough]];
    case Kind::service_finished:
        if (stage) {
            stage->built.erase(event.step);
            stage->awaited.erase(event.step);
        }
        break;
    case Kind::service_health:
        say(style_.yellow("! ") + readable_stage(event.stage) + " › " + terminal_safe(event.step) + " is " + terminal_safe(event.message));
        break;
    case Kind::image_ready: pulls_.erase(event.message); break;
    case Kind::cancel_requested:
        say(style_.yellow("cancelling") + " (" + terminal_safe(event.message) + ")" +
            (event.outputs.contains("at_once") ? " at once: running steps are killed" : "; once more: at once"));
        break;
    case Kind::warning: say(style_.yellow("warning: ") + terminal_safe(event.message) + hint); break;
    case Kind::cache: say(readable_stage(event.stage) + ": cache " + terminal_safe(event.message)); break;
    default: break;
    }
}

void Picture::end_stage(const RunEvent& event)
{
    auto* stage = find_stage(event.stage);
    if (!stage || stage->is_over)
        return;
    runner::StageSummary summary;
    summary.stage = event.stage;
    summary.state = event.state;
    summary.cause = event.cause;
    summary.message = event.message;
    summary.duration = event.duration;
    for (auto& step : stage->steps)
        summary.steps.push_back(std::move(step.told));
    above_.push_back({std::move(summary), {}});
    stage->is_over = true;
    stage->steps.clear();
}

// A step, or a service whose image is being built: what it prints itself is not told.
Picture::Step* Picture::find_speaker(const runner::StepKey& key)
{
    if (auto* step = find_step(key.stage, key.step))
        return step;
    auto* stage = find_stage(key.stage);
    if (!stage || stage->is_over)
        return nullptr;
    auto& service = stage->built[key.step];
    service.begun = stage->begun; // images of services are what a stage begins with
    return &service;
}

void Picture::on_output(const runner::StepKey& key, std::string_view bytes)
{
    auto* step = find_speaker(key);
    if (!step)
        return;
    // A mark may lie across the border of two pieces: the border with a little of both sides is looked at, too.
    constexpr std::size_t k_border_bytes = 256;
    const auto note_group = [step](const std::optional<LastGroup>& group) {
        if (!group)
            return;
        step->group = group->is_open ? group->title : "";
        if (!group->title.empty())
            step->last_title = group->title;
    };
    note_group(last_group(step->border + std::string(bytes.substr(0, k_border_bytes))));
    if (bytes.size() > k_border_bytes)
        note_group(last_group(bytes));
    step->border = std::string(bytes.substr(bytes.size() - std::min(bytes.size(), k_border_bytes)));

    if (bytes.size() > k_recent_bytes)
        bytes.remove_prefix(bytes.size() - k_recent_bytes);
    step->recent += bytes;
    if (step->recent.size() > 2 * k_recent_bytes)
        step->recent.erase(0, step->recent.size() - k_recent_bytes);
}

void Picture::on_pull(const engine::PullProgress& progress)
{
    pulls_[progress.image] = progress;
}

std::string Picture::take_finished(int columns)
{
    std::string text;
    for (const auto& above : above_)
        text += above.stage ? stage_rows(style_, *above.stage, columns) : fit(above.line, columns) + "\n";
    above_.clear();
    return text;
}

std::vector<std::string> Picture::draw(TerminalSize size, Time now) const
{
    std::vector<Row> rows;
    for (const auto& stage : stages_)
        if (!stage.is_over && stage.state == State::running)
            draw_stage(rows, stage, size.columns, now);
    draw_waiting(rows, size.columns);
    for (const auto& stage : stages_)
        if (!stage.is_over && stage.state == State::pending)
            rows.push_back({pending_rank, stage_row(style_, stage.state, stage.id, why_waits(stage), {}, size.columns)});

    // Too many for the terminal: the least telling go, the lowest first, and a row says so.
    const auto room = static_cast<std::size_t>(std::max(size.rows - 1, 1));
    std::size_t hidden = 0;
    while (rows.size() + (hidden > 0 ? 1 : 0) > room && rows.size() > 1) {
        const auto least = std::max_element(rows.rbegin(), rows.rend(), [](const Row& a, const Row& b) { return a.rank < b.rank; });
        rows.erase(std::next(least).base());
        ++hidden;
    }
    std::vector<std::string> lines;
    for (auto& row : rows)
        lines.push_back(std::move(row.text));
    if (hidden > 0 && room > 1)
        lines.push_back(fit(style_.dim("… " + std::to_string(hidden) + " more lines"), size.columns));
    return lines;
}

void Picture::draw_stage(std::vector<Row>& rows, const Stage& stage, int columns, Time now) const
{
    rows.push_back({stage_rank, stage_row(style_, stage.state, stage.id, "", now - stage.begun, columns)});
    for (const auto& [service, build] : stage.built) {
        rows.push_back({step_rank, step_row(style_, State::running, service, "not started yet", now - build.begun, columns)});
        draw_output(rows, build, columns);
    }
    for (const auto& [service, begun] : stage.awaited)
        rows.push_back({step_rank, step_row(style_, State::running, service, "not ready yet", now - begun, columns)});
    for (const auto& step : stage.steps)
        draw_step(rows, step, columns, now);
}

void Picture::draw_step(std::vector<Row>& rows, const Step& step, int columns, Time now) const
{
    const auto& told = step.told;
    const auto attempt = told.attempt > 1 ? "attempt " + std::to_string(told.attempt) : "";
    if (told.state == State::running) {
        rows.push_back({step_rank, step_row(style_, told.state, told.step, attempt, now - step.begun, columns)});
        draw_output(rows, step, columns);
    } else if (is_final(told.state)) {
        rows.push_back({done_rank, step_row(style_, told.state, told.step, note_of(told), told.duration, columns)});
    }
}

void Picture::draw_output(std::vector<Row>& rows, const Step& step, int columns) const
{
    const auto put = [&](const std::string& text) { rows.push_back({output_rank, fit("    " + style_.dim("│") + " " + text, columns)}); };
    const auto put_title = [&](std::string_view title) { put(style_.bold("▸ " + terminal_line(title, false))); };
    if (!step.group.empty())
        put_title(step.group);
    for (const auto& line : last_lines(step.recent, step.group.empty() ? k_lines : k_lines - 1, step.last_title)) {
        if (line.is_title) {
            put_title(line.text);
            continue;
        }
        auto text = terminal_line(line.text, style_.colours);
        std::replace(text.begin(), text.end(), '\t', ' ');
        put(text);
    }
}

void Picture::draw_waiting(std::vector<Row>& rows, int columns) const
{
    for (const auto& [image, pull] : pulls_) {
        auto text = "  " + style_.blue("↓") + " " + terminal_safe(image);
        if (pull.layers_total > 0)
            text += "  layer " + std::to_string(pull.layers_done) + "/" + std::to_string(pull.layers_total);
        if (pull.bytes_total > 0)
            text += "  " + format_size(pull.bytes_done) + " of " + format_size(pull.bytes_total);
        rows.push_back({wait_rank, fit(text, columns)});
    }
    if (!waits_for_.empty())
        rows.push_back({wait_rank, fit("  " + style_.dim("· waits: " + terminal_safe(waits_for_)), columns)});
}

std::string Picture::why_waits(const Stage& stage) const
{
    std::string names;
    for (const auto& need : stage.needs) {
        const auto found = std::find_if(stages_.begin(), stages_.end(), [&](const Stage& other) { return other.id == need; });
        if (found != stages_.end() && !found->is_over)
            names += (names.empty() ? "waits for " : ", ") + readable_stage(need);
    }
    return names;
}

} // namespace gantry::app
