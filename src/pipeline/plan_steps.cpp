#include "pipeline/plan_steps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <unordered_set>

namespace gantry::pipeline {

namespace {

void add_groups(const std::vector<StepGroup>& groups, bool in_finally, std::vector<PlacedStep>& steps)
{
    const int first = steps.empty() ? 0 : steps.back().group + 1;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const auto& group = groups[i].steps;
        for (std::size_t j = 0; j < group.size(); ++j)
            steps.push_back({&group[j], group[j].name, first + static_cast<int>(i), in_finally, i, j, group.size()});
    }
}

// Tarjan's strongly connected components, without recursion: chains of needs may be long.
class Components {
public:
    explicit Components(const std::vector<std::vector<std::size_t>>& needs)
        : needs_(needs), order_(needs.size(), 0), low_(needs.size(), 0), component_(needs.size(), 0)
    {
        for (std::size_t i = 0; i < needs.size(); ++i)
            if (order_[i] == 0)
                visit(i);
    }

    // Numbers from 1; members of one component share theirs, and what they need has smaller ones.
    const std::vector<std::size_t>& numbers() const { return component_; }

private:
    struct Frame {
        std::size_t node, next;
    };

    void enter(std::size_t node, std::vector<Frame>& frames)
    {
        order_[node] = low_[node] = ++counter_;
        open_.push_back(node);
        frames.push_back({node, 0});
    }

    void visit(std::size_t root)
    {
        std::vector<Frame> frames;
        enter(root, frames);
        while (!frames.empty()) {
            auto& frame = frames.back();
            if (frame.next < needs_[frame.node].size()) {
                const auto need = needs_[frame.node][frame.next++];
                if (order_[need] == 0)
                    enter(need, frames);
                else if (component_[need] == 0)
                    low_[frame.node] = std::min(low_[frame.node], order_[need]);
                continue;
            }
            const auto done = frame.node;
            frames.pop_back();
            if (!frames.empty())
                low_[frames.back().node] = std::min(low_[frames.back().node], low_[done]);
            if (low_[done] == order_[done])
                close(done);
        }
    }

    void close(std::size_t root)
    {
        ++components_;
        for (;;) {
            const auto node = open_.back();
            open_.pop_back();
            component_[node] = components_;
            if (node == root)
                return;
        }
    }

    const std::vector<std::vector<std::size_t>>& needs_;
    std::vector<std::size_t> order_, low_, component_, open_;
    std::size_t counter_ = 0, components_ = 0;
};

} // namespace

std::vector<PlacedStep> placed_steps(const Stage& stage)
{
    std::vector<PlacedStep> steps;
    steps.reserve(stage.steps.size() + stage.finally_steps.size());
    add_groups(stage.steps, false, steps);
    add_groups(stage.finally_steps, true, steps);
    std::unordered_set<std::string_view> names;
    for (const auto& placed : steps)
        names.insert(placed.step->name);
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (!steps[i].id.empty())
            continue;
        steps[i].id = fmt::format("step-{}", i + 1);
        for (int again = 2; names.contains(steps[i].id); ++again)
            steps[i].id = fmt::format("step-{}-{}", i + 1, again);
    }
    return steps;
}

std::string path_of(std::size_t stage, const PlacedStep& placed)
{
    auto path = fmt::format("stages[{}].{}[{}]", stage, placed.in_finally ? "finally" : "steps", placed.group_index);
    return placed.group_size == 1 ? path : path + fmt::format(".parallel[{}]", placed.index);
}

std::string_view stage_name_of(std::string_view need)
{
    return need.ends_with(']') ? need.substr(0, need.find('[')) : need;
}

StageGraph make_stage_graph(const Definition& definition)
{
    StageGraph graph;
    const auto& stages = definition.stages;
    graph.steps.reserve(stages.size());
    for (std::size_t i = 0; i < stages.size(); ++i) {
        graph.by_name.emplace(stages[i].name, i);
        graph.steps.push_back(placed_steps(stages[i]));
    }
    graph.needs.resize(stages.size());
    for (std::size_t i = 0; i < stages.size(); ++i) {
        if (!stages[i].needs) {
            if (i > 0)
                graph.needs[i] = {i - 1};
            continue;
        }
        for (const auto& need : *stages[i].needs) {
            const auto found = graph.by_name.find(stage_name_of(need.stage));
            if (found != graph.by_name.end())
                graph.needs[i].push_back(found->second);
        }
    }
    return graph;
}

AllNeeds::AllNeeds(const std::vector<std::vector<std::size_t>>& needs)
    : part_(Components(needs).numbers()), words_(needs.size() / 64 + 1), rows_((needs.size() + 1) * words_)
{
    std::vector<std::size_t> order(needs.size());
    std::iota(order.begin(), order.end(), std::size_t(0));
    std::ranges::sort(order, {}, [this](std::size_t stage) { return part_[stage]; });
    for (const auto stage : order) {
        auto* row = &rows_[part_[stage] * words_];
        for (const auto need : needs[stage]) {
            const auto part = part_[need];
            row[part / 64] |= std::uint64_t(1) << (part % 64);
            for (std::size_t i = 0; part != part_[stage] && i < words_; ++i)
                row[i] |= rows_[part * words_ + i];
        }
    }
}

bool AllNeeds::has(std::size_t stage, std::size_t needed) const
{
    const auto word = rows_[part_[stage] * words_ + part_[needed] / 64];
    return ((word >> (part_[needed] % 64)) & 1) != 0;
}

std::vector<std::vector<std::size_t>> find_cycles(const std::vector<std::vector<std::size_t>>& needs)
{
    const Components components(needs);
    const auto& number = components.numbers();
    std::vector<std::vector<std::size_t>> cycles;
    std::vector<bool> reported(needs.size() + 1, false);
    std::vector<std::size_t> seen_at(needs.size(), 0);
    for (std::size_t start = 0; start < needs.size(); ++start) {
        if (reported[number[start]])
            continue;
        // Inside one component a need that stays in it always exists; following it must come back to a node.
        std::vector<std::size_t> way;
        auto node = start;
        while (seen_at[node] == 0) {
            const auto next = std::find_if(needs[node].begin(), needs[node].end(),
                                           [&](std::size_t need) { return number[need] == number[start]; });
            if (next == needs[node].end())
                break; // alone and not needing itself
            way.push_back(node);
            seen_at[node] = way.size();
            node = *next;
        }
        reported[number[start]] = true;
        if (!way.empty())
            cycles.emplace_back(way.begin() + static_cast<std::ptrdiff_t>(seen_at[node] - 1), way.end());
    }
    return cycles;
}

} // namespace gantry::pipeline
