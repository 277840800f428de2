#include "pipeline/graph_text.hpp"

#include "base/columns.hpp"
#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace gantry::pipeline {

std::string title_of(const PlanStage& stage)
{
    const bool is_row = stage.id.size() > stage.name.size() && stage.id.starts_with(stage.name);
    return terminal_safe(is_row ? stage.name + " " + stage.id.substr(stage.name.size()) : stage.id);
}

std::string pad(std::string_view text, int columns)
{
    auto result = fit(text, columns);
    result.append(static_cast<std::size_t>(std::max(columns - columns_of(result), 0)), ' ');
    return result;
}

std::string steps_of(const PlanStage& stage)
{
    std::string result;
    const PlanStep* before = nullptr;
    for (const auto& step : stage.steps) {
        if (before)
            result += before->group == step.group ? " ∥ " : " › ";
        result += terminal_safe(step.id);
        before = &step;
    }
    return result;
}

NeedsText::NeedsText(const Plan& plan)
{
    for (const auto& stage : plan.stages) {
        by_id_.emplace(stage.id, &stage);
        ++rows_[stage.name];
    }
}

const PlanStage* NeedsText::find(const std::string& id) const
{
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
}

std::vector<std::string> NeedsText::needs_of(const PlanStage& stage) const
{
    std::unordered_map<std::string_view, std::size_t> needed;
    for (const auto& id : stage.needs)
        if (const auto* need = find(id))
            ++needed[need->name];
    std::vector<std::string> result;
    std::unordered_set<std::string_view> told;
    for (const auto& id : stage.needs) {
        const auto* need = find(id);
        if (!need)
            continue;
        const auto rows = rows_.at(need->name);
        if (rows == 1 || needed[need->name] < rows)
            result.push_back(title_of(*need));
        else if (told.insert(need->name).second)
            result.push_back(fmt::format("{} ({} rows)", terminal_safe(need->name), rows));
    }
    return result;
}

} // namespace gantry::pipeline
