#pragma once

#include "app/view/style.hpp"
#include "runner/store.hpp"

#include <string>

namespace gantry::app {

// The rows of a run's tree, as the live view and `gantry show` have them. None is wider than `columns`.

std::string stage_row(const Style& style, runner::State state, const std::string& id, const std::string& note,
                      std::chrono::nanoseconds duration, int columns);
// `note` may be empty: attempt, reason, …
std::string step_row(const Style& style, runner::State state, const std::string& name, const std::string& note,
                     std::chrono::nanoseconds duration, int columns);

// What stands beside a step that has ended: the reason, or which attempt it was and what it needed at most.
std::string note_of(const runner::StepSummary& step);

// A stage that has ended, and its steps; with Use::all more lines for each: where all its ports are, what it used.
enum class Use { peak, all };
std::string stage_rows(const Style& style, const runner::StageSummary& stage, int columns, Use use = Use::peak);

} // namespace gantry::app
