#pragma once

#include "base/async.hpp"
#include "engine/spec.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::engine {

enum class Stream { out, err };

// Takes output as it comes, in order per stream. Awaited, so a slow sink slows the reading and memory stays bounded.
// `bytes` is valid during the call only.
class OutputSink {
public:
    virtual ~OutputSink() = default;
    virtual awaitable<void> write(Stream stream, std::string_view bytes) = 0;
};

// Gives or takes the bytes of a tar archive, in pieces. An empty piece ends it.
using ReadPiece = std::function<awaitable<std::string>()>;
using WritePiece = std::function<awaitable<void>(std::string_view)>;

// The open standard streams of one container. Destroying it closes the connection; the process goes on.
class Attachment {
public:
    virtual ~Attachment() = default;

    // Copies output into `sink` until both streams have ended. Call once. Throws unavailable when the engine goes away
    // in the middle; bytes already written stay written.
    virtual awaitable<void> read_all(OutputSink& sink) = 0;
    // For containers with open_stdin; may overlap with read_all().
    virtual awaitable<void> write(std::string_view bytes) = 0;
    virtual awaitable<void> close_stdin() = 0;
    // For a TTY.
    virtual awaitable<void> resize(int columns, int rows) = 0;
};

// What a builder says, in order.
struct BuildEvent {
    enum class Kind {
        step,   // instruction `step` of `steps` (that are known so far) begins; text: the instruction
        cached, // its result was there already
        output, // text: bytes of its command
    } kind = Kind::output;
    int step = 0, steps = 0; // from 1
    Stream stream = Stream::out;
    std::string text;
};
using TellBuild = std::function<awaitable<void>(const BuildEvent&)>;

struct ExecSpec {
    std::vector<std::string> command;
    std::vector<std::pair<std::string, std::string>> environment;
    std::string user, working_dir;
    bool tty = false;
    bool open_stdin = false;
};

// A running exec: an Attachment, and the exit code once read_all() has returned.
class ExecSession : public Attachment {
public:
    virtual awaitable<int> exit_code() = 0;
};

// Runs containers: Docker's API, a fake for tests, later the embedded engine.
//
// One object per process, used from one executor; all calls may overlap. Objects are named by the caller, and every name
// is unique at the engine. For one container the order is
//     create → attach → start → (read_all beside wait) → remove
// with attach before start (or its first bytes are lost), and remove last. Every call has its own deadline inside
// (see each) and may be cancelled; a cancelled call may or may not have had its effect. A creation is seen through: once it
// has returned, cancelled or not, the object is there or will never be, so that a removal finds it; but for one that threw
// timed_out.
//
// Errors, wherever they are not named: unavailable (the engine is not there or went away), timed_out (no answer),
// denied (no permission at the engine), no_space (its disk is full), internal. A step that exits non-zero is not an error.
class Engine {
public:
    virtual ~Engine() = default;

    // What it is; throws unavailable with a hint when it cannot be used here. 10 s.
    virtual awaitable<EngineInfo> probe() = 0;

    // ---- images

    // The image by that name or id, if the engine has it. 30 s. Throws bad_input for what no image can be called.
    virtual awaitable<std::optional<ImageInfo>> find_image(const std::string& image) = 0;
    // Fetches it from its registry, with the user's credentials for that registry. Equal pulls that overlap are one.
    // `progress` is called at most 20 times a second. Gives up after 120 s without any progress. Throws not_found (no such image or
    // tag, or none of that platform), denied (registry), unavailable (registry or network; retried inside, up to 5 times).
    virtual awaitable<ImageInfo> pull_image(const std::string& image, const std::string& platform,
                                            std::function<void(const PullProgress&)> progress) = 0;
    // Makes an image of one layer from a tar archive, under `tag`, with labels. For the network holder and for tests.
    virtual awaitable<ImageInfo> import_image(const std::string& tag, const Labels& labels,
                                              const std::vector<std::string>& command, std::string tar) = 0;
    // Makes an image from a stopped container, under `tag`.
    virtual awaitable<ImageInfo> commit_container(const std::string& container, const std::string& tag,
                                                  const Labels& labels) = 0;

    // Builds an image from a context, which is sent as it is read (and not read at all where the spec has a remote one): memory
    // does not grow with it. A compressed archive (gzip, bzip2, xz) is one, too. Base images are pulled with
    // the user's credentials for their registries. A slow `tell` slows the builder. There is no deadline for an instruction
    // but FROM, of whose image nothing may be heard for as long as a pull may say nothing (Docker; timed_out); 600 s from the end
    // of the context to the first word. Cancelling ends the build. An instruction that fails is a
    // result. Throws bad_input (the Dockerfile is missing or cannot be read: its line is in the words; a spec that cannot
    // be), not_found (a base image, or one of the platform asked for) and denied (a base image), unavailable (its registry), and what `context` throws.
    virtual awaitable<BuildResult> build_image(const BuildSpec& spec, ReadPiece context, TellBuild tell) = 0;
    // Gives an image a further name; one that has that name loses it. 30 s. Throws not_found, bad_input (no such name can be).
    virtual awaitable<void> tag_image(const std::string& image, const std::string& tag) = 0;
    // Sends an image to the registry that its name says, with the user's credentials for it; layers that are there are not
    // sent. `progress` is called at most 20 times a second. Gives up after 120 s without any progress (timed_out).
    // Throws not_found (no such image here, or no such repository there), denied (registry), bad_input (the name),
    // unavailable (registry or network, or it limits how often one may push; retried inside, up to 5 times in all).
    virtual awaitable<Pushed> push_image(const std::string& image, std::function<void(const PushProgress&)> progress) = 0;
    // One archive of images with all of their layers, as `docker save` makes it: whole once its empty piece has come. A name
    // without a tag is :latest. Throws not_found, and bad_input as find_image(). Gives up after 600 s without a first byte, or 120 s without the next.
    virtual awaitable<void> save_images(const std::vector<std::string>& images, WritePiece archive) = 0;
    // Takes in the images of such an archive, compressed or not; an image that has a name already loses it. Returns what was
    // loaded: tags, or ids of images without one. Throws bad_input for anything else. Streams; 600 s after the last byte.
    virtual awaitable<std::vector<std::string>> load_images(ReadPiece archive) = 0;
    // The images with all of these labels (an empty value matches any), by their first tag. 30 s.
    virtual awaitable<std::vector<ImageEntry>> list_images(const Labels& labels) = 0;

