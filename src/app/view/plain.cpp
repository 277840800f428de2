#include "app/view/views.hpp"

#include "app/view/end_text.hpp"
#include "app/view/lines.hpp"
#include "app/view/outcome.hpp"
#include "base/format.hpp"
#include "runner/ports.hpp"

#include <array>
#include <map>
#include <set>

namespace gantry::app {

using runner::RunEvent;
using runner::State;
using Kind = RunEvent::Kind;

namespace {

class PlainView final : public View {
public:
    PlainView(const ViewOptions& options, const ViewWorld& world)
        : options_(options), world_(world), out_(world.out), style_{options.colours, options.unicode}
    {
    }

    ~PlainView() override { out_.flush(); }

    void begin(const pipeline::Plan&, const std::string& run_id, const std::string& header) override
    {
        run_id_ = run_id;
        if (!options_.quiet)
            world_.err.write(style_.shown(terminal_safe(header)) + "\n");
    }

    void on_event(const RunEvent& event) override
    {
        notes_.add(event);
        if (event.kind == Kind::step_finished || event.kind == Kind::step_retry)
            finish_lines({event.stage, event.step, 0});
        const auto text = text_of(event);
        if (!text.empty() && (!options_.quiet || event.kind == Kind::warning || event.kind == Kind::cancel_requested))
            say(text);
    }

    void on_output(const runner::StepKey& step, engine::Stream stream, std::string_view bytes) override
    {
        if (options_.quiet)
            return;
        auto& lines = lines_of(step);
        lines.cutters[stream == engine::Stream::err ? 1 : 0].feed(bytes, [&](std::string_view line) { put(lines.prefix, line); });
        if (world_.clock.now() - flushed_ > k_flush_interval)
            tick();
    }

    void on_waiting(const std::string& what) override
    {
        if (!what.empty() && !options_.quiet)
            say("waits: " + terminal_safe(what));
    }

    void tick() override
    {
        out_.flush();
        flushed_ = world_.clock.now();
    }

    bool is_live() const override { return true; }

    void end(const runner::RunSummary& summary, const Tail& tail) override
    {
        for (auto& [key, lines] : lines_)
            finish(lines);
        out_.flush();
        world_.err.write(render_end(summary, notes_, tail, style_, options_.quiet ? EndDetail::quiet : EndDetail::all));
    }

private:
    struct Lines {
        std::string prefix; // "build/compile | "
        std::array<LineCutter, 2> cutters;
    };

    // ---- what steps say

    Lines& lines_of(const runner::StepKey& step)
    {
        if (last_ && step.stage == last_key_.stage && step.step == last_key_.step)
            return *last_;
        last_key_ = {step.stage, step.step, 0};
        auto& lines = lines_[last_key_];
        if (lines.prefix.empty())
            lines.prefix = terminal_safe(step.stage + "/" + step.step) + " | ";
        last_ = &lines;
        return lines;
    }

    void put(const std::string& prefix, std::string_view line)
    {
        auto& buffer = out_.buffer();
        if (options_.timestamps) {
            buffer += format_time(world_.clock.wall());
            buffer += ' ';
        }
        buffer += prefix;
        if (options_.safe)
            buffer += terminal_line(line, options_.colours);
        else
            buffer += line;
        buffer += '\n';
        out_.settle();
    }

    void finish(Lines& lines)
    {
        for (auto& cutter : lines.cutters)
            cutter.finish([&](std::string_view line) { put(lines.prefix, line); });
    }

    void finish_lines(const runner::StepKey& step)
    {
        const auto found = lines_.find(step);
        if (found == lines_.end())
            return;
        finish(found->second);
        lines_.erase(found);
        last_ = nullptr;
    }

    // ---- what we say

    void say(const std::string& text)
    {
        tick(); // so that both streams stand in order where they go to one place
        auto line = "gantry: " + text + "\n";
        if (options_.timestamps)
            line.insert(0, format_time(world_.clock.wall()) + " ");
        world_.err.write(style_.shown(std::move(line)));
    }

    // A line for what people wait for or may have to act on; empty for the rest.
    std::string text_of(const RunEvent& event)
    {
        const auto name = terminal_safe(event.stage + "/" + event.step) + " ";
        const auto hint = event.hint.empty() ? "" : " (" + terminal_safe(event.hint) + ")";
        switch (event.kind) {
        case Kind::stage_started: open_stages_.insert(event.stage); return {};
        case Kind::step_started:
            if (const auto ports = runner::describe_ports(event.outputs); !ports.empty())
                return name + "has " + ports;
            return name + (event.attempt > 1 ? "starts, attempt " + std::to_string(event.attempt) : "starts");
        case Kind::step_finished:
            // Of a stage that never began, the stage's own line tells.
            return open_stages_.count(event.stage) ? name + coloured(event.state, outcome_of(step_of(event))) + hint : "";
        case Kind::step_retry:
            return name + "failed: " + reason_of(step_of(event)) + "; attempt " + std::to_string(event.attempt) +
                   (event.duration.count() > 0 ? " in " + format_duration(event.duration) : "");
        case Kind::stage_finished: return text_of_stage(event);
        case Kind::image_ready:
            return event.duration.count() > 0 ? "pulled " + terminal_safe(event.message) + " in " + format_duration(event.duration) : "";
        case Kind::cancel_requested:
            return "cancelling (" + terminal_safe(event.message) + ")" +
                   (event.outputs.contains("at_once") ? " at once: running steps are killed" : ": running steps may end in order");
        case Kind::warning: return style_.yellow("warning: ") + terminal_safe(event.message) + hint;
        case Kind::service_ready: {
            const auto ports = runner::describe_ports(event.outputs);
            return name + "is ready after " + format_duration(event.duration) + (ports.empty() ? "" : "; it has " + ports);
        }
        case Kind::service_health: return name + (event.message == "healthy" ? "is healthy again" : style_.yellow("is " + terminal_safe(event.message)));
        case Kind::cache: return readable_stage(event.stage) + ": cache " + terminal_safe(event.message);
        case Kind::resumed: return "goes on";
        default: return {};
        }
    }

    std::string text_of_stage(const RunEvent& event)
    {
        const bool began = open_stages_.erase(event.stage) > 0;
        const auto name = terminal_safe(event.stage) + " ";
        const auto message = event.message.empty() ? "" : ": " + terminal_safe(event.message);
        if (!began)
            return event.state == State::success ? name + terminal_safe(event.message) : name + verb_of(event.state) + message;
        return event.state == State::error ? name + coloured(event.state, verb_of(event.state) + message) : "";
    }

    std::string coloured(State state, const std::string& text) const
    {
        return state == State::success ? style_.green(text) : went_wrong(state) ? style_.red(text) : text;
    }

    ViewOptions options_;
    ViewWorld world_;
    BufferedOutput out_;
    Style style_;
    EndNotes notes_;
    std::string run_id_;
    std::map<runner::StepKey, Lines> lines_;
    runner::StepKey last_key_;
    Lines* last_ = nullptr;
    std::set<std::string> open_stages_;
    Clock::time_point flushed_{};
};

} // namespace

std::unique_ptr<View> make_plain_view(const ViewOptions& options, const ViewWorld& world)
{
    return std::make_unique<PlainView>(options, world);
}

} // namespace gantry::app
