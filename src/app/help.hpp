#pragma once

#include <string>

namespace CLI {
class App;
}

namespace gantry::app {

// The help of a command, or of the program: no line is wider than 80 columns but for what its examples say.
std::string help_text(const CLI::App& command);

// "gantry image save", for texts that name the command.
std::string command_path(const CLI::App& command);

} // namespace gantry::app
