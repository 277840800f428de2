#include "runner/stage_layers.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace gantry::runner {

namespace {

constexpr std::uint64_t k_write_back_limit_bytes = std::uint64_t(64) << 30;

} // namespace

StageLayers::StageLayers(const pipeline::Plan& plan, OwnerOf owner_of) : plan_(plan), owner_of_(std::move(owner_of))
{
    for (std::size_t stage = 0; stage < plan.stages.size(); ++stage)
        positions_[plan.stages[stage].id] = static_cast<int>(stage);
}

void StageLayers::opened(int stage, std::optional<StageLayer> layer)
{
    if (layer)
        layers_[stage] = std::move(*layer);
}

std::vector<int> StageLayers::starts_from(int stage) const
{
    std::vector<int> all;
    const auto& at = plan_.stages[stage];
    if (at.workspace.start == pipeline::WorkspaceStart::clean)
        return all;
    for (const auto& need : at.needs)
        if (const auto found = positions_.find(need); found != positions_.end())
            all.push_back(found->second);
    return all;
}

std::set<int> StageLayers::builds_on(int stage, const Which& ends) const
{
    std::set<int> all;
    std::vector<int> open{stage};
    while (!open.empty()) {
        const int at = open.back();
        open.pop_back();
        for (const int below : starts_from(at))
            if (all.insert(below).second && !(ends && ends(below)))
                open.push_back(below);
    }
    return all;
}

std::set<int> StageLayers::below(const Which& wanted) const
{
    std::set<int> all;
    for (const auto& [id, stage] : positions_)
        if (wanted(stage))
            all.merge(builds_on(stage));
    return all;
}

// From the top down: of those that nothing is to be above any more, the one that stands last in the file.
std::vector<int> StageLayers::stacked(const std::set<int>& stages) const
{
    const auto is_among = [&stages](int stage) { return stages.contains(stage); };
    std::map<int, std::vector<int>> below;
    std::map<int, int> above;
    for (const int stage : stages)
        for (const int at : builds_on(stage, is_among))
            if (is_among(at)) {
                below[stage].push_back(at);
                ++above[at];
            }
    std::set<std::pair<int, int>> free;
    const auto set_free = [&](int stage) { free.insert({plan_.stages[stage].place, stage}); };
    for (const int stage : stages)
        if (!above.contains(stage))
            set_free(stage);
    std::vector<int> order;
    while (!free.empty()) {
        const int stage = free.extract(std::prev(free.end())).value().second;
        order.push_back(stage);
        for (const int at : below[stage])
            if (--above[at] == 0)
                set_free(at);
    }
    std::reverse(order.begin(), order.end());
    return order;
}

std::vector<StageLayer> StageLayers::stack_of(int stage) const
{
    auto stages = builds_on(stage);
    std::erase_if(stages, [this](int at) { return !find_handed_on(at); });
    std::vector<StageLayer> stack;
    for (const int at : stacked(stages))
        stack.push_back(*find_handed_on(at));
    return stack;
}

bool StageLayers::is_needed(int stage) const
{
    for (std::size_t at = 0; at < plan_.stages.size(); ++at)
        if (!plan_.stages[at].skip_reason && builds_on(static_cast<int>(at)).contains(stage))
            return true;
    return false;
}

const StageLayer* StageLayers::find_handed_on(int stage) const
{
    if (const auto part = parts_.find(stage); part != parts_.end())
        return &part->second;
    const auto layer = layers_.find(stage);
    return layer == layers_.end() ? nullptr : &layer->second;
}

awaitable<void> StageLayers::restore(const LayerAccess& access, const std::set<std::string>& kept,
                                     const std::map<std::string, SavedLayer>& files, bool all)
{
    const auto runs = [&](int stage) { return !kept.contains(plan_.stages[stage].id); };
    const auto needed = below(runs);
    for (const auto& [id, stage] : positions_) {
        const auto saved = files.find(id);
        if (saved == files.end() || runs(stage) || !(all || needed.contains(stage)))
            continue;
        const auto owner = owner_of_(stage);
        layers_[stage] = co_await restore_layer(access, owner, saved->second);
    }
}

awaitable<void> StageLayers::save(const LayerAccess& access, Which passed, const std::string& run_folder, Failed failed) const
{
    for (const int stage : below([&](int at) { return !passed(at); })) {
        const auto* layer = find_handed_on(stage);
        if (!layer || !passed(stage))
            continue;
        try {
            const auto owner = owner_of_(stage);
            co_await save_layer(access, owner, *layer, run_folder);
        } catch (const std::exception& error) {
            failed(plan_.stages[stage].id, error.what());
        }
    }
}

awaitable<std::vector<std::string>> StageLayers::write_back(const LayerAccess& access, Which which, const std::string& folder,
                                                            TreeWriter::Had had) const
{
    const auto writer = make_tree_writer(folder, k_write_back_limit_bytes, k_layer_top, std::move(had));
    const engine::WritePiece feed = [&writer](std::string_view piece) -> awaitable<void> {
        writer->feed(piece);
        co_return;
    };
    std::set<int> stages;
    for (const auto& [stage, layer] : layers_)
        if (which(stage))
            stages.insert(stage);
    for (const int stage : stacked(stages)) {
        const auto& layer = layers_.at(stage);
        const auto owner = owner_of_(stage);
        co_await read_layer(access, owner, layer, feed);
        auto finish = [&writer] { writer->finish(); };
        co_await on_pool(*access.pool, std::move(finish));
    }
    co_return writer->stayed();
}

} // namespace gantry::runner
