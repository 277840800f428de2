#pragma once

#include "base/clock.hpp"
#include "engine/engine.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gantry::engine {

struct FakeDaemon;

// Of EngineInfo.
inline constexpr const char* k_fake_endpoint = "fake:";

// Something that a process writes while it runs.
struct FakeOutput {
    std::chrono::nanoseconds after{0}; // since it began
    Stream stream = Stream::out;
    std::string bytes;
};

// What a container of the fake engine does when it is started.
struct FakeBehaviour {
    std::chrono::nanoseconds runs_for{0};
    int exit_code = 0;
    bool oom_killed = false;
    std::string exit_error; // ContainerExit::error
    std::string output;               // to stdout, as it begins
    std::string error_output;         // to stderr, as it begins
    std::vector<FakeOutput> says;     // later, in the order of their times; what would come after the end is not written
    bool ignores_signals = false;     // all but SIGKILL
    bool never_ends = false;          // until it is killed
    // It begins when its input is closed; runs_for counts from then. If nothing was written by then it ends at once with 1,
    // as `read -r line && …` does.
    bool waits_for_stdin = false;
    bool echoes_stdin = false;        // writes what it reads to stdout; with it, it ends runs_for after its input is closed
    std::chrono::nanoseconds stops_within{0}; // from a signal to its end
    std::optional<int> exit_code_on_signal;   // default: 128 + the signal
    std::chrono::nanoseconds healthy_after{0}; // with a health check in the spec: "starting" until then, since the start
    bool unhealthy = false;           // what it is then
    std::string start_error;          // not empty: its process cannot be run, start throws bad_input with this
    ResourceUse uses;                 // what watch_use() tells, each second; all zero: nobody counts it
    std::map<std::string, std::string> files; // absolute path: contents; for download() when it has ended, or never ends
};

// Every call that was made, in order, for tests to look at: "create_container web", "kill_container web SIGTERM", …
struct FakeCall {
    std::string operation; // name of the function of Engine, Attachment (read_all, write, …) or "event" (on_latency only)
    std::string object;    // container, network, volume or image
    std::string detail;
};
std::string to_string(const FakeCall& call);

// What a build does. By default it says each line of the Dockerfile as a step, and succeeds.
struct FakeBuildBehaviour {
    std::optional<std::vector<BuildEvent>> says;
    std::chrono::nanoseconds runs_for{0}; // before its end
    int exit_code = 0;                    // of its last step; not 0: the build fails
    std::string error;
};

// What build_image() was given.
struct FakeBuild {
    BuildSpec spec;
    std::string context; // the archive
};

// The bytes that upload() was given.
struct FakeUpload {
    std::string container, path, tar;
};

// An Engine without containers. It runs on the test's clock, checks that its caller keeps the order that engine.hpp
// demands (a violation is recorded and thrown as internal), and injects failures. Files that are uploaded can be
// downloaded again, also through another container with the same volume, and what is written to an overlay of volumes goes to its
// upper one; deletions there are not known.
//
// A cancelled call has had its effect or not: half of its latency lies before the effect and half behind it.
// The executor's context outlives the engine. Calls that are still waiting when the engine goes away are dropped.
class FakeEngine final : public Engine {
public:
    FakeEngine(asio::any_io_executor executor, Clock& clock);
    ~FakeEngine() override;
    FakeEngine(const FakeEngine&) = delete;

    // Decides what a container with the label gantry.step does; called at start. Default: exits 0 at once without output.
    // The others hold something for a stage or a run: they run until they are killed.
    void on_start(std::function<FakeBehaviour(const ContainerSpec&)> decide);
    // The same for exec(). Its files and its health do not count. Default: it exits 0, in a container whose health check does
    // not pass (yet) 1.
    void on_exec(std::function<FakeBehaviour(const std::string& container, const ExecSpec&)> decide);
    // Called before each operation takes effect; may throw (the failure to inject). Called again, with "after " in front of
    // the operation, when it has taken effect and before the caller learns it: throwing then is an answer that got lost.
    void on_call(std::function<void(const FakeCall&)> hook);
    // How long each operation takes; default: none. Asked for operation "event" (detail: started, died, …) too: how long
    // after the last one an event reaches a watcher.
    void on_latency(std::function<std::chrono::nanoseconds(const FakeCall&)> latency);
    // Images that exist; default: every name does. Others give not_found.
    void only_images(std::vector<std::string> images);
    // Images that exist, but at their registry only until they are pulled.
    void images_to_pull(std::vector<std::string> images);
    // A network or volume that exists although nobody creates it here.
    void provide(const Object& object);
    // Keep no copy of what upload() and build_image() are given: every file is there then, and no Dockerfile is looked for.
    void forget_uploads();
    // Decides what a build does; `dockerfile` is its text.
    void on_build(std::function<FakeBuildBehaviour(const BuildSpec&, const std::string& dockerfile)> decide);
    // Labels that containers and networks must carry. Default: gantry.instance and gantry.run; of volumes, which may
    // outlive a run, only the first is demanded.
    void require_labels(std::vector<std::string> keys);
    // What create_container() returns from now on.
    void leave_out(std::vector<std::string> sentences);
    // The daemon goes away (every call throws unavailable, attachments break, events report lost) and comes back. What
    // does not survive has exited with 137 then, without an event. Containers are there in both cases.
    void go_away();
    void come_back(bool containers_survive);

    const std::vector<FakeCall>& calls() const;
    const std::vector<std::string>& violations() const; // of the caller's duties
    const std::vector<FakeUpload>& uploads() const;
    const std::vector<FakeBuild>& builds() const;
    std::vector<Object> objects() const;                // what exists now
    std::vector<std::string> started() const;           // names of containers, in the order they were started
    const ContainerSpec* spec_of(const std::string& container) const; // also after removal; null if there was never one
    std::string stdin_of(const std::string& container) const;         // what was written to it, also after removal
    // Contents by path below its root. Of a volume that is an overlay: what its containers have seen or written.
    std::map<std::string, std::string> files_of(const std::string& volume) const;
    std::string describe() const; // what exists, who waits for it and the last calls: for a test that is stuck

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
    awaitable<void> upload(const std::string& container, const std::string& path, ReadPiece tar) override;
    awaitable<void> download(const std::string& container, const std::string& path, WritePiece tar) override;
    awaitable<std::string> follow_link(const std::string& container, const std::string& path) override; // it has none
    awaitable<std::vector<Object>> list(const Labels& labels) override;
    awaitable<std::vector<StoredObject>> list_stored(const Labels& labels) override;
    awaitable<void> remove(ObjectKind kind, const std::string& name) override;
    awaitable<bool> remove_image(const std::string& name, const std::string& id) override;
    awaitable<void> watch(const Labels& labels, std::function<void()> ready,
                          std::function<void(const EngineEvent&)> on_event) override;

private:
    std::shared_ptr<FakeDaemon> daemon_;
};

} // namespace gantry::engine
