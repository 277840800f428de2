#pragma once

#include <string>

namespace CLI {
class App;
}

namespace gantry::app {

// Made from the tree of commands that parses the arguments, so that they know what it knows.
std::string bash_completion(const CLI::App& app);
std::string zsh_completion(const CLI::App& app);
std::string fish_completion(const CLI::App& app);
// roff for man(7).
std::string man_page(const CLI::App& app);

} // namespace gantry::app
