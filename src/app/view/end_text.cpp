#include "app/view/end_text.hpp"

#include "app/view/lines.hpp"
#include "app/view/outcome.hpp"
#include "app/view/report_rows.hpp"
#include "base/columns.hpp"
#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace gantry::app {

using runner::State;

namespace {

constexpr int k_end_columns = 80;               // that our own rows keep to
constexpr int k_title_columns = 13;         // "  what now   "
constexpr std::size_t k_tails = 3;          // failed steps whose last lines are shown
constexpr std::size_t k_rows = 12;          // of one kind: failures, skipped stages, warnings
constexpr std::size_t k_summary_lines = 12; // of CI_STEP_SUMMARY, all steps together

class EndText {
public:
    EndText(const runner::RunSummary& run, const EndNotes& notes, const View::Tail& tail, const Style& style)
        : run_(run), notes_(notes), tail_(tail), style_(style)
    {
    }

    std::string render(EndDetail detail)
    {
        failures();
        if (!text_.empty() || run_.state != State::success)
            text_ += '\n';
        if (run_.state != State::success)
            what_now();
        if (detail == EndDetail::all)
            remarks();
        if (run_.state != State::success) {
            row("time", time_line());
            row("", longest());
        }
        last_line(detail);
        return style_.shown(std::move(text_));
    }

private:
    void line(const std::string& text) { text_ += text + '\n'; }
    void row(const std::string& title, const std::string& text)
    {
        if (!text.empty())
            line(fmt::format("  {:<10} {}", title, text));
    }

    // ---- what failed

    void failures()
    {
        std::size_t count = 0;
        for (const auto& stage : run_.stages) {
            if (stage.allowed_failure)
                continue;
            const auto failed = failed_steps(stage);
            for (const auto* step : failed)
                failure(*step, ++count);
            // Opening or closing it went wrong, or its time was up.
            if (failed.empty() && went_wrong(stage.state) && stage.state != State::cancelled && ++count <= k_rows) {
                line("\n" + style_.red("✗ " + readable_stage(stage.stage)) + " " + verb_of(stage.state) +
                     (stage.message.empty() ? "" : ": " + terminal_safe(stage.message)));
                hints(notes_.hint_for(stage.stage));
            }
            for (const auto& service : stage.services)
                if (went_wrong(service.state))
                    service_failure(service, count);
        }
        if (count > k_rows)
            line(fmt::format("… and {} more: gantry show {}", count - k_rows, run_.id));
    }

    static std::vector<const runner::StepSummary*> failed_steps(const runner::StageSummary& stage)
    {
        std::vector<const runner::StepSummary*> failed;
        for (const auto& step : stage.steps)
            if (went_wrong(step.state) && step.state != State::cancelled && !step.allowed_failure)
                failed.push_back(&step);
        return failed;
    }

    void failure(const runner::StepSummary& step, std::size_t count)
    {
        if (count > k_rows)
            return;
        if (!first_failed_)
            first_failed_ = &step;
        line("\n" + style_.red("✗ " + readable_stage(step.stage) + " › " + step.step) + " " + outcome_of(step));
        hints(step.hint);
        if (count <= k_tails && step.log_bytes > 0)
            last_lines(step);
    }

    void hints(const std::string& text)
    {
        for (const auto& hint : split(text, '\n'))
            if (!hint.empty())
                line("  " + terminal_safe(hint));
    }

    // The stage has said what happened; here are its last words.
    void service_failure(const runner::StepSummary& service, std::size_t count)
    {
        if (!failed_service_)
            failed_service_ = &service;
        if (count <= k_tails && service.log_bytes > 0) {
            line("\n  " + terminal_safe(service.step) + " printed:");
            last_lines(service);
        }
    }

    static std::vector<std::string> lines_in(std::string_view bytes)
    {
        return split(bytes.substr(0, bytes.size() - (bytes.ends_with('\n') ? 1 : 0)), '\n');
    }

    // With k_tail_lines lines that are shown, if it has so many: ends of groups are not.
    std::string tail_of(const runner::StepSummary& step) const
    {
        for (std::ptrdiff_t wanted = k_tail_lines;;) {
            auto bytes = tail_({step.stage, step.step, step.attempt}, static_cast<int>(wanted));
            const auto lines = lines_in(bytes);
            const auto hidden = std::count_if(lines.begin(), lines.end(), [](const auto& text) { return text.starts_with(k_group_end_mark); });
            if (wanted == k_tail_lines + hidden || static_cast<std::ptrdiff_t>(lines.size()) < wanted)
                return bytes;
            wanted = k_tail_lines + hidden;
        }
    }

