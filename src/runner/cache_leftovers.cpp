// What no record of a cache names any more.
#include "runner/stage_caches.hpp"

#include "runner/objects.hpp"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace gantry::runner {

namespace {

bool may_still_come(const cache::Unattended& pin, const std::set<std::string>& found)
{
    const auto age = std::chrono::system_clock::now() - pin.since;
    return age >= std::chrono::seconds(0) && age < k_engine_may_finish &&
           !std::includes(found.begin(), found.end(), pin.contents.names.begin(), pin.contents.names.end());
}

std::string label(const engine::Object& object, const std::string& key)
{
    const auto found = object.labels.find(key);
    return found == object.labels.end() ? "" : found->second;
}

std::set<std::string> names_of_caches(const std::vector<engine::Object>& objects, const std::string& store)
{
    std::set<std::string> names;
    for (const auto& object : objects)
        if (label(object, k_cache_store_label) == store)
            names.insert(object.name);
    return names;
}

// Of runs that still have a container, which `--keep-failed` left: it may have mounted them.
std::set<std::string> kept_with_containers(const std::vector<engine::Object>& objects)
{
    std::set<std::string> runs, names;
    for (const auto& object : objects)
        if (object.kind == engine::ObjectKind::container)
            runs.insert(label(object, "gantry.run"));
    for (const auto& object : objects)
        if (const auto run = label(object, k_cache_run_label); !run.empty() && runs.contains(run))
            names.insert(object.name);
    return names;
}

bool has_any(const std::set<std::string>& names, const std::set<std::string>& of)
{
    return std::any_of(of.begin(), of.end(), [&](const std::string& name) { return names.contains(name); });
}

} // namespace

awaitable<void> remove_unused_volumes(cache::Store& store, cache::Pin own, std::string engine_id,
                                      std::set<std::string> candidates, RemoveVolume remove)
{
    std::set<std::string> unused;
    {
        // From here on the pin says what is about to go, and no longer what stays: of two that let go of a layer at the same
        // time the second one removes it.
        auto session = store.open();
        unused = cache::unused_volumes(candidates, session.entries(), session.pinned(engine_id, &own));
        cache::PinContents doomed;
        doomed.engine = engine_id;
        doomed.names = unused;
        session.change(own, doomed);
    }
    for (const auto& name : unused)
        co_await remove(name);
    own.release();
}

awaitable<RemovedCaches> remove_cache_entries(engine::Engine& engine, cache::Store& store, std::vector<cache::Used> entries)
{
    const auto info = co_await engine.probe();
    RemovedCaches removed;
    std::set<std::string> volumes;
    std::optional<cache::Pin> pin;
    {
        auto session = store.open();
        const auto before = session.entries();
        for (const auto& now : before) {
            const auto is_meant = [&](const cache::Used& used) { return used.entry == now.entry && used.used == now.used; };
            if (now.entry.place.engine != info.id || std::none_of(entries.begin(), entries.end(), is_meant))
                continue;
            session.remove(now.entry);
            ++removed.entries;
            for (const auto& layer : now.entry.layers)
                volumes.insert(layer.volume);
        }
        removed.size_bytes = cache::size_bytes_of(before) - cache::size_bytes_of(session.entries());
        cache::PinContents doomed;
        doomed.engine = info.id;
        doomed.names = volumes;
        pin = session.pin(doomed);
    }
    const RemoveVolume remove = [&engine](std::string name) -> awaitable<void> {
        co_await engine.remove(engine::ObjectKind::volume, name);
    };
    auto own = std::move(*pin);
    co_await remove_unused_volumes(store, std::move(own), info.id, volumes, remove);
    co_return removed;
}

awaitable<int> remove_cache_leftovers(engine::Engine& engine, cache::Store& store, const std::string& instance)
{
    if (!store.has_unattended())
        co_return 0;
    std::vector<cache::Unattended> unattended;
    {
        auto session = store.open();
        unattended = session.unattended();
    }
    const auto info = co_await engine.probe();
    std::erase_if(unattended, [&](const cache::Unattended& pin) {
        return !pin.contents.engine.empty() && pin.contents.engine != info.id;
    });
    if (unattended.empty())
        co_return 0;

    // Listed before the records are read: what somebody makes and publishes in between is in a pin or a record by then.
    const engine::Labels labels{{"gantry.instance", instance}};
    const auto objects = co_await engine.list(labels);
    const auto found = names_of_caches(objects, store.id());
    const auto kept = kept_with_containers(objects);
    std::set<std::string> unused;
    {
        auto session = store.open();
        unused = cache::unused_volumes(found, session.entries(), session.pinned(info.id, nullptr));
    }
    for (const auto& name : kept)
        unused.erase(name);
    for (const auto& object : objects) // containers come before volumes
        if (unused.contains(object.name))
            co_await engine.remove(object.kind, object.name);
    for (const auto& pin : unattended)
        if (!may_still_come(pin, found) && !has_any(pin.contents.names, kept))
            ::unlink(pin.path.c_str());
    co_return static_cast<int>(unused.size());
}

} // namespace gantry::runner
