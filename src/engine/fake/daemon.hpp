#pragma once

#include "engine/fake/fake.hpp"
#include "engine/fake/parking.hpp"
#include "engine/fake/process.hpp"
#include "engine/fake/tar.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What is on the other side of the fake engine's calls: its objects, its rules and its failures. The functions of
// FakeEngine are coroutines that come here, do one thing at one moment, and go back with the answer.

namespace gantry::engine {

struct FakeVolume {
    VolumeSpec spec;
    std::string id;
    std::shared_ptr<FakeFiles> files = std::make_shared<FakeFiles>(); // by path below its root: "a/b"
    std::shared_ptr<FakeFiles> upper; // of an overlay: gets what is written, too
};

struct FakeImage {
    std::string id;
    Labels labels;
    std::chrono::system_clock::time_point created{};
};

struct FakeNetwork {
    NetworkSpec spec;
    std::string id;
};

struct FakeExec {
    std::shared_ptr<FakePipe> pipe;
    std::shared_ptr<FakeInput> input;
    std::shared_ptr<FakeProcess> process;
};

struct FakeContainer {
    ContainerSpec spec;
    std::string id;
    ContainerState state = ContainerState::created;
    ContainerExit exit;
    std::string health;
    std::chrono::system_clock::time_point started{}, finished{};

    bool start_answered = false; // its caller knows that it was started
    bool attached = false;       // an attachment is open
    std::shared_ptr<FakePipe> pipe; // of the last attachment
    std::shared_ptr<FakeInput> input;
    std::shared_ptr<FakeProcess> process;
    std::vector<FakeExec> execs;
    std::shared_ptr<asio::cancellation_signal> health_check;
    Waiters ended;

    FakeFiles files; // by absolute path, outside of its mounts
    std::vector<std::pair<std::string, std::shared_ptr<FakeFiles>>> mounts; // by target
    std::map<const FakeFiles*, std::shared_ptr<FakeFiles>> uppers;          // of the mounts that are overlays

    bool running() const { return state == ContainerState::running; }
};
using FakeContainerPtr = std::shared_ptr<FakeContainer>;

// Writes to what is mounted there, or to the container itself.
void store_file(FakeContainer& container, const std::string& path, const std::string& contents);
// A file, or all that is below a folder, named as Docker names the entries of its archives: "base" or "base/…". Nothing
// if there is none.
std::optional<FakeFiles> load_files(const FakeContainer& container, const std::string& path);

struct FakeWatcher {
    Labels wanted;
    std::deque<EngineEvent> events;
    Waiters changed;
};

struct FakeDaemon : std::enable_shared_from_this<FakeDaemon> {
    // One call on its way: arrive(), the effect, answer().
    struct Call {
        FakeCall what;
        std::uint64_t epoch = 0;
        std::chrono::nanoseconds way_back{0};
    };

    FakeDaemon(asio::any_io_executor on, Clock& time) : executor(std::move(on)), clock(time) {}

    // ---- the way there and back; both throw what the test injects, and unavailable while the engine is away
    awaitable<void> arrive(Call& call);
    awaitable<void> answer(const Call& call);
    // Throws unavailable if the engine has gone away since the call arrived.
    void check_connection(const Call& call) const;
    [[noreturn]] void violate(std::string what);

    // ---- images
    bool has_image(const std::string& image) const;
    ImageInfo image_info(const std::string& image) const;
    ImageInfo pull(const std::string& image, const std::function<void(const PullProgress&)>& progress);

    void tag(const std::string& image, const std::string& tag);

    // ---- objects
    std::string new_id();
    void check_labels(ObjectKind kind, const std::string& name, const Labels& labels);
    void create(const NetworkSpec& spec);
    VolumeInfo create(const VolumeSpec& spec);
    void create(const ContainerSpec& spec);
    void check(const ContainerSpec& spec);
    void mount(FakeContainer& container);
    // A volume by what the `local` driver is given for an overlay: lowers that lie in volumes are seen, those of the host are not.
    void mount_overlay(FakeVolume& volume);
    FakeVolume* volume_at(const std::string& mountpoint);
    std::vector<Object> list(const Labels& wanted) const;
    std::vector<StoredObject> list_stored(const Labels& wanted) const;
    // The name of a container that uses it.
    std::optional<std::string> user_of(ObjectKind kind, const std::string& name) const;
    void remove(ObjectKind kind, const std::string& name);
    bool remove_image(const std::string& name, const std::string& id);
    void remove_container(const std::string& name);

