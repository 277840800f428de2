#include "pipeline/graph_text.hpp"

#include "base/columns.hpp"
#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::pipeline {

namespace {

// Stages by the length of the longest way from the start, each level in the order of the plan.
std::vector<std::vector<const PlanStage*>> levels_of(const Plan& plan)
{
    std::vector<std::vector<const PlanStage*>> levels;
    std::unordered_map<std::string_view, std::size_t> level_of;
    for (const auto& stage : plan.stages) {
        std::size_t level = 0;
        for (const auto& need : stage.needs)
            if (const auto found = level_of.find(need); found != level_of.end())
                level = std::max(level, found->second + 1);
        level_of.emplace(stage.id, level);
        if (levels.size() <= level)
            levels.resize(level + 1);
        levels[level].push_back(&stage);
    }
    return levels;
}

// Whether the stages of a level need exactly all of the level above, which the picture then says by itself.
bool needs_all_of(const PlanStage& stage, const std::vector<const PlanStage*>* above)
{
    if (!above)
        return stage.needs.empty();
    return stage.needs.size() == above->size() &&
           std::all_of(above->begin(), above->end(), [&](const PlanStage* one) {
               return std::find(stage.needs.begin(), stage.needs.end(), one->id) != stage.needs.end();
           });
}

std::string text_line(const PlanStage& stage, std::string_view lead, int title_columns, const std::string& needs)
{
    auto line = std::string(lead) + pad(title_of(stage), title_columns);
    const auto tail = needs.empty() ? std::string() : "  ← " + needs;
    const auto left = k_columns - (columns_of(line) + 2 + columns_of(tail));
    auto steps = stage.skip_reason ? "skipped: " + terminal_safe(*stage.skip_reason) : steps_of(stage);
    line += "  " + fit(steps, std::max(left, 12)) + tail;
    line = fit(line, k_columns);
    line.erase(line.find_last_not_of(' ') + 1);
    return line + "\n";
}

std::string dot_quoted(std::string_view text)
{
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            result += '\\';
        result += c;
    }
    return result + "\"";
}

// Mermaid reads entities with a '#' in place of the '&'; these cover its quotes, tags and its own escape.
std::string mermaid_safe(std::string_view text)
{
    std::string result;
    for (const char c : text) {
        if (std::string_view("\"#<>&`;").find(c) != std::string_view::npos)
            result += fmt::format("#{};", static_cast<int>(c));
        else
            result += c;
    }
    return result;
}

// One line for a node: what runs in turn, no longer than a node may be wide.
std::string node_steps(const PlanStage& stage) { return fit(steps_of(stage), 60); }

} // namespace

std::string render_graph_text(const Plan& plan)
{
    if (plan.skip_reason)
        return fmt::format("nothing runs: {}\n", terminal_safe(*plan.skip_reason));
    const NeedsText names(plan);
    int title_columns = 0;
    for (const auto& stage : plan.stages)
        title_columns = std::max(title_columns, columns_of(title_of(stage)));
    title_columns = std::min(title_columns, 36);
    std::string result;
    const std::vector<const PlanStage*>* above = nullptr;
    const auto levels = levels_of(plan);
    for (const auto& level : levels) {
        if (above)
            result += "│\n";
        for (const auto* stage : level) {
            const auto lead = level.size() == 1 ? "● " : "├─● ";
            const auto needs = needs_all_of(*stage, above) ? std::string() : join(names.needs_of(*stage), ", ");
            result += text_line(*stage, lead, title_columns + (level.size() == 1 ? 2 : 0), needs);
        }
        above = &level;
    }
    return result;
}

std::string render_graph_dot(const Plan& plan)
{
    std::string result = fmt::format("digraph {} {{\n"
                                     "  rankdir=LR;\n"
                                     "  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n",
                                     dot_quoted(terminal_safe(plan.pipeline)));
    std::unordered_map<std::string_view, std::size_t> numbers;
    for (const auto& stage : plan.stages) {
        const auto number = numbers.size();
        numbers.emplace(stage.id, number);
        auto label = dot_quoted(title_of(stage) + "\n" + node_steps(stage));
        label.replace(label.find('\n'), 1, "\\n");
        result += fmt::format("  s{} [label={}{}];\n", number, label,
                              stage.skip_reason ? ", style=\"rounded,dashed\", color=gray" : "");
    }
    for (const auto& stage : plan.stages)
        for (const auto& need : stage.needs)
            if (const auto from = numbers.find(need); from != numbers.end())
                result += fmt::format("  s{} -> s{};\n", from->second, numbers.at(stage.id));
    return result + "}\n";
}

std::string render_graph_mermaid(const Plan& plan)
{
    std::string result = "flowchart LR\n";
    std::unordered_map<std::string_view, std::size_t> numbers;
    bool any_skipped = false;
    for (const auto& stage : plan.stages) {
        const auto number = numbers.size();
        numbers.emplace(stage.id, number);
        any_skipped = any_skipped || stage.skip_reason;
        result += fmt::format("  s{}[\"{}<br/>{}\"]{}\n", number, mermaid_safe(title_of(stage)),
                              mermaid_safe(node_steps(stage)), stage.skip_reason ? ":::skipped" : "");
    }
    for (const auto& stage : plan.stages)
        for (const auto& need : stage.needs)
            if (const auto from = numbers.find(need); from != numbers.end())
                result += fmt::format("  s{} --> s{}\n", from->second, numbers.at(stage.id));
    if (any_skipped)
        result += "  classDef skipped stroke-dasharray: 4 4, color: gray\n";
    return result;
}

} // namespace gantry::pipeline
