#pragma once

#include "base/clock.hpp"
#include "engine/engine.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gantry::engine {

// What a container of the fake engine does when it is started.
struct FakeBehaviour {
    std::chrono::nanoseconds runs_for{0};
    int exit_code = 0;
    bool oom_killed = false;
    std::string output;               // to stdout, before it ends
    std::string error_output;         // to stderr
    bool ignores_signals = false;     // all but SIGKILL
    bool never_ends = false;          // until it is killed
    std::map<std::string, std::string> files; // absolute path: contents, found by download() afterwards
};

// Every call that was made, in order, for tests to look at: "create web", "start web", "kill web SIGTERM", …
struct FakeCall {
    std::string operation; // name of the Engine function
    std::string object;    // container, network, volume or image
    std::string detail;
};

// An Engine without containers. It runs on the test's clock, checks that its caller keeps the order that engine.hpp
// demands (a violation is recorded and thrown as internal), and injects failures.
class FakeEngine final : public Engine {
public:
    FakeEngine(asio::any_io_executor executor, Clock& clock);
    ~FakeEngine() override;

    // Decides what a container does; called at start. Default: exits 0 at once without output.
    void on_start(std::function<FakeBehaviour(const ContainerSpec&)> decide);
    // Called before each operation takes effect; may throw (the failure to inject). Called again, with "after " in front of
    // the operation, when it has taken effect and before the caller learns it: throwing then is an answer that got lost.
    void on_call(std::function<void(const FakeCall&)> hook);
    // How long each operation takes; default: none.
    void on_latency(std::function<std::chrono::nanoseconds(const FakeCall&)> latency);
    // Images that exist; default: every name does. Others give not_found.
    void only_images(std::vector<std::string> images);
    // The daemon goes away (every call throws unavailable, attachments break, events report lost) and comes back.
    void go_away();
    void come_back(bool containers_survive);

    const std::vector<FakeCall>& calls() const;
    const std::vector<std::string>& violations() const; // of the caller's duties
    std::vector<Object> objects() const;                // what exists now
    std::vector<std::string> started() const;           // names of containers, in the order they were started
    const ContainerSpec* spec_of(const std::string& container) const; // also after removal

    awaitable<EngineInfo> probe() override;
    awaitable<std::optional<ImageInfo>> find_image(const std::string& image) override;
    awaitable<ImageInfo> pull_image(const std::string& image, const std::string& platform,
                                    std::function<void(const PullProgress&)> progress) override;
    awaitable<ImageInfo> import_image(const std::string& tag, const Labels& labels,
                                      const std::vector<std::string>& command, std::string tar) override;
    awaitable<ImageInfo> commit_container(const std::string& container, const std::string& tag,
                                          const Labels& labels) override;
    awaitable<void> create_network(const NetworkSpec& spec) override;
    awaitable<VolumeInfo> create_volume(const VolumeSpec& spec) override;
    awaitable<std::optional<VolumeInfo>> find_volume(const std::string& name) override;
    awaitable<void> create_container(const ContainerSpec& spec) override;
    awaitable<std::unique_ptr<Attachment>> attach(const std::string& container, const AttachOptions& options) override;
    awaitable<void> start_container(const std::string& container) override;
    awaitable<ContainerExit> wait_container(const std::string& container) override;
    awaitable<void> kill_container(const std::string& container, const std::string& signal) override;
    awaitable<ContainerStatus> inspect_container(const std::string& container) override;
    awaitable<std::unique_ptr<ExecSession>> exec(const std::string& container, const ExecSpec& spec) override;
    awaitable<void> upload(const std::string& container, const std::string& path, ReadPiece tar) override;
    awaitable<void> download(const std::string& container, const std::string& path, WritePiece tar) override;
    awaitable<std::vector<Object>> list(const Labels& labels) override;
    awaitable<void> remove(ObjectKind kind, const std::string& name) override;
    awaitable<void> watch(const Labels& labels, std::function<void()> ready,
                          std::function<void(const EngineEvent&)> on_event) override;

private:
    struct State;
    std::shared_ptr<State> state_;
};

} // namespace gantry::engine
