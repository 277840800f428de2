#include "engine/fake/fake.hpp"

#include "base/error.hpp"
#include "base/image_reference.hpp"
#include "base/sha256.hpp"
#include "engine/fake/daemon.hpp"

// The calls of Engine: each one arrives, has its effect at one moment, and is answered.

namespace gantry::engine {

namespace {

FakeDaemon::Call call_of(std::string operation, std::string object, std::string detail = {})
{
    FakeDaemon::Call call;
    call.what = {std::move(operation), std::move(object), std::move(detail)};
    return call;
}

// As list() wants them, for the record.
std::string text_of(const Labels& labels)
{
    std::string text;
    for (const auto& [key, value] : labels)
        text += (text.empty() ? "" : " ") + key + "=" + value;
    return text;
}

} // namespace

awaitable<EngineInfo> FakeEngine::probe()
{
    const auto daemon = daemon_;
    auto call = call_of("probe", {});
    co_await daemon->arrive(call);
    EngineInfo info;
    info.name = "fake";
    info.version = "1";
    info.api_version = "1";
    info.id = "fake";
    info.endpoint = k_fake_endpoint;
    info.os = "linux";
    info.architecture = "amd64";
    info.root_dir = "/fake";
    info.cgroup_version = "2";
    info.storage_driver = "fake";
    info.cpus = 4;
    info.memory_bytes = std::uint64_t{8} << 30;
    info.local = false; // binds of this machine's folders are not seen in its containers
    co_await daemon->answer(call);
    co_return info;
}

awaitable<std::optional<ImageInfo>> FakeEngine::find_image(const std::string& image)
{
    const auto daemon = daemon_;
    auto call = call_of("find_image", image);
    co_await daemon->arrive(call);
    std::optional<ImageInfo> info;
    if (daemon->has_image(image))
        info = daemon->image_info(image);
    co_await daemon->answer(call);
    co_return info;
}

awaitable<ImageInfo> FakeEngine::pull_image(const std::string& image, const std::string& platform,
                                            std::function<void(const PullProgress&)> progress)
{
    const auto daemon = daemon_;
    auto call = call_of("pull_image", image, platform);
    co_await daemon->arrive(call);
    auto info = daemon->pull(image, progress);
    co_await daemon->answer(call);
    co_return info;
}

awaitable<ImageInfo> FakeEngine::import_image(const std::string& tag, const Labels&, const std::vector<std::string>&,
                                              std::string tar)
{
    const auto daemon = daemon_;
    auto call = call_of("import_image", tag);
    co_await daemon->arrive(call);
    daemon->made_images.insert(full_name(tag));
    daemon->imported[full_name(tag)] = "sha256:" + sha256_hex(tar);
    daemon->named_images.erase(tag);
    auto info = daemon->image_info(tag);
    daemon->made_images.insert(full_name(info.id));
    co_await daemon->answer(call);
    co_return info;
}

awaitable<ImageInfo> FakeEngine::commit_container(const std::string& container, const std::string& tag, const Labels&)
{
    const auto daemon = daemon_;
    auto call = call_of("commit_container", container, tag);
    co_await daemon->arrive(call);
    if (daemon->container(container)->running())
        daemon->violate("commit_container " + container + ", which still runs");
    daemon->made_images.insert(full_name(tag));
    auto info = daemon->image_info(tag);
    co_await daemon->answer(call);
    co_return info;
}

awaitable<void> FakeEngine::create_network(const NetworkSpec& spec)
{
    const auto daemon = daemon_;
    auto call = call_of("create_network", spec.name);
    co_await daemon->arrive(call);
    daemon->create(spec);
    co_await daemon->answer(call);
}

awaitable<VolumeInfo> FakeEngine::create_volume(const VolumeSpec& spec)
{
    const auto daemon = daemon_;
    auto call = call_of("create_volume", spec.name);
    co_await daemon->arrive(call);
    auto info = daemon->create(spec);
    co_await daemon->answer(call);
    co_return info;
}

awaitable<std::optional<NetworkInfo>> FakeEngine::find_network(const std::string& name)
{
    const auto daemon = daemon_;
    auto call = call_of("find_network", name);
    co_await daemon->arrive(call);
    std::optional<NetworkInfo> info;
    if (daemon->networks.contains(name))
        info = NetworkInfo{name, name == "host" ? "host" : "bridge"};
    co_await daemon->answer(call);
    co_return info;
}

awaitable<std::optional<VolumeInfo>> FakeEngine::find_volume(const std::string& name)
{
    const auto daemon = daemon_;
    auto call = call_of("find_volume", name);
    co_await daemon->arrive(call);
    std::optional<VolumeInfo> info;
    if (daemon->volumes.contains(name))
        info = VolumeInfo{name, FakeDaemon::mountpoint(name)};
    co_await daemon->answer(call);
    co_return info;
}

awaitable<std::vector<std::string>> FakeEngine::create_container(const ContainerSpec& spec)
{
    const auto daemon = daemon_;
    auto call = call_of("create_container", spec.name, spec.image);
    co_await daemon->arrive(call);
    daemon->create(spec);
    co_await daemon->answer(call);
    co_return daemon->settings.left_out;
}

awaitable<std::unique_ptr<Attachment>> FakeEngine::attach(const std::string& container, const AttachOptions& options)
{
    const auto daemon = daemon_;
    auto call = call_of("attach", container);
    co_await daemon->arrive(call);
    auto attached = daemon->attach(container, options);
    auto attachment = make_attachment(daemon, std::move(attached));
    co_await daemon->answer(call);
    co_return attachment;
}

awaitable<void> FakeEngine::start_container(const std::string& container)
{
    const auto daemon = daemon_;
    auto call = call_of("start_container", container);
    co_await daemon->arrive(call);
    daemon->start(container);
    const auto started = daemon->find(container);
    co_await daemon->answer(call);
    started->start_answered = true;
}

awaitable<ContainerExit> FakeEngine::wait_container(const std::string& container)
{
    const auto daemon = daemon_;
    auto call = call_of("wait_container", container);
    co_await daemon->arrive(call);
    const auto found = daemon->container(container);
    if (found->state == ContainerState::created)
        daemon->violate("wait_container " + container + ", which was not started");
    while (found->running()) {
        co_await found->ended.wait();
        daemon->check_connection(call);
    }
    co_await daemon->answer(call);
    co_return found->exit;
}

awaitable<void> FakeEngine::kill_container(const std::string& container, const std::string& signal)
{
    const auto daemon = daemon_;
    auto call = call_of("kill_container", container, signal);
    co_await daemon->arrive(call);
    const int number = signal_number(signal);
    if (const auto found = daemon->find(container); found && found->running())
        found->process->signal(number);
    co_await daemon->answer(call);
}

awaitable<ContainerStatus> FakeEngine::inspect_container(const std::string& container)
{
    const auto daemon = daemon_;
    auto call = call_of("inspect_container", container);
    co_await daemon->arrive(call);
    auto status = daemon->status_of(container);
    co_await daemon->answer(call);
    co_return status;
}

awaitable<std::unique_ptr<ExecSession>> FakeEngine::exec(const std::string& container, const ExecSpec& spec)
{
    const auto daemon = daemon_;
    auto call = call_of("exec", container, spec.command.empty() ? std::string() : spec.command.front());
    co_await daemon->arrive(call);
    const auto found = daemon->container(container);
    if (spec.command.empty())
        daemon->violate("exec in " + container + " without a command");
    auto session = start_exec(daemon, found, spec);
    co_await daemon->answer(call);
    co_return session;
}

awaitable<void> FakeEngine::upload(const std::string& container, const std::string& path, ReadPiece tar)
{
    const auto daemon = daemon_;
    auto call = call_of("upload", container, path);
    co_await daemon->arrive(call);
    const auto found = daemon->container(container);
    std::string archive;
    for (;;) {
        const std::string piece = co_await tar();
        daemon->check_connection(call);
        if (piece.empty())
            break;
        archive += piece;
    }
    daemon->unpack(*found, path, std::move(archive));
    co_await daemon->answer(call);
}

awaitable<void> FakeEngine::download(const std::string& container, const std::string& path, WritePiece tar)
{
    const auto daemon = daemon_;
    auto call = call_of("download", container, path);
    co_await daemon->arrive(call);
    auto files = load_files(*daemon->container(container), path);
    if (!files && !daemon->settings.keeps_uploads)
        files = FakeFiles{{"folder/", ""}};
    if (!files)
        throw Error(Errc::not_found, "no such file in container " + container + ": " + path);
    const auto archive = write_tar(*files);
    constexpr std::size_t k_piece = 64 * 1024;
    for (std::size_t at = 0; at < archive.size(); at += k_piece) {
        co_await tar(std::string_view(archive).substr(at, k_piece));
        daemon->check_connection(call);
    }
    co_await tar(std::string_view());
    co_await daemon->answer(call);
}

awaitable<std::string> FakeEngine::follow_link(const std::string& container, const std::string& path)
{
    const auto daemon = daemon_;
    auto call = call_of("follow_link", container, path);
    co_await daemon->arrive(call);
    const bool is_there = load_files(*daemon->container(container), path) || !daemon->settings.keeps_uploads;
    co_await daemon->answer(call);
    if (!is_there)
        throw Error(Errc::not_found, "no such file in container " + container + ": " + path);
    co_return std::string();
}

awaitable<std::vector<Object>> FakeEngine::list(const Labels& labels)
{
    const auto daemon = daemon_;
    auto call = call_of("list", {}, text_of(labels));
    co_await daemon->arrive(call);
    auto found = daemon->list(labels);
    co_await daemon->answer(call);
    co_return found;
}

awaitable<std::vector<StoredObject>> FakeEngine::list_stored(const Labels& labels)
{
    const auto daemon = daemon_;
    auto call = call_of("list_stored", {}, text_of(labels));
    co_await daemon->arrive(call);
    auto stored = daemon->list_stored(labels);
    co_await daemon->answer(call);
    co_return stored;
}

awaitable<void> FakeEngine::watch_use(const std::string& container, std::function<void(const ResourceUse&)> on_use)
{
    using namespace std::chrono_literals;
    const auto daemon = daemon_;
    auto call = call_of("watch_use", container);
    co_await daemon->arrive(call);
    const auto found = daemon->container(container);
    while (found->running()) {
        const auto uses = found->process->behaviour().uses;
        if (uses == ResourceUse()) { // nobody counts it, and simulated hours have no seconds
            co_await found->ended.wait();
            daemon->check_connection(call);
            continue;
        }
        on_use(uses);
        auto second = daemon->clock.sleep_for(1s);
        auto end = found->ended.wait();
        co_await first_of(std::move(second), std::move(end));
        daemon->check_connection(call);
    }
    co_await daemon->answer(call);
}

awaitable<void> FakeEngine::remove(ObjectKind kind, const std::string& name)
{
    using namespace std::chrono_literals;
    const auto daemon = daemon_;
    auto call = call_of("remove", name, std::string(to_string(kind)));
    co_await daemon->arrive(call);
    const auto deadline = daemon->clock.now() + 10s;
    while (const auto user = daemon->user_of(kind, name)) {
        if (daemon->clock.now() >= deadline)
            throw Error(Errc::conflict,
                        std::string(to_string(kind)) + " " + name + " is in use by container " + *user);
        co_await daemon->clock.sleep_for(100ms);
        daemon->check_connection(call);
    }
    daemon->remove(kind, name);
    co_await daemon->answer(call);
}

awaitable<bool> FakeEngine::remove_image(const std::string& name, const std::string& id)
{
    const auto daemon = daemon_;
    auto call = call_of("remove_image", name, id);
    co_await daemon->arrive(call);
    const bool is_removed = daemon->remove_image(name, id);
    co_await daemon->answer(call);
    co_return is_removed;
}

awaitable<void> FakeEngine::watch(const Labels& labels, std::function<void()> ready,
                                  std::function<void(const EngineEvent&)> on_event)
{
    const auto daemon = daemon_;
    daemon->calls.push_back({"watch", {}, text_of(labels)});
    const FakeSubscription subscription(daemon, labels);
    while (daemon->away)
        co_await daemon->back.wait();
    if (ready)
        ready();
    auto& watcher = *subscription.watcher;
    for (;;) {
        while (watcher.events.empty())
            co_await watcher.changed.wait();
        const auto event = std::move(watcher.events.front());
        watcher.events.pop_front();
        const auto delay = daemon->event_latency(event);
        if (delay.count() > 0)
            co_await daemon->clock.sleep_for(delay);
        on_event(event);
    }
}

} // namespace gantry::engine
