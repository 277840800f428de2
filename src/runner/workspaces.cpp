#include "runner/workspaces.hpp"

#include "base/file.hpp"
#include "base/format.hpp"
#include "runner/carrier.hpp"
#include "runner/layer_merge.hpp"
#include "runner/overlay.hpp"
#include "runner/stage_conflicts.hpp"
#include "runner/tar.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>

namespace gantry::runner {

namespace {

// ---- overlay

class OverlayStage final : public StageWorkspace {
public:
    OverlayStage(std::string merged, StageLayer layer) : merged_(std::move(merged)), layer_(std::move(layer)) {}
    engine::Mount mount() const override { return volume_mount(merged_, k_workspace); }
    StageLayer layer() const override { return layer_; }

private:
    std::string merged_;
    StageLayer layer_;
};

class EmptyWorkspaces final : public WorkspaceProvider {
public:
    explicit EmptyWorkspaces(engine::Engine& engine) : engine_(engine) {}
    bool sees_our_disk() const override { return false; }
    awaitable<void> prepare(Intend) override { co_return; }
    void give_up() override {}

    awaitable<std::unique_ptr<StageWorkspace>> open(const WorkspaceRequest& request, Intend intend) override
    {
        engine::VolumeSpec spec;
        spec.name = object_name(request.owner, "ws");
        spec.labels = labels_of(request.owner);
        intend(engine::ObjectKind::volume, spec.name);
        const auto made = co_await engine_.create_volume(spec);
        StageLayer layer;
        layer.stage = request.owner.stage;
        layer.volume = spec.name;
        layer.path = made.mountpoint;
        co_return std::make_unique<OverlayStage>(spec.name, std::move(layer));
    }

private:
    engine::Engine& engine_;
};

class Workspaces final : public WorkspaceProvider {
public:
    Workspaces(engine::Engine& engine, asio::thread_pool& pool, Log log, WorkspacesOptions options)
        : engine_(engine), pool_(pool), log_(std::move(log)), options_(std::move(options))
    {
        options_.source.stop = stop_.get_token();
    }

    bool sees_our_disk() const override { return kind_ == WorkspaceKind::overlay; }
    std::string shared_folder() const override { return options_.cache_folder; }
    bool is_in_source(const std::string& path) const override { return is_in(snapshot_, path); }

    awaitable<void> prepare(Intend intend) override
    {
        try {
            co_await both(take(), ask(intend));
        } catch (...) {
            failure_ = std::current_exception();
        }
        prepared_ = true;
        if (changed_)
            changed_->notify_all();
        if (failure_)
            std::rethrow_exception(failure_);
    }

    void give_up() override { stop_.request_stop(); }

    awaitable<std::unique_ptr<StageWorkspace>> open(const WorkspaceRequest& request, Intend intend) override
    {
        if (!changed_)
            changed_ = std::make_unique<Signal>(co_await asio::this_coro::executor);
        co_await changed_->wait_until([this] { return prepared_; });
        if (failure_)
            std::rethrow_exception(failure_);
        if (kind_ == WorkspaceKind::overlay)
            co_return co_await open_overlay(request, intend);
        co_return co_await open_copy(request, intend);
    }

private:
    awaitable<void> take()
    {
        auto work = [source = options_.source] { return take_snapshot(source); };
        snapshot_ = co_await on_pool(pool_, std::move(work));
        log_.debug("snapshot", {{"files", std::to_string(snapshot_.files)},
                                {"copied", std::to_string(snapshot_.copied_files)},
                                {"layers", std::to_string(snapshot_.layers.size())}});
    }

    awaitable<void> ask(const Intend& intend)
    {
        kind_ = co_await probe_workspaces(engine_, options_, intend);
        if (!can_be_lower(options_.source.cache_folder))
            kind_ = WorkspaceKind::copy;
    }

    awaitable<engine::VolumeInfo> plain_volume(const Owner& owner, const char* role, const Intend& intend)
    {
        engine::VolumeSpec spec;
        spec.name = object_name(owner, role);
        spec.labels = labels_of(owner);
        intend(engine::ObjectKind::volume, spec.name);
        co_return co_await engine_.create_volume(spec);
    }

