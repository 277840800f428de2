#include "runner/dockerfile.hpp"

#include "base/format.hpp"

#include <string>

namespace gantry::runner {

namespace {

// "# escape=`", which only counts above everything else.
bool is_directive(std::string_view line, char& escape)
{
    if (!line.starts_with('#'))
        return false;
    const auto words = split(trim(line.substr(1)), '=');
    if (words.size() != 2)
        return false;
    const auto key = to_lower(trim(words[0]));
    const auto value = trim(words[1]);
    if (key == "escape" && value.size() == 1)
        escape = value.front();
    return key == "escape" || key == "syntax" || key == "check";
}

} // namespace

std::vector<int> instruction_lines(std::string_view dockerfile)
{
    std::vector<int> lines;
    char escape = '\\';
    bool may_direct = true, continued = false;
    int number = 0;
    for (const auto& raw : split(dockerfile, '\n')) {
        ++number;
        const auto line = trim(raw);
        may_direct = may_direct && is_directive(line, escape);
        if (line.empty() || line.front() == '#') // also between continued lines
            continue;
        if (!continued)
            lines.push_back(number);
        continued = line.back() == escape;
    }
    return lines;
}

} // namespace gantry::runner
