#pragma once

#include "app/context.hpp"
#include "pipeline/checks.hpp"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace gantry::app {

// The tables of what there is. Something new is a file and a row here.

struct CommandRow {
    const char* name;
    // Adds a subcommand, whose callback sets context.action.
    void (*add)(CLI::App& app, Context& context);
};
std::span<const CommandRow> commands();

struct EngineRow {
    const char* name;
    const char* description;
    std::unique_ptr<engine::Engine> (*make)(Context& context);
    // What it can honour, for `gantry check` (names as in pipeline/checks.hpp).
    std::vector<std::string> features;
};
std::span<const EngineRow> engines();
// Throws bad_input with the names that there are.
const EngineRow& engine_row(const std::string& name);
pipeline::Capabilities capabilities_of(const EngineRow& row);
// What names the engine at an endpoint of EngineInfo on the command line: "--engine-host tcp://build:2376".
std::string flag_of_endpoint(const std::string& endpoint);

} // namespace gantry::app
