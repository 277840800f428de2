#include "runner/cache_volumes.hpp"

#include "base/format.hpp"
#include "runner/archive_pipe.hpp"
#include "runner/carrier.hpp"
#include "runner/overlay.hpp"

#include <utility>

namespace gantry::runner {

std::string new_layer_name(const std::string& instance)
{
    return "gantry-" + instance + "-cache-" + random_hex(8);
}

CacheVolumes::CacheVolumes(engine::Engine& engine, CacheOwner owner, Intend intend)
    : engine_(engine), owner_(std::move(owner)), intend_(std::move(intend))
{
}

// "gantry-1f2e-17-build.cache0from"; without a run a random one stands for it.
std::string CacheVolumes::name_of(const std::string& role) const
{
    return object_name(owner_.stage, "cache" + std::to_string(owner_.position) + role);
}

engine::Labels CacheVolumes::labels() const
{
    if (!owner_.of_cache)
        return labels_of(owner_.stage);
    return {{"gantry.instance", owner_.stage.instance}, {k_cache_label, owner_.cache}, {k_cache_store_label, owner_.store}};
}

std::set<std::string> CacheVolumes::names() const
{
    return {name_of(""), name_of("work"), name_of("from"), name_of("to")};
}

awaitable<engine::VolumeInfo> CacheVolumes::create_layer(std::string name)
{
    engine::VolumeSpec spec;
    spec.name = std::move(name);
    spec.labels = {{"gantry.instance", owner_.stage.instance}, {k_cache_label, owner_.cache}, {k_cache_store_label, owner_.store}};
    if (!owner_.of_cache)
        spec.labels[k_cache_run_label] = owner_.stage.run;
    intend_(engine::ObjectKind::volume, spec.name);
    co_return co_await engine_.create_volume(spec);
}

awaitable<engine::VolumeInfo> CacheVolumes::create_of_run(std::string role)
{
    engine::VolumeSpec spec;
    spec.name = name_of(role);
    spec.labels = labels();
    intend_(engine::ObjectKind::volume, spec.name);
    co_return co_await engine_.create_volume(spec);
}

awaitable<std::optional<std::vector<std::string>>> CacheVolumes::find_layers(std::vector<cache::Layer> layers)
{
    std::vector<std::string> paths(layers.size());
    TaskGroup searches(co_await asio::this_coro::executor);
    for (std::size_t i = 0; i < layers.size(); ++i)
        searches.spawn([this, &paths, &layers, i]() -> awaitable<void> {
            const auto found = co_await engine_.find_volume(layers[i].volume);
            if (found)
                paths[i] = found->mountpoint;
        });
    co_await searches.join();
    for (const auto& path : paths)
        if (path.empty())
            co_return std::nullopt;
    co_return paths;
}

awaitable<std::string> CacheVolumes::mount_above(std::vector<std::string> layer_paths, std::string upper)
{
    if (layer_paths.empty()) {
        co_await create_layer(upper);
        co_return upper;
    }
    std::string upper_path, work_path;
    auto make_upper = [&]() -> awaitable<void> {
        const auto made = co_await create_layer(upper);
        upper_path = made.mountpoint;
    };
    auto make_work = [&]() -> awaitable<void> {
        const auto made = co_await create_of_run("work");
        work_path = made.mountpoint;
    };
    co_await both(make_upper(), make_work());

    OverlayFolders folders;
    folders.lowers.assign(layer_paths.rbegin(), layer_paths.rend());
    folders.upper = upper_path;
    folders.work = work_path;
    const auto spec = overlay_volume(name_of(""), labels(), folders);
    intend_(engine::ObjectKind::volume, spec.name);
    co_await engine_.create_volume(spec);
    co_return spec.name;
}

awaitable<void> CacheVolumes::create_empty(std::string upper)
{
    co_await create_layer(std::move(upper));
}

awaitable<ArchiveSize> CacheVolumes::copy_of(std::string layer, std::string upper)
{
    co_await create_layer(upper);
    co_return co_await copy(std::move(layer), std::move(upper));
}

awaitable<std::string> CacheVolumes::carrier(std::string volume, std::string role)
{
    const auto name = name_of(role);
    intend_(engine::ObjectKind::container, name);
    auto own_labels = labels();
    std::vector<engine::Mount> mounts{volume_mount(volume, k_cache_top)};
    co_await create_carrier(engine_, name, std::move(own_labels), std::move(mounts));
    co_return name;
}

awaitable<ArchiveSize> CacheVolumes::copy(std::string from, std::string to)
{
    ArchivePlace source, target;
    source.container = co_await carrier(std::move(from), "from");
    source.path = k_cache_top;
    target.container = co_await carrier(std::move(to), "to");
    target.path = "/";
    ArchiveMeasure measure;
    const std::function<void(std::string_view)> seen = [&measure](std::string_view bytes) { measure.feed(bytes); };
    co_await copy_archive(engine_, source, target, seen);
    co_await both(engine_.remove(engine::ObjectKind::container, source.container),
                  engine_.remove(engine::ObjectKind::container, target.container));
    co_return measure.finish();
}

awaitable<ArchiveSize> CacheVolumes::measure(std::string volume)
{
    const auto name = co_await carrier(std::move(volume), "from");
    ArchiveMeasure measure;
    const engine::WritePiece take = [&measure](std::string_view bytes) -> awaitable<void> {
        measure.feed(bytes);
        co_return;
    };
    co_await engine_.download(name, k_cache_top, take);
    co_await engine_.remove(engine::ObjectKind::container, name);
    co_return measure.finish();
}

awaitable<ArchiveSize> CacheVolumes::flatten(std::string merged, std::string into)
{
    co_await create_layer(into);
    co_return co_await copy(std::move(merged), std::move(into));
}

} // namespace gantry::runner
