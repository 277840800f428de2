#pragma once

#include "app/context.hpp"
#include "pipeline/plan.hpp"
#include "runner/lower.hpp"
#include "runner/saved_layers.hpp"
#include "runner/schedule.hpp"
#include "runner/snapshot.hpp"
#include "runner/store.hpp"

#include <map>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace gantry::app {

// How `run`, `rerun` and `resume` execute a plan.
struct ExecuteFlags {
    int jobs = 0;             // 0: default_jobs()
    std::vector<std::string> secret_files, allow;
    std::string pull = "missing";
    std::string report_junit;
    std::string keep_free;    // empty: as the environment says
    bool keep_failed = false;
    bool in_place = false; // what the stages changed goes into the user's tree
    bool json = false, quiet = false, timestamps = false;
};
void add_execute_flags(CLI::App& command, ExecuteFlags& flags);

// Steps mostly wait for something, so there are more slots than processors.
int default_jobs();
// Throws bad_input for a word that --allow does not know.
runner::Consent consent_of(const ExecuteFlags& flags);

struct ExecuteRequest {
    pipeline::Plan plan;
    runner::SourceOptions snapshot;
    runner::SourceInfo source;
    runner::RunMeta meta;
    ExecuteFlags flags;
    std::map<std::string, runner::ScheduleOptions::Kept> kept; // stages that are not run again
    std::map<std::string, runner::SavedLayer> kept_files;      // of those, where others build on them
    std::map<std::string, std::map<std::string, int>> attempts; // of the process that `resume` goes on from
    std::string resume; // id of an interrupted run to go on with; empty: a new one
    bool resumed = false; // its journal tells already that it started
};

// Removes what dead runs left, executes, shows it, and gives the exit code.
int execute(Context& context, ExecuteRequest request);

} // namespace gantry::app
