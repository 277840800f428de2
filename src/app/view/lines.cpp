#include "app/view/lines.hpp"

#include "base/format.hpp"

namespace gantry::app {

std::string terminal_line(std::string_view line, bool colours)
{
    if (line.ends_with('\r'))
        line.remove_suffix(1);
    line.remove_prefix(line.rfind('\r') + 1);
    auto text = terminal_safe(line, colours ? Colours::keep : Colours::strip);
    if (colours && text.find('\x1b') != std::string::npos)
        text += "\x1b[0m";
    return text;
}

} // namespace gantry::app
