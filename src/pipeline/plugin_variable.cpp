#include "pipeline/plugin_variable.hpp"

namespace gantry::pipeline {

std::string plugin_variable(const std::string& setting)
{
    std::string name = "PLUGIN_" + setting;
    for (auto& c : name)
        if (c >= 'a' && c <= 'z')
            c = static_cast<char>(c - 'a' + 'A');
        else if (c == '-' || c == '.')
            c = '_';
    return name;
}

} // namespace gantry::pipeline
