#include "pipeline/plan.hpp"

#include "pipeline/checks_internal.hpp"
#include "pipeline/expression_patterns.hpp"
#include "pipeline/matrix.hpp"
#include "pipeline/plan_build.hpp"
#include "pipeline/triggers.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <unordered_map>

namespace gantry::pipeline {

namespace {

constexpr std::size_t k_max_problems = 1000; // enough to work on; rows and steps repeat them

class Planner {
public:
    Planner(const Definition& definition, const Event& event, const PlanOptions& options)
        : definition_(definition), options_(options)
    {
        plan_.event = event;
    }

    Planned make()
    {
        put_header();
        const auto match = match_triggers(definition_.on, plan_.event);
        if (!match.runs && !options_.ignore_triggers) {
            plan_.skip_reason = match.reason;
            return finish();
        }
        problems_ = complete_inputs(definition_.on, plan_.event);
        const auto graph = make_stage_graph(definition_);
        check_stages(definition_, graph, problems_);
        if (has_errors(problems_))
            return finish();
        make_units();
        const auto matching = matching_rows(units_, options_, problems_);
        connect_units(matching);
        const auto selection = select(definition_, units_, matching, options_, problems_);
        if (!has_errors(problems_) && is_small(selection))
            build(selection);
        return finish();
    }

private:
    Planned finish()
    {
        if (has_errors(problems_))
            plan_.stages.clear();
        // What many rows and steps share is wrong once.
        std::set<std::tuple<std::string, std::string, int, int>> seen;
        std::erase_if(problems_, [&](const Diagnostic& problem) {
            return !seen.emplace(problem.message, problem.path, problem.mark.line, problem.mark.column).second;
        });
        sort_by_position(problems_);
        return {std::move(plan_), std::move(problems_)};
    }

    void put_header()
    {
        plan_.pipeline = definition_.name.empty() ? plan_.event.repo : definition_.name;
        plan_.timeout = definition_.timeout;
        plan_.volumes = definition_.volumes;
        plan_.networks = definition_.networks;
    }

    void make_units()
    {
        VariableMerge variables(options_.env);
        for (const auto& [name, value] : definition_.env)
            variables.set(name, value);
        const VariableMerge* env = &variables;
        Patterns patterns(k_max_plan_pattern_work);
        for (std::size_t i = 0; i < definition_.stages.size(); ++i) {
            const auto& stage = definition_.stages[i];
            if (!stage.matrix) {
                units_.push_back({i, {}, stage.name, {}});
                continue;
            }
            PlanStage place;
            place.id = place.name = stage.name;
            auto scope = make_plan_scope(plan_.event, place, options_, &env);
            scope.patterns = &patterns;
            auto rows = matrix_rows(*stage.matrix, scope, fmt::format("stages[{}].matrix", i), problems_);
            const auto ids = row_ids(*stage.matrix, rows);
            for (std::size_t row = 0; row < rows.size(); ++row)
                units_.push_back({i, std::move(rows[row]), fmt::format("{}[{}]", stage.name, ids[row]), {}});
        }
    }

