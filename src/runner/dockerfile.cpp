#include "runner/dockerfile.hpp"

#include "base/format.hpp"

#include <algorithm>
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

struct Instruction {
    int line = 0;
    std::string word; // the first, in lower case
};

std::vector<Instruction> instructions_of(std::string_view dockerfile)
{
    std::vector<Instruction> instructions;
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
            instructions.push_back({number, to_lower(line.substr(0, line.find_first_of(" \t")))});
        continued = line.back() == escape;
    }
    return instructions;
}

} // namespace

std::vector<int> instruction_lines(std::string_view dockerfile)
{
    std::vector<int> lines;
    for (const auto& instruction : instructions_of(dockerfile))
        lines.push_back(instruction.line);
    return lines;
}

std::optional<int> line_of_arguments_alone(std::string_view dockerfile)
{
    const auto instructions = instructions_of(dockerfile);
    const auto is_argument = [](const Instruction& instruction) { return instruction.word == "arg"; };
    if (instructions.empty() || !std::all_of(instructions.begin(), instructions.end(), is_argument))
        return std::nullopt;
    return instructions.front().line;
}

} // namespace gantry::runner
