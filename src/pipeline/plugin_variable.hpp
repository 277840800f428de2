#pragma once

#include <string>

namespace gantry::pipeline {

// The name in capitals, with '_' for '-' and '.', behind "PLUGIN_": as Drone and Woodpecker name a plugin's settings.
std::string plugin_variable(const std::string& setting);

} // namespace gantry::pipeline
