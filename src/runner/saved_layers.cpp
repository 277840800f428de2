#include "runner/saved_layers.hpp"

#include "base/file.hpp"
#include "base/format.hpp"
#include "runner/carrier.hpp"
#include "runner/layer_merge.hpp"
#include "runner/opaque_folders.hpp"
#include "runner/spool.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

namespace gantry::runner {

namespace {

namespace fs = std::filesystem;

// The archive of this folder begins with its name, and is unpacked below "/" under the same name.
const std::string k_layer = std::string("/") + k_layer_top;
constexpr const char* k_kind = "overlay"; // what the archives are changes of

std::string layers_folder(const std::string& run_folder) { return run_folder + "/layers"; }

// Those of a layer at the engine that hide what is below them, or lie in such a folder.
awaitable<std::set<std::string>> opaque_in(const LayerAccess& access, const Owner& owner, const std::string& path, const LayerChanges& changes)
{
    std::set<std::string> folders;
    for (const auto& [name, change] : changes)
        if (change.kind == LayerChange::Kind::folder)
            folders.insert(name);
    if (folders.empty() || access.shared_folder.empty())
        co_return std::set<std::string>();
    LayerView view;
    view.owner = owner;
    view.layer = path;
    view.shared_folder = access.shared_folder;
    view.intend = access.intend;
    co_return co_await opaque_folders(access.engine, *access.pool, view, changes, folders);
}

// The engine's archive does not say which folders are opaque.
awaitable<void> write_archive(const LayerAccess& access, const Owner& owner, const StageLayer& layer, const std::string& path)
{
    const auto raw = spool_file(fs::path(path).parent_path());
    const auto write = write_to(raw, path);
    co_await read_layer(access, owner, layer, write);
    ::lseek(raw.get(), 0, SEEK_SET);
    LayerChanges changes;
    auto look = [&] { changes = changes_of(raw); };
    co_await on_pool(access.pool, std::move(look));
    const auto opaque = co_await opaque_in(access, owner, layer.path, changes);
    const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file)
        throw errno_error(errno, path);
    ::lseek(raw.get(), 0, SEEK_SET);
    auto mark = [&] {
        mark_opaque(raw, file, opaque);
        sync_file(file, path); // the record tells that it is whole
    };
    co_await on_pool(access.pool, std::move(mark));
}

awaitable<void> expect_opaque(const LayerAccess& access, const Owner& owner, const std::string& path, const Fd& archive)
{
    LayerChanges changes;
    auto look = [&] { changes = changes_of(archive); };
    co_await on_pool(access.pool, std::move(look));
    const bool is_any = std::any_of(changes.begin(), changes.end(), [](const auto& change) { return change.second.is_opaque; });
    if (!is_any)
        co_return;
    const auto opaque = co_await opaque_in(access, owner, path, changes);
    for (const auto& [name, change] : changes)
        if (change.is_opaque && !opaque.contains(name))
            throw Error(Errc::unsupported, "the engine does not take over that stage " + owner.stage + " made the folder " + terminal_safe(name) + " anew",
                        "run all stages again: gantry rerun");
}

} // namespace

std::map<std::string, SavedLayer> saved_layers(const std::string& run_folder)
{
    std::map<std::string, SavedLayer> saved;
    std::error_code none; // nothing was saved
    for (const auto& entry : fs::directory_iterator(layers_folder(run_folder), none)) {
        auto path = entry.path();
        if (path.extension() != ".json")
            continue;
        try {
            const auto record = nlohmann::json::parse(read_file(path, 1 << 20));
            SavedLayer one;
            one.below = record.at("below").get<std::vector<std::string>>();
            one.is_part = record.at("is_part").get<bool>();
            one.file = path.replace_extension(".tar");
            if (record.at("kind").get<std::string>() == k_kind && fs::is_regular_file(one.file))
                saved[record.at("stage").get<std::string>()] = std::move(one);
        } catch (const std::exception&) {
            // Torn: then the stage runs again.
        }
    }
    return saved;
}

awaitable<void> read_layer(const LayerAccess& access, const Owner& owner, const StageLayer& layer, engine::WritePiece tar)
{
    const auto carrier = object_name(owner, "save");
    auto labels = labels_of(owner);
    std::vector<engine::Mount> mounts{volume_mount(layer.volume, k_layer)};
    access.intend(engine::ObjectKind::container, carrier);
    std::exception_ptr failure;
    try {
        co_await create_carrier(access.engine, carrier, std::move(labels), std::move(mounts));
        co_await access.engine.download(carrier, k_layer, tar);
    } catch (...) {
        failure = std::current_exception();
    }
    co_await access.engine.remove(engine::ObjectKind::container, carrier);
    if (failure)
        std::rethrow_exception(failure);
}

awaitable<void> save_layer(const LayerAccess& access, const Owner& owner, const StageLayer& layer, const std::string& run_folder)
{
    fs::create_directories(layers_folder(run_folder));
    const auto path = layers_folder(run_folder) + "/" + sha256_hex(layer.stage).substr(0, 16);
    const auto part = path + ".part";
    try {
        co_await write_archive(access, owner, layer, part);
    } catch (...) {
        fs::remove(part);
        throw;
    }
    fs::rename(part, path + ".tar");
    const nlohmann::json record = {{"stage", layer.stage}, {"kind", k_kind}, {"below", layer.below}, {"is_part", layer.is_part}};
    write_file_atomic(path + ".json", record.dump(), 0600);
}

awaitable<StageLayer> restore_layer(const LayerAccess& access, const Owner& owner, const SavedLayer& saved)
{
    engine::VolumeSpec spec;
    spec.name = object_name(owner, "upper");
    spec.labels = labels_of(owner);
    access.intend(engine::ObjectKind::volume, spec.name);
    const auto volume = co_await access.engine.create_volume(spec);

    const auto carrier = object_name(owner, "fill");
    auto labels = labels_of(owner);
    std::vector<engine::Mount> mounts{volume_mount(spec.name, k_layer)};
    access.intend(engine::ObjectKind::container, carrier);
    co_await create_carrier(access.engine, carrier, std::move(labels), std::move(mounts));
    const Fd file(::open(saved.file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file)
        throw errno_error(errno, saved.file);
    const auto read = read_from(file, saved.file);
    co_await access.engine.upload(carrier, "/", read);
    co_await access.engine.remove(engine::ObjectKind::container, carrier);
    ::lseek(file.get(), 0, SEEK_SET);
    co_await expect_opaque(access, owner, volume.mountpoint, file);

    StageLayer layer;
    layer.stage = owner.stage;
    layer.volume = spec.name;
    layer.path = volume.mountpoint;
    layer.below = saved.below;
    layer.is_part = saved.is_part;
    co_return layer;
}

} // namespace gantry::runner
