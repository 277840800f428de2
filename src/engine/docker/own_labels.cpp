#include "engine/docker/own_labels.hpp"

#include "base/format.hpp"

#include <set>
#include <string>
#include <string_view>

namespace gantry::engine::docker {

namespace {

// The name in "/bin/sh -c #(nop)  LABEL name=value"; empty for any other instruction.
std::string label_set_by(std::string_view instruction)
{
    constexpr std::string_view k_shell = "/bin/sh -c #(nop)", k_label = "LABEL ";
    if (instruction.starts_with(k_shell))
        instruction = trim(instruction.substr(k_shell.size()));
    if (!instruction.starts_with(k_label))
        return {};
    instruction = trim(instruction.substr(k_label.size()));
    return std::string(instruction.substr(0, instruction.find('=')));
}

// A build sets the labels that it is asked for at its end, each by an instruction of its own.
std::set<std::string> set_at_the_end(const Json& history)
{
    std::set<std::string> names;
    for (const auto& entry : items_of(history)) { // the newest comes first
        const auto name = label_set_by(text_field(entry, "CreatedBy"));
        if (name.empty())
            break;
        names.insert(name);
    }
    return names;
}

} // namespace

Labels own_labels(const Labels& labels, const Json& history, const std::optional<Labels>& base)
{
    const bool has_no_base = items_of(history).size() == 1;
    const auto at_the_end = set_at_the_end(history);
    Labels own;
    for (const auto& [name, value] : labels) {
        bool differs = false;
        if (base) {
            const auto found = base->find(name);
            differs = found == base->end() || found->second != value;
        }
        if (has_no_base || differs || at_the_end.contains(name))
            own.emplace(name, value);
    }
    return own;
}

} // namespace gantry::engine::docker