    void last_lines(const runner::StepSummary& step)
    {
        const auto bytes = tail_of(step);
        if (bytes.empty())
            return;
        text_ += '\n';
        for (const auto& part : lines_in(bytes))
            if (part.starts_with(k_group_mark))
                line("    " + style_.bold("▸ " + terminal_line(std::string_view(part).substr(k_group_mark.size()), false)));
            else if (!part.starts_with(k_group_end_mark))
                line("    " + terminal_line(part, style_.colours));
        if (step.log_bytes > bytes.size())
            line(style_.dim("    … " + format_size(step.log_bytes - bytes.size()) + " before: gantry logs " + run_.id + " " +
                            short_step_name(run_, step)));
    }

    // ---- what to do

    void what_now()
    {
        std::vector<std::pair<std::string, std::string>> commands;
        if (first_failed_) {
            const auto name = short_step_name(run_, *first_failed_);
            if (notes_.kept_container() && first_failed_->has_container)
                commands.emplace_back("gantry shell " + run_.id + " " + name, "look inside, as it was");
            if (first_failed_->log_bytes > 0)
                commands.emplace_back("gantry logs " + run_.id + " " + name, "all that it printed");
        }
        if (failed_service_ && failed_service_->log_bytes > 0)
            commands.emplace_back("gantry logs " + run_.id + " " + short_step_name(run_, *failed_service_), "all that the service printed");
        const auto again = "gantry rerun " + run_.id + " --failed";
        commands.emplace_back(again, "again, what passed is kept");
        const bool can_be_kept = first_failed_ && first_failed_->has_container &&
                                 (first_failed_->state == State::failure || first_failed_->state == State::timed_out);
        if (can_be_kept && !notes_.kept_container())
            commands.emplace_back(again + " --keep-failed", "kept for gantry shell");
        const auto fits = [](const std::string& command, const std::string& why) {
            return k_title_columns + columns_of(command) + 2 + columns_of(why) <= k_end_columns;
        };
        int width = 0, widest_why = 0;
        for (const auto& [command, why] : commands)
            if (fits(command, why)) {
                widest_why = std::max(widest_why, columns_of(why));
                width = std::max(width, columns_of(command));
            }
        width = std::min(width, k_end_columns - k_title_columns - 2 - widest_why);
        const char* title = "what now";
        for (const auto& [command, why] : commands) {
            const auto blanks = static_cast<std::size_t>(std::max(width - columns_of(command), 0));
            if (fits(command, why)) {
                row(std::exchange(title, ""), command + std::string(blanks, ' ') + "  " + style_.dim(why));
            } else {
                row(std::exchange(title, ""), command);
                row("", "  " + style_.dim(why));
            }
        }
    }

    // ---- what else is to know

    void remarks()
    {
        std::vector<std::string> allowed, warnings;
        for (const auto& stage : run_.stages) {
            for (const auto& step : stage.steps)
                if (step.allowed_failure && went_wrong(step.state))
                    allowed.push_back(readable_stage(step.stage) + " › " + step.step + " " + outcome_of(step));
            if (stage.allowed_failure && !stage.message.empty())
                allowed.push_back(readable_stage(stage.stage) + " " + verb_of(stage.state) + ": " + terminal_safe(stage.message));
        }
        for (const auto& warning : run_.warnings)
            warnings.push_back(terminal_safe(warning.message) +
                               (warning.hint.empty() ? "" : " (" + terminal_safe(warning.hint) + ")"));
        rows("allowed", allowed);
        rows("skipped", skipped());
        rows("tests", tests_rows(notes_.reported(), run_.id, style_));
        rows("coverage", coverage_rows(notes_.reported()));
        rows("artifacts", artifacts());
        rows("warning", warnings);
        summaries();
    }

    void rows(const char* title, const std::vector<std::string>& texts)
    {
        for (std::size_t i = 0; i < std::min(texts.size(), k_rows); ++i)
            row(i == 0 ? title : "", texts[i]);
        if (texts.size() > k_rows)
            row("", fmt::format("… and {} more: gantry show {}", texts.size() - k_rows, run_.id));
    }

    // "image, deploy: it needs test, which failed": one row for each reason.
    std::vector<std::string> skipped() const
    {
        std::vector<std::pair<std::string, std::string>> by_reason;
        for (const auto& stage : run_.stages) {
            if (stage.state != State::skipped)
                continue;
            const auto found = std::find_if(by_reason.begin(), by_reason.end(), [&](const auto& entry) { return entry.first == stage.message; });
            if (found != by_reason.end())
                found->second += ", " + readable_stage(stage.stage);
            else
                by_reason.emplace_back(stage.message, readable_stage(stage.stage));
        }
        std::vector<std::string> texts;
        for (const auto& [reason, stages] : by_reason)
            texts.push_back(stages + (reason.empty() ? "" : ": " + terminal_safe(reason)));
        return texts;
    }