    awaitable<std::unique_ptr<StageWorkspace>> open_overlay(const WorkspaceRequest& request, const Intend& intend)
    {
        const auto& stack = request.stack;
        if (!request.last_wins)
            co_await refuse_conflicts(request, intend);

        const auto upper = co_await plain_volume(request.owner, "upper", intend);
        const auto work = co_await plain_volume(request.owner, "work", intend);
        OverlayFolders folders;
        for (auto layer = stack.rbegin(); layer != stack.rend(); ++layer)
            folders.lowers.push_back(layer->path);
        folders.lowers.insert(folders.lowers.end(), snapshot_.layers.begin(), snapshot_.layers.end());
        folders.upper = upper.mountpoint;
        folders.work = work.mountpoint;
        if (!fits_overlay(folders))
            throw Error(Errc::unsupported, "the workspace has too many layers (" + std::to_string(folders.lowers.size()) + ")",
                        "let fewer stages hand on their files: workspace: clean");
        const auto spec = overlay_volume(object_name(request.owner, "ws"), labels_of(request.owner), folders);
        intend(engine::ObjectKind::volume, spec.name);
        co_await engine_.create_volume(spec);

        StageLayer layer;
        layer.stage = request.owner.stage;
        layer.volume = upper.name;
        layer.path = upper.mountpoint;
        for (const auto& below : stack)
            layer.below.push_back(below.stage);
        co_return std::make_unique<OverlayStage>(spec.name, std::move(layer));
    }

    awaitable<void> refuse_conflicts(const WorkspaceRequest& request, const Intend& intend)
    {
        ConflictSearch search;
        search.request = request;
        search.intend = intend;
        search.cache_folder = options_.cache_folder;
        search.mounts_overlays = kind_ == WorkspaceKind::overlay;
        co_await runner::refuse_conflicts(engine_, pool_, search);
    }

    // ---- copy

    awaitable<std::unique_ptr<StageWorkspace>> open_copy(const WorkspaceRequest& request, const Intend& intend)
    {
        // A whole copy holds all that was below it, so the topmost one is enough; above it are parts.
        const auto& stack = request.stack;
        const auto whole = std::find_if(stack.rbegin(), stack.rend(), [](const StageLayer& layer) { return !layer.is_part; }).base();
        refuse_separate(request, static_cast<std::size_t>(whole - stack.begin()));
        if (!request.last_wins)
            co_await refuse_conflicts(request, intend);

        const auto volume = co_await plain_volume(request.owner, "ws", intend);
        std::vector<engine::Mount> mounts{volume_mount(volume.name, k_workspace)};
        std::vector<std::string> sources;
        for (auto layer = whole == stack.begin() ? whole : whole - 1; layer != stack.end(); ++layer) {
            sources.push_back("/from/" + std::to_string(sources.size()));
            mounts.push_back(volume_mount(layer->volume, sources.back()));
        }
        const auto carrier = object_name(request.owner, "fill");
        intend(engine::ObjectKind::container, carrier);
        auto labels = labels_of(request.owner);
        co_await create_carrier(engine_, carrier, std::move(labels), std::move(mounts));
        if (whole == stack.begin())
            co_await send_snapshot(carrier);
        for (const auto& source : sources)
            co_await copy_in_container(engine_, pool_, carrier, source, "/", "workspace", options_.cache_folder);
        co_await engine_.remove(engine::ObjectKind::container, carrier);
        StageLayer layer;
        layer.stage = request.owner.stage;
        layer.volume = volume.name;
        layer.path = volume.mountpoint;
        for (const auto& below : request.stack)
            layer.below.push_back(below.stage);
        co_return std::make_unique<OverlayStage>(volume.name, std::move(layer));
    }

    // Copies can be put above one another only where the lower one is part of the upper: `end` is behind the topmost whole one.
    static void refuse_separate(const WorkspaceRequest& request, std::size_t end)
    {
        const auto& stack = request.stack;
        bool fits = true;
        for (std::size_t i = 0; end > 0 && i < stack.size(); ++i)
            if (i + 1 != end)
                fits = fits && (i < end ? is_stacked_on(stack[end - 1], stack[i]) : is_stacked_on(stack[i], stack[end - 1]));
        if (!fits)
            throw Error(Errc::unsupported,
                        "stage " + request.owner.stage + " needs the files of several stages, which this engine cannot stack",
                        "let each of them say what it hands on (artifacts: paths), let it need one stage, "
                        "or use an engine on this machine (gantry doctor says why)");
    }

    awaitable<void> send_snapshot(const std::string& carrier)
    {
        const auto next = tar_of(snapshot_);
        engine::ReadPiece read = [this, next]() -> awaitable<std::string> {
            auto work = [&next] { return next(); };
            co_return co_await on_pool(pool_, std::move(work));
        };
        co_await engine_.upload(carrier, k_workspace, read);
    }

