#pragma once

#include "app/context.hpp"

#include <string>
#include <vector>

namespace gantry::app {

// gantry image save and load: archives as docker has them, to and from files and pipes ("-").

// The file appears whole or not at all. Throws bad_input for a terminal in the place of a pipe.
int save_images(Context& context, const std::vector<std::string>& images, const std::string& file);
// Prints what was loaded, a name a line.
int load_images(Context& context, const std::string& file);

} // namespace gantry::app
