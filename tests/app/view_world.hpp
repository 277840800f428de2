#pragma once

#include "app/view/views.hpp"
#include "support/manual_clock.hpp"

#include <string>
#include <utility>
#include <vector>

namespace gantry::test {

class StringOutput final : public app::Output {
public:
    void write(std::string_view bytes) override
    {
        text += bytes;
        ++writes;
    }
    std::string text;
    int writes = 0;
};

// A view's surroundings as strings, and a run that a test tells it.
struct ViewFixture {
    StringOutput out, err;
    ManualClock clock;
    app::TerminalSize size;
    app::ViewWorld world{out, err, clock, [this] { return size; }};
    pipeline::Plan plan = make_plan();
    std::vector<runner::RunEvent> events;

    static pipeline::PlanStage stage(const std::string& id, std::vector<std::string> needs, const std::vector<std::string>& steps)
    {
        pipeline::PlanStage stage;
        stage.id = id;
        stage.name = id;
        stage.needs = std::move(needs);
        for (const auto& name : steps) {
            stage.steps.emplace_back();
            stage.steps.back().id = name;
        }
        return stage;
    }

    static pipeline::Plan make_plan()
    {
        pipeline::Plan plan;
        plan.pipeline = "shop";
        plan.stages = {stage("build", {}, {"configure", "compile"}), stage("test[gcc=13]", {"build"}, {"unit"}),
                       stage("image", {"test[gcc=13]"}, {"unit", "push"})};
        return plan;
    }

    runner::RunEvent& tell(app::View& view, runner::RunEvent event)
    {
        event.time = clock.wall();
        events.push_back(event);
        view.on_event(event);
        return events.back();
    }

    static runner::RunEvent event(runner::RunEvent::Kind kind, const std::string& stage = "", const std::string& step = "")
    {
        runner::RunEvent event;
        event.kind = kind;
        event.stage = stage;
        event.step = step;
        return event;
    }

    static runner::RunEvent ended(const std::string& stage, const std::string& step, runner::Cause cause, std::chrono::milliseconds command)
    {
        auto one = event(runner::RunEvent::Kind::step_finished, stage, step);
        one.attempt = 1;
        one.cause = cause;
        one.state = runner::state_of(cause);
        one.duration = command;
        one.timings.command = command;
        return one;
    }

    runner::RunSummary summary() const { return runner::summarize("17", plan, events); }
};

} // namespace gantry::test
