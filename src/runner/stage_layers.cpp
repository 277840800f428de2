#include "runner/stage_layers.hpp"

#include "runner/snapshot.hpp"

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

std::set<int> StageLayers::builds_on(int stage) const
{
    std::set<int> all;
    std::vector<int> open{stage};
    while (!open.empty()) {
        const auto& at = plan_.stages[open.back()];
        open.pop_back();
        if (at.workspace.start == pipeline::WorkspaceStart::clean)
            continue;
        for (const auto& need : at.needs)
            if (const auto found = positions_.find(need); found != positions_.end() && all.insert(found->second).second)
                open.push_back(found->second);
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

// The plan's order is topological, so each layer comes after those it was stacked on.
std::vector<StageLayer> StageLayers::stack_of(int stage) const
{
    std::vector<StageLayer> stack;
    for (const int at : builds_on(stage))
        if (const auto* found = find_handed_on(at))
            stack.push_back(*found);
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

awaitable<void> StageLayers::restore(engine::Engine& engine, const std::set<std::string>& kept,
                                     const std::map<std::string, SavedLayer>& files, Intend intend)
{
    const auto runs = [&](int stage) { return !kept.contains(plan_.stages[stage].id); };
    for (const int stage : below(runs)) {
        const auto saved = files.find(plan_.stages[stage].id);
        if (saved == files.end() || runs(stage))
            continue;
        const auto owner = owner_of_(stage);
        layers_[stage] = co_await restore_layer(engine, owner, saved->second, intend);
    }
}

awaitable<void> StageLayers::save(engine::Engine& engine, Which passed, const std::string& run_folder,
                                  Intend intend, Failed failed) const
{
    for (const int stage : below([&](int at) { return !passed(at); })) {
        const auto* layer = find_handed_on(stage);
        if (!layer || !passed(stage))
            continue;
        try {
            const auto owner = owner_of_(stage);
            co_await save_layer(engine, owner, *layer, run_folder, intend);
        } catch (const std::exception& error) {
            failed(plan_.stages[stage].id, error.what());
        }
    }
}

awaitable<void> StageLayers::write_back(engine::Engine& engine, asio::thread_pool& pool, Which which,
                                        const std::string& folder, Intend intend) const
{
    for (const auto& [stage, layer] : layers_) {
        if (!which(stage))
            continue;
        const auto writer = make_tree_writer(folder, k_write_back_limit_bytes, k_layer_top);
        const engine::WritePiece feed = [&writer](std::string_view piece) -> awaitable<void> {
            writer->feed(piece);
            co_return;
        };
        const auto owner = owner_of_(stage);
        co_await read_layer(engine, owner, layer, feed, intend);
        auto finish = [&writer] { writer->finish(); };
        co_await on_pool(pool, std::move(finish));
    }
}

} // namespace gantry::runner