    engine::Engine& engine_;
    asio::thread_pool& pool_;
    Log log_;
    WorkspacesOptions options_;
    Snapshot snapshot_;
    WorkspaceKind kind_ = WorkspaceKind::copy;
    std::unique_ptr<Signal> changed_;
    bool prepared_ = false;
    std::exception_ptr failure_;
    std::stop_source stop_;
};

// ---- the probe

std::string verdict_path(const WorkspacesOptions& options)
{
    const auto key = sha256_hex(options.info.id + '\n' + options.info.endpoint + '\n' + options.cache_folder).substr(0, 16);
    return options.cache_folder + "/engines/" + key;
}

// A folder of ours that goes with this, whatever ends the probe.
class ProbeFolder {
public:
    explicit ProbeFolder(std::string path) : path_(std::move(path)) { make_directories(path_, 0755); }
    ProbeFolder(const ProbeFolder&) = delete;
    ~ProbeFolder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

// True when the engine mounts a folder of ours as the lower layer of a volume and finds the file that we put there. Throws what
// says nothing of that: the next run may fare better.
awaitable<bool> can_overlay(engine::Engine& engine, const WorkspacesOptions& options, const Intend& intend)
{
    const auto nonce = random_hex(8);
    Owner owner;
    owner.instance = options.instance;
    owner.run = options.run.empty() ? "probe-" + nonce : options.run;
    const ProbeFolder folder(options.cache_folder + "/engines/probe-" + nonce);
    write_file_atomic(folder.path() + "/nonce", nonce, 0644);

    std::vector<std::pair<engine::ObjectKind, std::string>> made;
    const auto announce = [&](engine::ObjectKind kind, const std::string& name) {
        intend(kind, name);
        made.emplace_back(kind, name);
    };
    const auto make_volume = [&](const char* role) {
        engine::VolumeSpec spec;
        spec.name = object_name(owner, role);
        spec.labels = labels_of(owner);
        announce(engine::ObjectKind::volume, spec.name);
        return spec;
    };
    bool seen = false;
    std::optional<Error> failure;
    try {
        const auto upper_spec = make_volume("upper");
        const auto upper = co_await engine.create_volume(upper_spec);
        const auto work_spec = make_volume("work");
        const auto work = co_await engine.create_volume(work_spec);
        OverlayFolders folders;
        folders.lowers.push_back(folder.path());
        folders.upper = upper.mountpoint;
        folders.work = work.mountpoint;
        const auto merged = overlay_volume(object_name(owner, "ws"), labels_of(owner), folders);
        announce(engine::ObjectKind::volume, merged.name);
        co_await engine.create_volume(merged);
        const auto carrier = object_name(owner, "fill");
        announce(engine::ObjectKind::container, carrier);
        auto labels = labels_of(owner);
        std::vector<engine::Mount> mounts{volume_mount(merged.name, k_workspace)};
        co_await create_carrier(engine, carrier, std::move(labels), std::move(mounts));
        const auto files = co_await download_small_files(engine, carrier, k_workspace, 1 << 20);
        const auto found = files.find("workspace/nonce");
        seen = found != files.end() && found->second == nonce;
    } catch (const Error& error) {
        if (error.code() == Errc::unavailable || error.code() == Errc::timed_out || error.code() == Errc::no_space)
            failure = error;
    }
    try {
        for (auto object = made.rbegin(); object != made.rend(); ++object)
            co_await engine.remove(object->first, object->second);
    } catch (const Error&) {
        // Whoever was told of them removes them later.
    }
    if (failure)
        throw *failure;
    co_return seen;
}

} // namespace

std::string_view to_string(WorkspaceKind kind)
{
    return kind == WorkspaceKind::overlay ? "overlay" : "copy";
}

awaitable<WorkspaceKind> probe_workspaces(engine::Engine& engine, const WorkspacesOptions& options, Intend intend, bool again)
{
    const auto path = verdict_path(options);
    if (!again) {
        try {
            const auto known = read_file(path, 64);
            if (known == "overlay" || known == "copy")
                co_return known == "overlay" ? WorkspaceKind::overlay : WorkspaceKind::copy;
        } catch (const Error&) {
            // Not asked yet.
        }
    }
    const bool overlay = can_be_lower(options.cache_folder) && co_await can_overlay(engine, options, intend);
    const auto kind = overlay ? WorkspaceKind::overlay : WorkspaceKind::copy;
    make_directories(options.cache_folder + "/engines", 0755);
    write_file_atomic(path, std::string(to_string(kind)), 0644);
    co_return kind;
}

std::unique_ptr<WorkspaceProvider> make_workspaces(engine::Engine& engine, asio::thread_pool& pool, Log log,
                                                   WorkspacesOptions options)
{
    return std::make_unique<Workspaces>(engine, pool, std::move(log), std::move(options));
}

std::unique_ptr<WorkspaceProvider> make_empty_workspaces(engine::Engine& engine)
{
    return std::make_unique<EmptyWorkspaces>(engine);
}

} // namespace gantry::runner
