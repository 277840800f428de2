#include "runner/opaque_folders.hpp"

#include "base/file.hpp"
#include "base/format.hpp"
#include "runner/carrier.hpp"
#include "runner/overlay.hpp"
#include "runner/tar_reader.hpp"
#include "runner/tree_writer_root.hpp"

#include <filesystem>

namespace gantry::runner {

namespace {

constexpr std::uint64_t k_small_bytes = 256 << 10;
const std::string k_seen = "/seen";

// Folders of ours below and above the layer. What is below has a mark in each folder that is asked about: where the mark is not
// seen, the layer hides it. What is above has empty files in the place of large ones, which the engine need not send then.
class Surroundings {
public:
    explicit Surroundings(const std::string& parent) : folder_(parent + "/view-" + random_hex(8)), mark_(".gantry-" + random_hex(16))
    {
        std::filesystem::create_directories(above());
        std::filesystem::create_directories(below());
    }
    Surroundings(const Surroundings&) = delete;
    ~Surroundings()
    {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    std::string above() const { return folder_ + "/above"; }
    std::string below() const { return folder_ + "/below"; }
    const std::string& mark() const { return mark_; }

    void fill(const LayerChanges& changes, const std::set<std::string>& folders) const
    {
        TreeWriterRoot marks(below()), covers(above());
        for (const auto& folder : folders)
            put(marks, folder + "/" + mark_);
        for (const auto& [path, change] : changes)
            if (change.size_bytes > k_small_bytes)
                put(covers, path);
        marks.finish();
        covers.finish();
    }

private:
    static void put(TreeWriterRoot& root, const std::string& path)
    {
        root.file(split(path, '/'), 0644, {}, [](const Fd&) {});
    }

    std::string folder_, mark_;
};

class MarkFinder final : public TarSink {
public:
    explicit MarkFinder(std::string mark) : mark_("/" + std::move(mark)) {}
    void begin(const TarEntry& entry) override
    {
        const auto top = k_seen.size(); // and a slash, instead of the one before it
        if (entry.path.ends_with(mark_) && entry.path.size() > top + mark_.size())
            found.insert(entry.path.substr(top, entry.path.size() - top - mark_.size()));
    }
    void contents(std::string_view) override {}
    void end() override {}
    std::set<std::string> found;

private:
    std::string mark_;
};

} // namespace

awaitable<std::set<std::string>> opaque_folders(engine::Engine& engine, asio::thread_pool& pool, const LayerView& view,
                                                const LayerChanges& changes, const std::set<std::string>& folders)
{
    const Surroundings surroundings(view.shared_folder);
    auto fill = [&] { surroundings.fill(changes, folders); };
    co_await on_pool(pool, std::move(fill));

    OverlayFolders stack;
    stack.lowers = {surroundings.above(), view.layer, surroundings.below()};
    const auto volume = overlay_volume(object_name(view.owner, "seen"), labels_of(view.owner), stack);
    const auto carrier = object_name(view.owner, "see");
    view.intend(engine::ObjectKind::volume, volume.name);
    co_await engine.create_volume(volume);
    view.intend(engine::ObjectKind::container, carrier);
    auto labels = labels_of(view.owner);
    std::vector<engine::Mount> mounts{volume_mount(volume.name, k_seen)};
    co_await create_carrier(engine, carrier, std::move(labels), std::move(mounts));
    MarkFinder finder(surroundings.mark());
    TarReader reader(finder);
    const engine::WritePiece read = [&reader](std::string_view piece) -> awaitable<void> {
        reader.feed(piece);
        co_return;
    };
    co_await engine.download(carrier, k_seen, read);
    reader.finish();
    co_await engine.remove(engine::ObjectKind::container, carrier);
    co_await engine.remove(engine::ObjectKind::volume, volume.name);

    auto opaque = folders;
    for (const auto& folder : finder.found)
        opaque.erase(folder);
    co_return opaque;
}

} // namespace gantry::runner
