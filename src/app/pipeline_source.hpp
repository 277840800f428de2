#pragma once

#include "pipeline/definition.hpp"
#include "pipeline/event.hpp"
#include "pipeline/plan.hpp"
#include "runner/snapshot.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace gantry::app {

// What `run`, `plan` and `graph` are told about the source and the event that they play.
struct SourceFlags {
    std::string path = ".";
    std::string file;             // -f: relative to the repository, or to where we are
    bool committed = false;       // --no-dirty: the commit alone
    std::string rev;
    std::string event;            // empty: manual
    std::string branch, tag, base;
    std::vector<std::string> inputs, env, stages, steps, matrix; // k=v, names
    std::string command = "run";  // whose flags they are, for hints
};
void add_source_flags(CLI::App& command, SourceFlags& flags);

// The file and everything around it, read and understood as far as it goes.
struct LoadedPipeline {
    std::string file;             // relative to the root
    runner::SourceInfo source;
    runner::SourceOptions snapshot; // how to take the files, for the same flags
    pipeline::Parsed parsed;
};
// Finds .gantry.yml, or the only file of .gantry/. Throws not_found (with what to do) when there is none, bad_input when -f
// has to choose.
LoadedPipeline load_pipeline(const SourceFlags& flags);
// The flags as they are, or where several files of .gantry/ are meant once for each.
std::vector<SourceFlags> each_pipeline(const SourceFlags& flags);
// The folder that `gantry run PATH` runs and keeps caches for: the repository around it, or a folder with a pipeline of its own.
// Absolute, without a final slash. Of a path where no folder is (any more), that path.
std::string folder_of_runs(const std::string& path);

// Facts of the repository and the flags. Throws bad_input for flags that cannot be.
pipeline::Event event_of(const SourceFlags& flags, const runner::SourceInfo& source);
pipeline::PlanOptions plan_options_of(const SourceFlags& flags, const LoadedPipeline& loaded);

// "k=v" pairs. Throws bad_input, naming the flag.
std::vector<std::pair<std::string, std::string>> parse_pairs(const std::string& flag, const std::vector<std::string>& texts);

} // namespace gantry::app