    // Who needs a stage waits for its rows that match, or for all where none does; who needs a row, for that one.
    void connect_units(const std::vector<bool>& matching)
    {
        std::vector<std::vector<std::size_t>> of_stage(definition_.stages.size()), waited_for(definition_.stages.size());
        std::unordered_map<std::string_view, std::size_t> by_id, stage_by_name;
        for (std::size_t i = 0; i < units_.size(); ++i) {
            of_stage[units_[i].stage].push_back(i);
            by_id.emplace(units_[i].id, i);
            if (matching[i])
                waited_for[units_[i].stage].push_back(i);
        }
        for (std::size_t i = 0; i < waited_for.size(); ++i)
            if (waited_for[i].empty())
                waited_for[i] = of_stage[i];
        for (std::size_t i = 0; i < definition_.stages.size(); ++i)
            stage_by_name.emplace(definition_.stages[i].name, i);
        std::vector<std::size_t> needs;
        for (std::size_t i = 0; i < units_.size(); ++i) {
            if (i > 0 && units_[i].stage == units_[i - 1].stage) {
                units_[i].needs = units_[i - 1].needs;
                continue;
            }
            const auto& stage = definition_.stages[units_[i].stage];
            needs.clear();
            if (!stage.needs && units_[i].stage > 0)
                needs = waited_for[units_[i].stage - 1];
            for (const auto& need : stage.needs.value_or(std::vector<Need>())) {
                const auto named = stage_by_name.find(need.stage);
                const auto row = by_id.find(need.stage);
                if (named != stage_by_name.end())
                    needs.insert(needs.end(), waited_for[named->second].begin(), waited_for[named->second].end());
                else if (row != by_id.end())
                    needs.push_back(row->second);
                else
                    refuse_row(stage, need, of_stage);
            }
            std::sort(needs.begin(), needs.end());
            needs.erase(std::unique(needs.begin(), needs.end()), needs.end());
            units_[i].needs = needs;
        }
    }

    void refuse_row(const Stage& stage, const Need& need, const std::vector<std::vector<std::size_t>>& of_stage)
    {
        std::vector<std::string> ids;
        for (const auto& units : of_stage)
            for (const auto unit : units)
                if (definition_.stages[units_[unit].stage].name == stage_name_of(need.stage))
                    ids.push_back(units_[unit].id);
        problems_.push_back(error_at(need.mark.known() ? need.mark : stage.mark, "unknown-stage",
                                     fmt::format("there is no row '{}'", need.stage), "", hint_from(need.stage, ids)));
    }

    // Counted before anything is built: a few lines of a file can ask for millions of steps.
    bool is_small(const Selection& selection)
    {
        std::size_t steps = 0;
        for (std::size_t i = 0; i < units_.size(); ++i) {
            const auto& stage = definition_.stages[units_[i].stage];
            for (const auto* groups : {&stage.steps, &stage.finally_steps})
                for (const auto& group : *groups)
                    steps += selection.units[i] ? group.steps.size() : 0;
        }
        if (steps > k_max_plan_steps)
            problems_.push_back(error_at({0, 1, 1}, "plan-too-large",
                                         fmt::format("the plan has {} steps; {} are the limit", steps, k_max_plan_steps),
                                         ""));
        return steps <= k_max_plan_steps;
    }

    void build(const Selection& selection)
    {
        StageBuilder builder(definition_, plan_.event, options_, problems_);
        plan_.concurrency = builder.concurrency();
        const auto order = in_order(units_, selection.units);
        plan_.stages.reserve(order.size());
        for (const auto unit : order) {
            std::vector<std::string> needs;
            for (const auto need : units_[unit].needs)
                needs.push_back(units_[need].id);
            plan_.stages.push_back(builder.build(units_[unit], std::move(needs), selection));
            if (builder.is_full() || problems_.size() > k_max_problems)
                return;
        }
    }

    const Definition& definition_;
    const PlanOptions& options_;
    Plan plan_;
    Diagnostics problems_;
    std::vector<PlanUnit> units_;
};

} // namespace

Planned make_plan(const Definition& definition, const Event& event, const PlanOptions& options)
{
    return Planner(definition, event, options).make();
}

std::map<std::string, std::string> Plan::secrets() const
{
    std::map<std::string, std::string> wanted;
    for (const auto& stage : stages)
        for (const auto& step : stage.steps) {
            const auto who = stage.id + "/" + step.id;
            for (const auto* list : {&step.secrets, &step.secret_files})
                for (const auto& entry : *list)
                    wanted.emplace(entry.second, who);
            for (const auto& name : step.build ? step.build->secrets : std::vector<std::string>())
                wanted.emplace(name, who);
        }
    return wanted;
}

} // namespace gantry::pipeline
