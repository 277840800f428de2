// What becomes of clones when their stage is over.
#include "runner/stage_caches_state.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <utility>

namespace gantry::runner {

namespace {

// More layers than this are copied into one: each costs a look for every file that is opened, and the mount options have to
// fit into a page.
constexpr std::size_t k_most_layers = 16;

bool begins_with(const std::vector<cache::Layer>& layers, const std::vector<cache::Layer>& beginning)
{
    return layers.size() >= beginning.size() && std::equal(beginning.begin(), beginning.end(), layers.begin());
}

cache::Layer layer_of(const std::string& volume, const ArchiveSize& size)
{
    cache::Layer layer;
    layer.volume = volume;
    layer.size_bytes = size.size_bytes;
    layer.entries = size.entries;
    layer.digest = size.digest;
    return layer;
}

} // namespace

std::uint64_t StageCaches::entry_limit_bytes() const
{
    return std::min(parts_.store->limits().each_bytes, parts_.store->limits().total_bytes);
}

awaitable<void> StageCaches::close(int stage, bool passed)
{
    const auto found = open_.find(stage);
    if (found == open_.end())
        co_return;
    auto& here = *found->second;
    for (auto& clone : here.clones)
        if (passed && clone.request.pushes && clone.has_turn && !clone.mounted.empty())
            co_await save(stage, here, clone);
    try {
        if (passed || !parts_.keeps_failed)
            co_await remove_unused(here);
        here.pin.reset(); // what it names is looked for by the next command
    } catch (...) {
        const auto error = to_error(std::current_exception());
        warn(stage, std::string("what caches no longer need was not removed: ") + error.what(), "the next gantry command tries again");
    }
    for (auto& clone : here.clones)
        clone.turn = {};
    here.is_closed = true;
    closed_.notify_all();
}

awaitable<void> StageCaches::save(int stage, OpenStage& here, Clone& clone)
{
    std::optional<Error> failure;
    try {
        auto entry = co_await make_entry(stage, clone);
        if (entry)
            publish(stage, here, clone, std::move(*entry));
    } catch (...) {
        failure = to_error(std::current_exception());
    }
    if (!failure)
        co_return;
    const bool is_full = failure->code() == Errc::no_space;
    warn(stage, "cache " + clone.place.name + " was not saved: " + failure->what(),
         is_full ? "make room: gantry prune, or gantry cache rm" : failure->hint());
}

// Nothing where there is nothing to save.
awaitable<std::optional<cache::Entry>> StageCaches::make_entry(int stage, Clone& clone)
{
    auto volumes = volumes_of(stage, clone);
    const auto size = co_await volumes.measure(clone.upper);
    const bool changed = clone.copied ? size != *clone.copied : size.entries > 0;
    if (!changed && (clone.is_hit() || !clone.base))
        co_return std::nullopt;
    cache::Entry entry;
    entry.place = clone.place;
    entry.key = clone.request.key;
    entry.saved = std::chrono::time_point_cast<std::chrono::milliseconds>(parts_.clock.wall());
    entry.run = parts_.owner_of(stage).run;
    entry.stage = parts_.plan.stages[stage].id;
    if (clone.base && !(clone.is_copy && changed))
        entry.layers = clone.base->layers;
    if (changed)
        entry.layers.push_back(layer_of(clone.upper, size));
    co_await flatten_if_needed(stage, clone, entry);
    co_return entry;
}

// Files that are written again and again lie in every layer.
awaitable<void> StageCaches::flatten_if_needed(int stage, Clone& clone, cache::Entry& entry)
{
    const bool is_flat = entry.layers.size() == 1;
    if (is_flat || (entry.layers.size() <= k_most_layers && cache::size_bytes_of(entry) <= entry_limit_bytes()))
        co_return;
    auto volumes = volumes_of(stage, clone);
    const auto size = co_await volumes.flatten(clone.mounted, clone.flat);
    entry.layers = {layer_of(clone.flat, size)};
}

// The one step after which the entry is there. Others may have saved under this key since the base was chosen: what they
// added below stays below, where their entry goes on from the same base, but for what they have in a folder that this one made
// anew; else the last one wins.
void StageCaches::publish(int stage, OpenStage& here, const Clone& clone, cache::Entry entry)
{
    auto session = parts_.store->open();
    const auto current = session.find(clone.place, entry.key);
    const std::vector<cache::Layer> base = clone.base ? clone.base->layers : std::vector<cache::Layer>();
    if (current && entry.layers == base)
        return; // somebody saved under this key what was a copy of another one for us
    std::string above;
    const bool on_top = !clone.is_copy && begins_with(entry.layers, base) && entry.layers.size() == base.size() + 1;
    if (current && on_top && clone.request.pulls && current->layers != base && begins_with(current->layers, base) &&
        current->layers.size() < k_most_layers) {
        auto merged = entry;
        merged.layers = current->layers;
        merged.layers.push_back(entry.layers.back());
        if (cache::size_bytes_of(merged) <= entry_limit_bytes()) {
            entry = std::move(merged);
            above = ", on top of that of run " + current->run + ", stage " + terminal_safe(current->stage);
        }
    }
    if (cache::size_bytes_of(entry) > entry_limit_bytes()) {
        warn(stage,
             "cache " + clone.place.name + " was not saved: it has " + format_size(cache::size_bytes_of(entry)) + " and may have " +
                 format_size(entry_limit_bytes()),
             "raise GANTRY_CACHE_MAX_EACH or GANTRY_CACHE_MAX, or keep less in it");
        return;
    }
    session.put(entry);
    for (const auto& name : volumes_in(entry))
        parts_.objects.release(engine::ObjectKind::volume, name);
    if (current)
        here.replaced.merge(volumes_in(*current));
    for (const auto& dropped : cache::over_limit(session.entries(), parts_.store->limits())) {
        session.remove(dropped);
        if (dropped.place.engine == parts_.engine_id)
            here.replaced.merge(volumes_in(dropped));
        tell(stage, dropped.place.name + ": dropped, key " + dropped.key + ": the limit is reached and it was used least recently");
    }
    tell(stage, clone.place.name + ": saved, key " + entry.key + ", " + format_size(cache::size_bytes_of(entry)) + above);
}

awaitable<void> StageCaches::remove_unused(OpenStage& here)
{
    if (!here.pin)
        co_return;
    auto candidates = here.replaced;
    candidates.insert(here.pinned.begin(), here.pinned.end());
    // Those of this run that were never published are on its books.
    const RemoveVolume remove = [this](std::string name) -> awaitable<void> {
        if (parts_.objects.left().contains({engine::ObjectKind::volume, name}))
            co_await parts_.objects.remove(engine::ObjectKind::volume, name);
        else
            co_await parts_.engine.remove(engine::ObjectKind::volume, name);
    };
    auto pin = std::move(*here.pin);
    here.pin.reset();
    co_await remove_unused_volumes(*parts_.store, std::move(pin), parts_.engine_id, std::move(candidates), remove);
}

} // namespace gantry::runner