    // "build: 3 files, 4.1 MB", and how to have them.
    std::vector<std::string> artifacts() const
    {
        std::vector<std::string> texts;
        for (const auto& stage : run_.stages)
            if (stage.artifacts)
                texts.push_back(fmt::format("{}: {}, {}", readable_stage(stage.stage), format_count(stage.artifacts->files, "file"),
                                            format_size(stage.artifacts->size_bytes)));
        if (!texts.empty())
            texts.back() += "   " + style_.dim("gantry artifacts " + run_.id);
        return texts;
    }

    void summaries()
    {
        std::size_t shown = 0;
        for (const auto& [stage, step, text] : notes_.summaries()) {
            if (shown >= k_summary_lines)
                return;
            row("summary", readable_stage(stage) + " › " + step);
            for (const auto& part : split(trim(text), '\n'))
                if (++shown <= k_summary_lines)
                    line("             " + terminal_safe(part));
        }
    }

    // ---- time

    static std::string tenths(std::chrono::nanoseconds duration)
    {
        return fmt::format("{:.1f}", std::chrono::duration<double>(duration).count());
    }

    // "pull 2.1 + start 0.2 + your commands 9.4 + rest 0.2"
    std::string time_parts() const
    {
        const auto parts = notes_.time().parts();
        return "pull " + tenths(parts.pull) + " + start " + tenths(parts.start) + " + your commands " + tenths(parts.commands) +
               " + rest " + tenths(parts.rest);
    }

    std::string longest() const
    {
        const auto& longest = notes_.time().longest();
        return longest.command.count() == 0
                   ? ""
                   : "longest: " + readable_stage(longest.stage) + " › " + terminal_safe(longest.step) + " " + format_duration(longest.command);
    }

    std::string time_line() const
    {
        const auto whole = notes_.time().parts().whole;
        return whole.count() > 0 ? format_duration(whole) + " = " + time_parts() : "";
    }

    void last_line(EndDetail detail)
    {
        const auto whole = format_duration(run_.finished - run_.started);
        const auto run = "run " + run_.id + " ";
        if (run_.state == State::success) {
            line(style_.green(run + "passed") + " in " + whole);
            const auto parts = notes_.time().parts();
            if (detail == EndDetail::all && parts.whole >= std::chrono::milliseconds(500))
                passed_time("  " + time_line(), longest());
        } else if (run_.state == State::skipped) {
            line(run + "was skipped");
        } else {
            line(style_.red(run + verb_of(run_.state)) + (run_.state == State::cancelled ? " after " + whole : ""));
        }
    }

    // In one line where that is wide enough, else in two.
    void passed_time(const std::string& time, const std::string& longest)
    {
        const auto both = time + " · " + longest;
        if (!longest.empty() && columns_of(both) <= k_end_columns)
            return line(style_.dim(both));
        line(style_.dim(time));
        if (!longest.empty())
            line(style_.dim("  " + longest));
    }

    const runner::RunSummary& run_;
    const EndNotes& notes_;
    const View::Tail& tail_;
    const Style& style_;
    const runner::StepSummary* first_failed_ = nullptr;
    const runner::StepSummary* failed_service_ = nullptr;
    std::string text_;
};

} // namespace

void EndNotes::add(const runner::RunEvent& event)
{
    using Kind = runner::RunEvent::Kind;
    time_.add(event);
    add_reported(reported_, event);
    if (event.kind == Kind::stage_finished && !event.hint.empty())
        hints_[event.stage] = event.hint;
    if (event.kind == Kind::intent && event.object_kind == "container")
        containers_.insert(event.object);
    else if (event.kind == Kind::removed)
        containers_.erase(event.object);
    else if (event.kind == Kind::summary)
        summaries_.push_back({event.stage, event.step, event.message});
}

std::string EndNotes::hint_for(const std::string& stage) const
{
    const auto found = hints_.find(stage);
    return found == hints_.end() ? std::string() : found->second;
}

std::string readable_stage(const std::string& id)
{
    const auto bracket = id.find('[');
    auto text = id;
    if (bracket != std::string::npos && bracket > 0)
        text.insert(bracket, " ");
    return terminal_safe(text);
}

std::string render_end(const runner::RunSummary& summary, const EndNotes& notes, const View::Tail& tail, const Style& style,
                       EndDetail detail)
{
    return EndText(summary, notes, tail, style).render(detail);
}

} // namespace gantry::app