    // ---- networks and volumes. 30 s each. Throws conflict when the name exists, bad_input for a spec that cannot be
    // (an overlapping subnet, an unknown driver).

    virtual awaitable<void> create_network(const NetworkSpec& spec) = 0;
    // By its whole name alone: an engine that takes ids, too, is not asked for those.
    virtual awaitable<std::optional<NetworkInfo>> find_network(const std::string& name) = 0;
    virtual awaitable<VolumeInfo> create_volume(const VolumeSpec& spec) = 0;
    virtual awaitable<std::optional<VolumeInfo>> find_volume(const std::string& name) = 0;

    // ---- containers

    // Throws not_found (image), conflict (name), bad_input (the engine refuses the spec), unsupported (with the name of
    // the key). Returns what of the spec the engine leaves out, in its words. 60 s.
    virtual awaitable<std::vector<std::string>> create_container(const ContainerSpec& spec) = 0;
    // Opens the streams of a created container. `tty` and `open_stdin` as in its spec. 30 s. Throws bad_input as start_container()
    // does, where the engine prepares the process here already (Podman).
    struct AttachOptions {
        bool tty = false;
        bool open_stdin = false;
    };
    virtual awaitable<std::unique_ptr<Attachment>> attach(const std::string& container, const AttachOptions& options) = 0;
    // Returns once its process exists. Throws bad_input when the process cannot be run (no such program, bad user),
    // with the engine's words. 120 s.
    virtual awaitable<void> start_container(const std::string& container) = 0;
    // Returns when the process has ended, even if it ended before the call. No deadline. Cancelling stops the waiting
    // only. Throws not_found when the container is gone, unavailable when the engine is. After a SIGKILL that this engine did not
    // send it may take a second longer: that much later some engines tell that the memory was used up.
    virtual awaitable<ContainerExit> wait_container(const std::string& container) = 0;
    // Sends a signal ("SIGTERM", "KILL", "15") to its main process. Nothing happens if it does not run. 30 s.
    virtual awaitable<void> kill_container(const std::string& container, const std::string& signal) = 0;
    // Tells what a running container uses, at once or within a second and then about once a second, until it has ended; the last
    // word may be a second old. Returns as soon for one that does not run. No deadline. Throws not_found.
    virtual awaitable<void> watch_use(const std::string& container, std::function<void(const ResourceUse&)> on_use) = 0;
    // missing when there is none of that name. 30 s.
    virtual awaitable<ContainerStatus> inspect_container(const std::string& container) = 0;
    // Starts a further process in a running container. Throws conflict when it does not run. 30 s to start.
    virtual awaitable<std::unique_ptr<ExecSession>> exec(const std::string& container, const ExecSpec& spec) = 0;

    // Unpacks an uncompressed tar at `path` (must exist) in a created or running container or its volumes. Streams.
    virtual awaitable<void> upload(const std::string& container, const std::string& path, ReadPiece tar) = 0;
    // The tar of a file or folder; works on created, running and exited containers. Throws not_found. Streams.
    virtual awaitable<void> download(const std::string& container, const std::string& path, WritePiece tar) = 0;
    // Where a path of a container leads that is a symbolic link: from the root, all links followed as a process in it would follow
    // them, whether anything is there or not. Empty: it is none, or download() follows it anyway. Throws not_found where nothing is at `path`. 30 s.
    virtual awaitable<std::string> follow_link(const std::string& container, const std::string& path) = 0;

    // ---- what is there, and taking it away

    // Everything, of all kinds but images, that carries all of these labels (an empty value matches any), whoever made
    // it and in whatever state; containers before networks before volumes. 30 s.
    virtual awaitable<std::vector<Object>> list(const Labels& labels) = 0;
    // The same with images, and with what each takes: the engine measures, which may take long. By kind and name. 300 s.
    virtual awaitable<std::vector<StoredObject>> list_stored(const Labels& labels) = 0;
    // Removes it, killing a container first; with its anonymous volumes. It is no error if there is none, or if it is being
    // removed already (then returns when it is gone); but of one whose creation timed out and that is not there yet it throws
    // unavailable. Retries "in use" for up to 10 s. 60 s.
    virtual awaitable<void> remove(ObjectKind kind, const std::string& name) = 0;
    // Takes a name off the image with this id, and removes the image with its last one; one without a name goes by its id. False
    // where no image is called that, or another one is: then nothing happens. Where a container has the image its last name stays,
    // unlike with remove(): throws conflict. 60 s.
    virtual awaitable<bool> remove_image(const std::string& name, const std::string& id) = 0;

    // ---- events

    // Calls `on_event` for what happens to objects with these labels, until cancelled; reconnects by itself and then reports
    // `lost` and `restored`. Events between the two may be missed: the caller inspects. `ready` is called once the
    // first connection stands.
    virtual awaitable<void> watch(const Labels& labels, std::function<void()> ready,
                                  std::function<void(const EngineEvent&)> on_event) = 0;
};

} // namespace gantry::engine
