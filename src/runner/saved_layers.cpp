#include "runner/saved_layers.hpp"

#include "base/file.hpp"
#include "base/format.hpp"
#include "runner/carrier.hpp"
#include "runner/spool.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

namespace gantry::runner {

namespace {

namespace fs = std::filesystem;

// The archive of this folder begins with its name, and is unpacked below "/" under the same name.
const std::string k_layer = std::string("/") + k_layer_top;

std::string index_path(const std::string& run_folder)
{
    return run_folder + "/layers/index.json";
}

nlohmann::json read_index(const std::string& run_folder)
{
    try {
        return nlohmann::json::parse(read_file(index_path(run_folder), 1 << 20));
    } catch (const std::exception&) {
        return nlohmann::json::object(); // nothing saved, or torn: then the stages run again
    }
}

} // namespace

std::map<std::string, SavedLayer> saved_layers(const std::string& run_folder)
{
    std::map<std::string, SavedLayer> saved;
    const auto index = read_index(run_folder);
    for (const auto& [stage, entry] : index.items()) {
        SavedLayer one;
        one.file = run_folder + "/layers/" + entry.value("file", "");
        one.below = entry.value("below", std::vector<std::string>());
        if (fs::is_regular_file(one.file))
            saved[stage] = std::move(one);
    }
    return saved;
}

awaitable<void> read_layer(engine::Engine& engine, const Owner& owner, const StageLayer& layer, engine::WritePiece tar,
                           Intend intend)
{
    const auto carrier = object_name(owner, "save");
    auto labels = labels_of(owner);
    std::vector<engine::Mount> mounts{volume_mount(layer.volume, k_layer)};
    intend(engine::ObjectKind::container, carrier);
    std::exception_ptr failure;
    try {
        co_await create_carrier(engine, carrier, std::move(labels), std::move(mounts));
        co_await engine.download(carrier, k_layer, tar);
    } catch (...) {
        failure = std::current_exception();
    }
    co_await engine.remove(engine::ObjectKind::container, carrier);
    if (failure)
        std::rethrow_exception(failure);
}

awaitable<void> save_layer(engine::Engine& engine, const Owner& owner, const StageLayer& layer,
                           const std::string& run_folder, Intend intend)
{
    fs::create_directories(run_folder + "/layers");
    const auto name = sha256_hex(layer.stage).substr(0, 16) + ".tar";
    const auto path = run_folder + "/layers/" + name;
    const Fd file(::open((path + ".part").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file)
        throw errno_error(errno, path);
    try {
        const auto write = write_to(file, path);
        co_await read_layer(engine, owner, layer, write, intend);
        sync_file(file, path); // the index tells that it is whole
    } catch (...) {
        fs::remove(path + ".part");
        throw;
    }
    fs::rename(path + ".part", path);
    auto index = read_index(run_folder);
    index[layer.stage] = {{"file", name}, {"below", layer.below}};
    write_file_atomic(index_path(run_folder), index.dump(), 0600);
}

awaitable<StageLayer> restore_layer(engine::Engine& engine, const Owner& owner, const SavedLayer& saved, Intend intend)
{
    engine::VolumeSpec spec;
    spec.name = object_name(owner, "upper");
    spec.labels = labels_of(owner);
    intend(engine::ObjectKind::volume, spec.name);
    const auto volume = co_await engine.create_volume(spec);

    const auto carrier = object_name(owner, "fill");
    auto labels = labels_of(owner);
    std::vector<engine::Mount> mounts{volume_mount(spec.name, k_layer)};
    intend(engine::ObjectKind::container, carrier);
    co_await create_carrier(engine, carrier, std::move(labels), std::move(mounts));
    const Fd file(::open(saved.file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file)
        throw errno_error(errno, saved.file);
    const auto read = read_from(file, saved.file);
    co_await engine.upload(carrier, "/", read);
    co_await engine.remove(engine::ObjectKind::container, carrier);

    StageLayer layer;
    layer.stage = owner.stage;
    layer.volume = spec.name;
    layer.path = volume.mountpoint;
    layer.below = saved.below;
    co_return layer;
}

} // namespace gantry::runner
