#pragma once

#include "runner/saved_layers.hpp"
#include "runner/schedule.hpp"
#include "runner/store.hpp"

#include <map>
#include <string>

// What `resume` and `rerun --failed` take over from an earlier process or run.

namespace gantry::runner {

enum class Wanted {
    what_stages_build_on,
    all_changes, // of each stage: for --in-place
};

// Stages that passed, with what their steps said. One whose files are wanted is kept only if `files` has them, and those of all
// stages that it was stacked on.
std::map<std::string, ScheduleOptions::Kept> kept_stages(const pipeline::Plan& plan, const RunSummary& summary,
                                                         const std::map<std::string, SavedLayer>& files,
                                                         Wanted wanted = Wanted::what_stages_build_on);

// ScheduleOptions::resumed: a process may die before it has told of the run's start.
bool has_begun(const RunSummary& summary);

// ScheduleOptions::attempts.
std::map<std::string, std::map<std::string, int>> attempts_of(const RunSummary& summary);

} // namespace gantry::runner
