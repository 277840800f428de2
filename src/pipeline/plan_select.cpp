#include "pipeline/plan_select.hpp"

#include "pipeline/checks_internal.hpp"
#include "pipeline/matrix.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace gantry::pipeline {

namespace {

// All values that the rows have for a key.
std::vector<std::string> values_of(const std::vector<PlanUnit>& units, const std::string& key)
{
    std::set<std::string> values;
    for (const auto& unit : units)
        if (const auto* value = find_value(unit.row, key))
            values.insert(*value);
    return {values.begin(), values.end()};
}

std::vector<std::string> keys_of(const std::vector<PlanUnit>& units)
{
    std::set<std::string> keys;
    for (const auto& unit : units)
        for (const auto& pair : unit.row)
            keys.insert(pair.first);
    return {keys.begin(), keys.end()};
}

// "a=1, b=2"
std::string words_of(const std::vector<std::pair<std::string, std::string>>& pairs)
{
    std::vector<std::string> words;
    for (const auto& [key, value] : pairs)
        words.push_back(terminal_safe(key) + "=" + terminal_safe(value));
    return join(words, ", ");
}

class Selector {
public:
    Selector(const Definition& definition, const std::vector<PlanUnit>& units, const std::vector<bool>& matching,
             const PlanOptions& options, Diagnostics& problems)
        : definition_(definition), units_(units), matching_(matching), options_(options), problems_(problems)
    {
        result_.units.assign(units.size(), false);
    }

    Selection select()
    {
        if (options_.only_stages.empty() && options_.only_steps.empty())
            targets_ = all_matching();
        for (const auto& name : options_.only_stages)
            add_stage(name);
        if (!options_.only_steps.empty())
            add_steps();
        add_needs();
        return std::move(result_);
    }

private:
    void report(std::string message, std::string hint)
    {
        problems_.push_back(error_at({}, "unknown-name", std::move(message), "", std::move(hint)));
    }

    // Of a stage's name or one row's id.
    std::vector<std::size_t> units_called(std::string_view name) const
    {
        std::vector<std::size_t> found;
        for (std::size_t i = 0; i < units_.size(); ++i)
            if (units_[i].id == name || definition_.stages[units_[i].stage].name == name)
                found.push_back(i);
        return found;
    }

    std::vector<std::string> stage_names() const
    {
        std::vector<std::string> names;
        for (const auto& stage : definition_.stages)
            names.push_back(stage.name);
        return names;
    }

    void add_stage(const std::string& name)
    {
        const auto found = units_called(name);
        if (found.empty())
            report(fmt::format("there is no stage '{}'", terminal_safe(name)), hint_from(name, stage_names()));
        const auto before = targets_.size();
        std::copy_if(found.begin(), found.end(), std::back_inserter(targets_), [&](std::size_t unit) { return matching_[unit]; });
        if (!found.empty() && targets_.size() == before)
            report(fmt::format("'{}' has no row with {}", terminal_safe(name), words_of(options_.matrix)), "leave out --matrix, or the stage");
    }

    void add_steps()
    {
        // With both options, steps are looked for in the given stages only.
        auto where = options_.only_stages.empty() ? all_matching() : std::move(targets_);
        targets_.clear();
        for (const auto& name : options_.only_steps)
            add_step(name, where);
    }

    std::vector<std::size_t> all_matching() const
    {
        std::vector<std::size_t> all;
        for (std::size_t i = 0; i < units_.size(); ++i)
            if (matching_[i])
                all.push_back(i);
        return all;
    }

    void add_step(const std::string& name, const std::vector<std::size_t>& where)
    {
        const auto slash = name.rfind('/');
        if (slash == std::string::npos)
            return add_step_of(name, where, name);
        const auto called = units_called(std::string_view(name).substr(0, slash));
        std::vector<std::size_t> both;
        std::copy_if(where.begin(), where.end(), std::back_inserter(both),
                     [&](std::size_t unit) { return std::binary_search(called.begin(), called.end(), unit); });
        add_step_of(name.substr(slash + 1), both, name);
    }

    void add_step_of(const std::string& id, const std::vector<std::size_t>& where, const std::string& as_given)
    {
        std::vector<std::string> candidates, full_names;
        std::vector<std::size_t> found;
        std::set<std::size_t> stages;
        for (const auto unit : where) {
            const auto stage = units_[unit].stage;
            const auto& placed = placed_of(stage);
            const auto step = std::find_if(placed.begin(), placed.end(), [&](const auto& one) { return one.id == id; });
            if (step == placed.end()) {
                for (const auto& other : placed)
                    if (candidates.size() < 1000)
                        candidates.push_back(other.id);
                continue;
            }
            found.push_back(unit);
            if (stages.insert(stage).second)
                full_names.push_back(definition_.stages[stage].name + "/" + id);
        }
        if (found.empty())
            return report(fmt::format("there is no step '{}'", terminal_safe(as_given)), hint_from(id, candidates));
        if (stages.size() > 1)
            return report(fmt::format("'{}' is a step of several stages", terminal_safe(id)),
                          "say which: " + join(full_names, ", "));
        targets_.insert(targets_.end(), found.begin(), found.end());
        keep_step(*stages.begin(), id);
    }