    // ---- containers
    FakeContainerPtr find(const std::string& name) const;
    // Throws not_found.
    FakeContainerPtr container(const std::string& name) const;
    // For what only its owner does: a violation if there is none.
    FakeContainerPtr own_container(const std::string& name, const std::string& doing);
    FakeContainerPtr attach(const std::string& name, const Engine::AttachOptions& options);
    // Does nothing if it has been started by a call whose answer was lost.
    void start(const std::string& name);
    void check_start(const FakeContainer& container);
    FakeBehaviour behaviour_of(const ContainerSpec& spec) const;
    void watch_health(const FakeContainerPtr& container);
    void set_health(FakeContainer& container);
    void process_ended(FakeContainer& container, int exit_code, bool by_itself);
    void settle_exit(FakeContainer& container);

    ContainerStatus status_of(const std::string& name) const;
    void unpack(FakeContainer& container, const std::string& path, std::string archive);
    static constexpr const char* k_volumes = "/fake/volumes/";
    static std::string mountpoint(const std::string& volume) { return k_volumes + volume + "/_data"; }

    // ---- events
    std::chrono::nanoseconds event_latency(const EngineEvent& event) const;
    void emit(EngineEvent::Kind kind, const FakeContainer* container);

    void go_away();
    void come_back(bool containers_survive);
    // Drops whoever still waits: the engine object is going.
    void shut_down();
    std::string describe() const;

    asio::any_io_executor executor;
    Clock& clock;
    std::uint64_t epoch = 0; // rises each time the engine goes away
    bool away = false;
    Waiters back;
    std::uint64_t ids = 0;

    std::map<std::string, FakeContainerPtr> containers;
    std::map<std::string, FakeContainerPtr> ever; // the last one of each name
    std::map<std::string, FakeNetwork> networks;
    std::map<std::string, FakeVolume> volumes;
    std::set<std::string> made_images; // by full_name()
    std::map<std::string, std::string> imported; // of these: the digest of their one layer
    std::map<std::string, std::chrono::system_clock::time_point> creation_times; // of objects but images, by name
    std::map<std::string, FakeImage> named_images; // by tag or id: those that were built or tagged here
    std::set<std::string> pushed;                  // ids, with their registry
    std::list<std::shared_ptr<FakeWatcher>> watchers;

    std::vector<FakeCall> calls;
    std::vector<std::string> violations;
    std::vector<FakeUpload> uploads;
    std::vector<FakeBuild> builds;
    std::vector<std::string> started;

    struct Settings {
        std::function<FakeBehaviour(const ContainerSpec&)> on_start;
        std::function<FakeBehaviour(const std::string&, const ExecSpec&)> on_exec;
        std::function<FakeBuildBehaviour(const BuildSpec&, const std::string&)> on_build;
        std::function<void(const FakeCall&)> on_call;
        std::function<std::chrono::nanoseconds(const FakeCall&)> on_latency;
        std::optional<std::set<std::string>> only_images;
        std::set<std::string> images_to_pull;
        std::vector<std::string> required_labels = {"gantry.instance", "gantry.run"};
        std::vector<std::string> left_out;
        bool keeps_uploads = true;
    } settings;
};

// A watcher that is there as long as this is.
struct FakeSubscription {
    FakeSubscription(std::shared_ptr<FakeDaemon> at, Labels wanted);
    ~FakeSubscription();
    FakeSubscription(const FakeSubscription&) = delete;

    std::shared_ptr<FakeDaemon> daemon;
    std::shared_ptr<FakeWatcher> watcher;
};

// The streams of a container that attach() has just opened.
std::unique_ptr<Attachment> make_attachment(std::shared_ptr<FakeDaemon> daemon, FakeContainerPtr container);
// Starts the process. Throws conflict when the container does not run.
std::unique_ptr<ExecSession> start_exec(const std::shared_ptr<FakeDaemon>& daemon, const FakeContainerPtr& container,
                                        const ExecSpec& spec);

} // namespace gantry::engine
