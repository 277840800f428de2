#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace gantry::app {

// What completion and the man page know of a command.
enum class Words { none, runs, engines, files, folders, given };
struct CliOption {
    std::vector<std::string> names; // "-f", "--file"; one bare word for a positional
    std::string value;              // "FILE"; empty for a flag
    std::string description;        // in one line
    Words words = Words::none;      // what can stand for the value
    std::vector<std::string> given; // for Words::given
    bool positional = false;
    bool required = false;
    bool many = false; // it may be repeated
};
struct CliCommand {
    std::string name, description, footer;
    std::vector<CliOption> options;
    std::vector<CliCommand> commands;
};
CliCommand cli_tree(const CLI::App& app);

// The engines there are, for Words::engines.
std::vector<std::string> engine_names();

} // namespace gantry::app
