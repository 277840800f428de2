#include "runner/stage_caches_state.hpp"

#include "base/format.hpp"
#include "runner/carrier.hpp"

#include <algorithm>
#include <utility>

namespace gantry::runner {

namespace {

std::set<int> needs_of(const pipeline::Plan& plan, int stage)
{
    std::set<std::string> ids;
    std::set<int> all;
    ids.insert(plan.stages[stage].needs.begin(), plan.stages[stage].needs.end());
    for (int at = stage - 1; at >= 0; --at) { // the plan's order is topological
        if (!ids.contains(plan.stages[at].id))
            continue;
        all.insert(at);
        ids.insert(plan.stages[at].needs.begin(), plan.stages[at].needs.end());
    }
    return all;
}

} // namespace

StageCaches::StageCaches(Parts parts, asio::any_io_executor executor) : parts_(std::move(parts)), closed_(std::move(executor))
{
    if (parts_.store)
        parts_.store->tell_damage_to([this](const std::string& what) { warn(-1, what, ""); });
}

StageCaches::~StageCaches()
{
    if (parts_.store)
        parts_.store->tell_damage_to({});
}

void StageCaches::tell(int stage, const std::string& message) const
{
    RunEvent event;
    event.kind = RunEvent::Kind::cache;
    event.message = message;
    parts_.tell(std::move(event), stage);
}

void StageCaches::warn(int stage, const std::string& what, const std::string& hint) const
{
    RunEvent event;
    event.kind = RunEvent::Kind::warning;
    event.message = stage < 0 ? what : parts_.plan.stages[stage].id + ": " + what;
    event.hint = hint;
    parts_.tell(std::move(event), stage);
}

CacheVolumes StageCaches::volumes_of(int stage, const Clone& clone) const
{
    CacheOwner owner;
    owner.stage = parts_.owner_of(stage);
    owner.store = parts_.store->id();
    owner.cache = clone.request.name;
    owner.position = clone.position;
    return CacheVolumes(parts_.engine, std::move(owner),
                        [this](engine::ObjectKind kind, const std::string& name) { parts_.objects.intend(kind, name); });
}

awaitable<void> StageCaches::open(int stage, pipeline::RuntimeFacts facts)
{
    if (!parts_.store || parts_.plan.stages[stage].caches.empty())
        co_return;
    auto requests = lower_caches(parts_.plan, parts_.plan.stages[stage], facts);
    co_await wait_for_needed(stage);
    if (parts_.engine_id.empty()) {
        const auto info = co_await parts_.engine.probe();
        parts_.engine_id = info.id;
    }
    auto& here = *(open_[stage] = std::make_unique<OpenStage>());
    for (auto& request : requests) {
        Clone clone;
        clone.place.engine = parts_.engine_id;
        clone.place.scope = cache::scope_of({parts_.scope, request.branch});
        clone.place.name = request.name;
        clone.position = static_cast<int>(here.clones.size());
        clone.upper = new_layer_name(parts_.owner_of(stage).instance);
        clone.flat = new_layer_name(parts_.owner_of(stage).instance);
        clone.request = std::move(request);
        here.clones.push_back(std::move(clone));
    }
    co_await take_turns(stage, here);
    choose(here);
    TaskGroup restores(co_await asio::this_coro::executor);
    for (auto& clone : here.clones)
        restores.spawn([this, stage, &here, &clone]() { return restore(stage, here, clone); });
    co_await restores.join();
    for (const auto& clone : here.clones)
        tell_restored(stage, clone);
}

// A stage is over before its caches are saved, and one that needs it may count on finding them.
awaitable<void> StageCaches::wait_for_needed(int stage)
{
    const auto needs = needs_of(parts_.plan, stage);
    co_await closed_.wait_until([this, &needs] {
        return std::all_of(needs.begin(), needs.end(), [this](int need) {
            const auto found = open_.find(need);
            return found == open_.end() || found->second->is_closed;
        });
    });
}

// In the order of their names, so that two stages that use the same caches do not wait for each other.
awaitable<void> StageCaches::take_turns(int stage, OpenStage& here)
{
    std::vector<Clone*> locked;
    for (auto& clone : here.clones)
        if (clone.request.is_locked)
            locked.push_back(&clone);
    std::sort(locked.begin(), locked.end(), [](const Clone* a, const Clone* b) { return a->place.name < b->place.name; });
    for (auto* clone : locked) {
        co_await parts_.enter("cache " + clone->place.name + " " + clone->request.key, stage, clone->turn);
        clone->has_turn = static_cast<bool>(clone->turn.lock);
    }
}

// What is chosen is pinned before anybody else can look, so that its volumes stay.
void StageCaches::choose(OpenStage& here)
{
    auto session = parts_.store->open();
    cache::PinContents contents;
    contents.engine = parts_.engine_id;
    for (auto& clone : here.clones) {
        contents.names.insert(clone.upper);
        contents.names.insert(clone.flat);
        clone.base = choose(session, clone);
        if (!clone.base)
            continue;
        contents.names.merge(volumes_in(*clone.base));
        session.touch(*clone.base);
    }
    here.pinned = contents.names;
    if (here.pin)
        session.change(*here.pin, contents);
    else
        here.pin = session.pin(contents);
}

std::optional<cache::Entry> StageCaches::choose(cache::Session& session, const Clone& clone) const
{
    if (!clone.request.pulls)
        return std::nullopt;
    if (auto exact = session.find(clone.place, clone.request.key))
        return exact;
    auto entries = session.entries(clone.place);
    std::stable_sort(entries.begin(), entries.end(),
                     [](const cache::Used& a, const cache::Used& b) { return a.entry.saved > b.entry.saved; });
    for (const auto& beginning : clone.request.fallback_keys)
        for (auto& used : entries)
            if (used.entry.key.starts_with(beginning))
                return std::move(used.entry);
    return std::nullopt;
}

awaitable<void> StageCaches::restore(int stage, OpenStage& here, Clone& clone)
{
    clone.is_copy = !parts_.mounts();
    while (clone.base) {
        const bool done = co_await restore_base(stage, here, clone);
        if (done)
            co_return;
    }
    auto volumes = volumes_of(stage, clone);
    co_await volumes.create_empty(clone.upper);
    clone.mounted = clone.upper;
}

// False when the base could not be used: then the clone has another one, or none.
awaitable<bool> StageCaches::restore_base(int stage, OpenStage& here, Clone& clone)
{
    auto volumes = volumes_of(stage, clone);
    auto paths = co_await volumes.find_layers(clone.base->layers);
    if (!paths) {
        lose_base(here, clone, "a volume of it is gone");
        co_return false;
    }
    if (!clone.is_copy) {
        clone.mounted = co_await volumes.mount_above(std::move(*paths), clone.upper);
        co_return true;
    }
    if (clone.base->layers.size() > 1) { // made by mounts: this way it cannot be put together
        clone.base.reset();
        co_return false;
    }
    const auto& layer = clone.base->layers.front();
    clone.copied = co_await volumes.copy_of(layer.volume, clone.upper);
    if (clone.copied->digest == layer.digest) {
        clone.mounted = clone.upper;
        co_return true;
    }
    co_await parts_.objects.remove(engine::ObjectKind::volume, clone.upper);
    clone.copied.reset();
    lose_base(here, clone, "its contents are not those that were saved");
    co_return false;
}

void StageCaches::lose_base(OpenStage& here, Clone& clone, const std::string& why)
{
    auto session = parts_.store->open();
    const auto current = session.find(clone.place, clone.base->key);
    if (current && current->layers == clone.base->layers) {
        session.set_aside(*current, why);
        here.replaced.merge(volumes_in(*current));
    }
    clone.base = choose(session, clone);
    cache::PinContents contents;
    contents.engine = parts_.engine_id;
    if (clone.base)
        here.pinned.merge(volumes_in(*clone.base));
    contents.names = here.pinned;
    session.change(*here.pin, contents);
}

void StageCaches::tell_restored(int stage, const Clone& clone) const
{
    const auto& request = clone.request;
    std::string what = "miss, key " + request.key;
    if (clone.is_hit())
        what = "hit, key " + request.key + ", " + format_size(cache::size_bytes_of(*clone.base));
    else if (clone.base)
        what = "fallback " + clone.base->key + " for key " + request.key + ", " + format_size(cache::size_bytes_of(*clone.base));
    else if (!request.pulls)
        what = "starts empty (policy: push), key " + request.key;
    RunEvent event;
    event.kind = RunEvent::Kind::cache;
    event.message = request.name + ": " + what;
    event.object_kind = "volume";
    event.object = clone.mounted;
    event.outputs = {{"cache", request.name}, {"key", request.key}, {"path", request.target}};
    if (clone.base)
        event.outputs["found"] = clone.base->key;
    parts_.tell(std::move(event), stage);
}

std::vector<engine::Mount> StageCaches::mounts(int stage) const
{
    std::vector<engine::Mount> all;
    const auto found = open_.find(stage);
    if (found != open_.end())
        for (const auto& clone : found->second->clones)
            all.push_back(volume_mount(clone.mounted, clone.request.target));
    return all;
}

} // namespace gantry::runner
