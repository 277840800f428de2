#pragma once

#include "app/view/style.hpp"
#include "app/view/views.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gantry::app {

// What the live view shows of a run now: a model that events and output change, and its drawing. No I/O.
class Picture {
public:
    using Time = Clock::time_point;

    explicit Picture(const Style& style) : style_(style) {}

    void begin(const pipeline::Plan& plan);
    void on_event(const runner::RunEvent& event, Time now);
    void on_output(const runner::StepKey& step, std::string_view bytes);
    void on_pull(const engine::PullProgress& progress);
    void on_waiting(const std::string& what) { waits_for_ = what; }

    // Stages that have ended since the last call and what was said meanwhile: to be printed once, above. Whole lines.
    std::string take_finished(int columns);
    // The rest, at most `size.rows` - 1 lines of `size.columns` columns.
    std::vector<std::string> draw(TerminalSize size, Time now) const;

private:
    struct Step {
        runner::StepSummary told; // its last event
        Time begun{};
        std::string recent; // end of its output
        std::string border; // last bytes of the piece before, for marks that are cut
        std::string group;  // ::group:: that is open
        std::string last_title; // of the last one, open or closed
    };
    struct Stage {
        std::string id;
        std::vector<std::string> needs;
        std::vector<Step> steps;
        std::map<std::string, Step> built;   // services that do not run yet, by what the builder of their image says
        std::map<std::string, Time> awaited; // services that run and are not ready yet, since when
        runner::State state = runner::State::pending;
        Time begun{};
        bool is_over = false;
    };
    // What goes above the picture: a stage that has ended, or else a line.
    struct Above {
        std::optional<runner::StageSummary> stage;
        std::string line;
    };
    struct Row {
        int rank; // rows of a high rank go first where there is not enough room
        std::string text;
    };

    Stage* find_stage(const std::string& id);
    Step* find_step(const std::string& stage, const std::string& step);
    Step* find_speaker(const runner::StepKey& key);
    void end_stage(const runner::RunEvent& event);
    void say(const std::string& line) { above_.push_back({std::nullopt, line}); }
    void draw_stage(std::vector<Row>& rows, const Stage& stage, int columns, Time now) const;
    void draw_step(std::vector<Row>& rows, const Step& step, int columns, Time now) const;
    void draw_output(std::vector<Row>& rows, const Step& step, int columns) const;
    void draw_waiting(std::vector<Row>& rows, int columns) const;
    std::string why_waits(const Stage& stage) const;

    Style style_;
    std::vector<Stage> stages_;
    std::vector<Above> above_; // not printed yet
    std::map<std::string, engine::PullProgress> pulls_;
    std::string waits_for_;
};

} // namespace gantry::app
