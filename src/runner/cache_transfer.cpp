#include "runner/cache_transfer.hpp"

#include "base/format.hpp"
#include "runner/cache_archive.hpp"
#include "runner/cache_volumes.hpp"
#include "runner/spool.hpp"
#include "runner/stage_caches.hpp"

#include <optional>

namespace gantry::runner {

namespace {

// What one transfer makes and what it needs, pinned as long as it lives.
class Transfer {
public:
    Transfer(const CacheTransfer& with, std::string cache, std::string engine_id)
        : with_(with), engine_id_(std::move(engine_id)), upper(new_layer_name(with.instance)),
          volumes(with.engine, owner(with, std::move(cache)), [this](engine::ObjectKind kind, const std::string& name) {
              made_.emplace_back(kind, name);
          })
    {
    }

    void pin(cache::Session& session, const std::vector<cache::Layer>& layers)
    {
        cache::PinContents contents;
        contents.engine = engine_id_;
        contents.names = volumes.names();
        contents.names.insert(upper);
        for (const auto& layer : layers)
            contents.names.insert(layer.volume);
        pin_ = session.pin(contents);
    }

    // Removes what was made and no record names, and `replaced`, the volumes of an entry that went.
    awaitable<void> close(std::set<std::string> replaced)
    {
        co_await ignore_cancellation();
        for (auto object = made_.rbegin(); object != made_.rend(); ++object)
            if (object->second != upper)
                co_await with_.engine.remove(object->first, object->second);
        replaced.insert(upper);
        const RemoveVolume remove = [this](std::string name) -> awaitable<void> {
            co_await with_.engine.remove(engine::ObjectKind::volume, name);
        };
        auto own = std::move(*pin_);
        co_await remove_unused_volumes(with_.store, std::move(own), engine_id_, std::move(replaced), remove);
    }

private:
    static CacheOwner owner(const CacheTransfer& with, std::string cache)
    {
        CacheOwner owner;
        owner.stage.instance = with.instance;
        owner.stage.run = random_hex(6);
        owner.of_cache = true;
        owner.store = with.store.id();
        owner.cache = std::move(cache);
        return owner;
    }

    const CacheTransfer& with_;
    std::string engine_id_;
    std::vector<std::pair<engine::ObjectKind, std::string>> made_;
    std::optional<cache::Pin> pin_;

public:
    const std::string upper; // a volume that may come to be
    CacheVolumes volumes;
};

// Reads all layers once more than packing them does. What is damaged is set aside, and the next run that wants it starts without:
// then its volumes are in `lost`.
awaitable<void> check_layers(Transfer& transfer, cache::Store& store, const cache::Entry& entry, std::set<std::string>& lost)
{
    for (const auto& layer : entry.layers) {
        const auto found = co_await transfer.volumes.measure(layer.volume);
        if (found.digest == layer.digest)
            continue;
        auto session = store.open();
        if (const auto current = session.find(entry.place, entry.key); current && current->layers == entry.layers) {
            session.set_aside(*current, "its contents are not those that were saved");
            lost = volumes_in(*current);
        }
        throw Error(Errc::not_found, "cache " + entry.place.name + ", key " + entry.key + ", is damaged: its contents are not those that were saved",
                    "it was set aside; the next run that wants it starts without");
    }
}

awaitable<void> pack(Transfer& transfer, const CacheTransfer& with, const cache::Entry& entry, const engine::WritePiece& write,
                     std::set<std::string>& lost)
{
    auto paths = co_await transfer.volumes.find_layers(entry.layers);
    if (!paths)
        throw Error(Errc::not_found, "a volume of cache " + entry.place.name + ", key " + entry.key + ", is gone",
                    "the next run that wants it starts without");
    co_await check_layers(transfer, with.store, entry, lost);
    auto volume = entry.layers.front().volume;
    if (entry.layers.size() > 1)
        volume = co_await transfer.volumes.mount_above(std::move(*paths), transfer.upper);
    const auto carrier = co_await transfer.volumes.carrier(volume, "from");
    const auto head = archive_head(entry);
    co_await write(head);
    co_await with.engine.download(carrier, k_cache_top, write);
}

} // namespace

awaitable<void> export_cache(CacheTransfer with, cache::Entry entry, engine::WritePiece write)
{
    const auto info = co_await with.engine.probe();
    if (info.id != entry.place.engine)
        throw Error(Errc::conflict, "cache " + entry.place.name + " is at another engine", "name it: --engine-host");
    Transfer transfer(with, entry.place.name, info.id);
    {
        auto session = with.store.open();
        transfer.pin(session, entry.layers);
    }
    std::exception_ptr failure;
    std::set<std::string> lost;
    try {
        co_await pack(transfer, with, entry, write, lost);
    } catch (...) {
        failure = std::current_exception();
    }
    co_await transfer.close(std::move(lost));
    if (failure)
        std::rethrow_exception(failure);
}

namespace {

awaitable<cache::Layer> unpack(Transfer& transfer, engine::Engine& engine, const Fd& file, const std::string& name)
{
    co_await transfer.volumes.create_empty(transfer.upper);
    const auto carrier = co_await transfer.volumes.carrier(transfer.upper, "to");
    const auto read = read_from(file, name);
    co_await engine.upload(carrier, "/", read);
    const auto size = co_await transfer.volumes.measure(transfer.upper);
    cache::Layer layer;
    layer.volume = transfer.upper;
    layer.size_bytes = size.size_bytes;
    layer.entries = size.entries;
    layer.digest = size.digest;
    co_return layer;
}

// `replaced` gets the volumes of the entry that it takes the place of, and of those that go beyond the limits with it.
void publish(cache::Store& store, ImportedCache& imported, std::set<std::string>& replaced)
{
    const auto& entry = imported.entry;
    auto session = store.open();
    if (const auto former = session.find(entry.place, entry.key))
        replaced = volumes_in(*former);
    session.put(entry);
    imported.dropped = cache::over_limit(session.entries(), store.limits());
    for (const auto& dropped : imported.dropped) {
        session.remove(dropped);
        if (dropped.place.engine == entry.place.engine)
            replaced.merge(volumes_in(dropped));
    }
}

} // namespace

awaitable<ImportedCache> import_cache(CacheTransfer with, const Fd& archive, std::string file, std::string repository)
{
    const auto& limits = with.store.limits();
    ImportedCache imported;
    auto& entry = imported.entry;
    entry = inspect_archive(archive, file, std::min(limits.each_bytes, limits.total_bytes));
    const auto info = co_await with.engine.probe();
    entry.place.engine = info.id;
    entry.place.scope = cache::scope_of({std::move(repository), cache::whose(entry.place).branch});
    entry.saved = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());

    Transfer transfer(with, entry.place.name, info.id);
    {
        auto session = with.store.open();
        transfer.pin(session, {});
    }
    std::exception_ptr failure;
    std::set<std::string> replaced;
    try {
        auto layer = co_await unpack(transfer, with.engine, archive, file);
        entry.layers.push_back(std::move(layer));
        publish(with.store, imported, replaced);
    } catch (...) {
        failure = std::current_exception();
    }
    co_await transfer.close(std::move(replaced));
    if (failure)
        std::rethrow_exception(failure);
    co_return imported;
}

} // namespace gantry::runner