    const std::vector<PlacedStep>& placed_of(std::size_t stage)
    {
        auto& placed = placed_[stage];
        if (placed.empty())
            placed = placed_steps(definition_.stages[stage]);
        return placed;
    }

    void keep_step(std::size_t stage, const std::string& id)
    {
        const auto& placed = placed_of(stage);
        const auto step = std::find_if(placed.begin(), placed.end(), [&](const auto& one) { return one.id == id; });
        const bool is_first = !result_.steps.contains(stage);
        auto& steps = result_.steps[stage];
        if (step->in_finally) {
            steps.all_groups = true;
        } else if (is_first || step->group > steps.last_group) {
            steps.last_group = step->group;
            steps.of_last_group = {id};
        } else if (step->group == steps.last_group) {
            steps.of_last_group.insert(id);
        }
    }

    void add_needs()
    {
        std::vector<std::size_t> open;
        for (const auto target : targets_) {
            result_.units[target] = true;
            open.push_back(target);
        }
        while (!open.empty()) {
            const auto unit = open.back();
            open.pop_back();
            for (const auto need : units_[unit].needs) {
                result_.steps.erase(units_[need].stage); // what others build on runs as a whole
                if (result_.units[need])
                    continue;
                result_.units[need] = true;
                open.push_back(need);
            }
        }
    }

    const Definition& definition_;
    const std::vector<PlanUnit>& units_;
    const std::vector<bool>& matching_;
    const PlanOptions& options_;
    Diagnostics& problems_;
    std::vector<std::size_t> targets_;
    std::unordered_map<std::size_t, std::vector<PlacedStep>> placed_;
    Selection result_;
};

} // namespace

std::vector<bool> matching_rows(const std::vector<PlanUnit>& units, const PlanOptions& options, Diagnostics& problems)
{
    const std::vector<bool> all(units.size(), true);
    const auto refuse = [&](std::string message, std::string hint) {
        problems.push_back(error_at({}, "unknown-name", std::move(message), "", std::move(hint)));
        return all;
    };
    std::map<std::string, std::set<std::string>> wanted;
    for (const auto& [key, value] : options.matrix) {
        const auto values = values_of(units, key);
        if (values.empty())
            return refuse(fmt::format("no matrix has '{}'", terminal_safe(key)), hint_from(key, keys_of(units)));
        if (std::find(values.begin(), values.end(), value) == values.end())
            return refuse(fmt::format("no row has {}={}", terminal_safe(key), terminal_safe(value)), hint_from(value, values));
        wanted[key].insert(value);
    }
    if (wanted.empty())
        return all;
    std::set<std::pair<std::size_t, std::string>> known; // stages, and the keys of their rows
    for (const auto& unit : units)
        for (const auto& pair : unit.row)
            known.emplace(unit.stage, pair.first);
    auto matching = all;
    std::set<std::string> met; // keys that a matching row has
    for (std::size_t i = 0; i < units.size(); ++i) {
        for (const auto& [key, values] : wanted) {
            const auto* own = find_value(units[i].row, key);
            if (known.contains({units[i].stage, key}))
                matching[i] = matching[i] && own && values.contains(*own);
        }
        for (const auto& pair : units[i].row)
            if (matching[i] && wanted.contains(pair.first))
                met.insert(pair.first);
    }
    return met.size() == wanted.size() ? matching : refuse("no row has " + words_of(options.matrix), "each is in some row, all of them are in none");
}

bool Selection::has(std::size_t stage, const PlacedStep& step) const
{
    const auto found = steps.find(stage);
    if (found == steps.end() || step.in_finally || found->second.all_groups)
        return true;
    const auto& kept = found->second;
    return step.group < kept.last_group || (step.group == kept.last_group && kept.of_last_group.contains(step.id));
}

Selection select(const Definition& definition, const std::vector<PlanUnit>& units, const std::vector<bool>& matching,
                 const PlanOptions& options, Diagnostics& problems)
{
    return Selector(definition, units, matching, options, problems).select();
}

std::vector<std::size_t> in_order(const std::vector<PlanUnit>& units, const std::vector<bool>& selected)
{
    std::vector<std::vector<std::size_t>> followers(units.size());
    std::vector<std::size_t> waiting(units.size(), 0), rank(units.size(), 0), open, order;
    for (std::size_t i = 0; i < units.size(); ++i) {
        for (const auto need : units[i].needs) {
            followers[need].push_back(i);
            ++waiting[i];
        }
        if (waiting[i] == 0)
            open.push_back(i);
    }
    while (!open.empty()) {
        const auto unit = open.back();
        open.pop_back();
        if (selected[unit])
            order.push_back(unit);
        for (const auto follower : followers[unit]) {
            rank[follower] = std::max(rank[follower], rank[unit] + 1);
            if (--waiting[follower] == 0)
                open.push_back(follower);
        }
    }
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return rank[a] != rank[b] ? rank[a] < rank[b] : a < b;
    });
    return order;
}

} // namespace gantry::pipeline
