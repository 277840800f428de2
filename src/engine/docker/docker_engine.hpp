#pragma once

#include "engine/docker/api.hpp"
#include "engine/docker/bodies.hpp"
#include "engine/engine.hpp"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace gantry::engine::docker {

// For an answer that the daemon has to hand.
inline constexpr auto k_limit = 30s;
// Between two reports of the progress of a pull or push.
inline constexpr auto k_progress_interval = 50ms;

struct PullInFlight;

// Its functions are defined by subject: docker.cpp, images.cpp, build.cpp, push.cpp, containers.cpp, streams.cpp, objects.cpp,
// events.cpp, use.cpp, image_archives.cpp.
class DockerEngine final : public Engine {
public:
    DockerEngine(asio::thread_pool& pool, DockerOptions options);
    ~DockerEngine() override;

    awaitable<EngineInfo> probe() override;
    awaitable<std::optional<ImageInfo>> find_image(const std::string& image) override;
    awaitable<ImageInfo> pull_image(const std::string& image, const std::string& platform,
                                    std::function<void(const PullProgress&)> progress) override;
    awaitable<ImageInfo> import_image(const std::string& tag, const Labels& labels,
                                      const std::vector<std::string>& command, std::string tar) override;
    awaitable<ImageInfo> commit_container(const std::string& container, const std::string& tag,
                                          const Labels& labels) override;
    awaitable<BuildResult> build_image(const BuildSpec& spec, ReadPiece context, TellBuild tell) override;
    awaitable<void> tag_image(const std::string& image, const std::string& tag) override;
    awaitable<Pushed> push_image(const std::string& image, std::function<void(const PushProgress&)> progress) override;
    awaitable<void> save_images(const std::vector<std::string>& images, WritePiece archive) override;
    awaitable<std::vector<std::string>> load_images(ReadPiece archive) override;
    awaitable<std::vector<ImageEntry>> list_images(const Labels& labels) override;
    awaitable<void> create_network(const NetworkSpec& spec) override;
    awaitable<VolumeInfo> create_volume(const VolumeSpec& spec) override;
    awaitable<std::optional<NetworkInfo>> find_network(const std::string& name) override;
    awaitable<std::optional<VolumeInfo>> find_volume(const std::string& name) override;
    awaitable<std::vector<std::string>> create_container(const ContainerSpec& spec) override;
    awaitable<std::unique_ptr<Attachment>> attach(const std::string& container, const AttachOptions& options) override;
    awaitable<void> start_container(const std::string& container) override;
    awaitable<ContainerExit> wait_container(const std::string& container) override;
    awaitable<void> kill_container(const std::string& container, const std::string& signal) override;
    awaitable<void> watch_use(const std::string& container, std::function<void(const ResourceUse&)> on_use) override;
    awaitable<ContainerStatus> inspect_container(const std::string& container) override;
    awaitable<std::unique_ptr<ExecSession>> exec(const std::string& container, const ExecSpec& spec) override;
    awaitable<void> upload(const std::string& container, const std::string& to, ReadPiece tar) override;
    awaitable<void> download(const std::string& container, const std::string& path, WritePiece tar) override;
    awaitable<std::string> follow_link(const std::string& container, const std::string& path) override;
    awaitable<std::vector<Object>> list(const Labels& labels) override;
    awaitable<std::vector<StoredObject>> list_stored(const Labels& labels) override;
    awaitable<void> remove(ObjectKind kind, const std::string& name) override;
    awaitable<bool> remove_image(const std::string& name, const std::string& id) override;
    awaitable<void> watch(const Labels& labels, std::function<void()> ready,
                          std::function<void(const EngineEvent&)> on_event) override;

private:
    Dialect dialect() const;
    awaitable<ImageInfo> existing_image(const std::string& image);
    awaitable<ImageInfo> pull_alone(const std::string& image, const std::string& platform, PullInFlight& flight);
    // Sees a creation through, also when it is cancelled: the daemon goes on with one whose connection has ended, and a removal would
    // come before it. `creation` is a coroutine function object.
    awaitable<void> create(ObjectKind kind, std::string name, std::function<awaitable<void>()> creation);
    awaitable<void> connect_further(const ContainerSpec& spec);
    // Throws conflict unless what holds its network runs. Podman would start the holder along with it, once more.
    awaitable<void> check_network_holder(const std::string& container);
    // Podman unpacks beneath what is mounted, not into it: makes an archive for below `path` one for the mount that it is about.
    awaitable<void> turn_into_mount(const std::string& container, std::string& path, ReadPiece& tar);
    // Whether the daemon tells, soon at the latest, that something in the container's cgroup was killed for want of memory.
    awaitable<bool> oom_is_told(const std::string& container, std::chrono::system_clock::time_point started);
    awaitable<bool> end_is_told(const std::string& container);
    awaitable<void> wait_until_gone(const std::string& container);
    awaitable<ContainerExit> wait_on_podman(const std::string& container);
    awaitable<void> remove_or_retry(ObjectKind kind, const std::string& name);

    std::shared_ptr<Api> api_;
    std::map<std::string, std::shared_ptr<PullInFlight>> pulls_;
    std::set<std::string> killed_; // containers that were sent a signal and not yet waited for
    std::set<std::pair<ObjectKind, std::string>> doubtful_; // that they are not there is no reason to believe that they will not be
};

// "/containers/x/start" and the like.
inline std::string container_path(const std::string& container, const std::string& rest)
{
    return "/containers/" + encode_path(container) + rest;
}

} // namespace gantry::engine::docker
