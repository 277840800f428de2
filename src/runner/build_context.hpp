#pragma once

#include "engine/engine.hpp"
#include "runner/lower_build.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace gantry::runner {

// The context of a build, read from a stage's workspace through a carrier that mounts it, and sent on to the builder as it
// comes.
class PiecePipe;

class BuildContext {
public:
    // `carrier` is a container with the workspace in it. It, the engine and the pool outlive this. `pool` unpacks an archive to
    // find its Dockerfile; none: the loop does.
    BuildContext(engine::Engine& engine, asio::thread_pool* pool, std::string carrier, LoweredBuild build);

    // With a context in the workspace: follows links, reads .dockerignore, and a Dockerfile that is not in it, and settles how the
    // spec names that. Throws bad_input that says what is wrong.
    awaitable<void> open();
    const engine::BuildSpec& spec() const { return build_.spec; }
    // As a person knows it: "api/Dockerfile", "Dockerfile (inline)".
    const std::string& dockerfile_name() const { return name_; }
    // Of its instructions; empty when the file could not be read here, or comes with a context that was not sent yet.
    const std::vector<int>& dockerfile_lines() const { return lines_; }

    struct Sent {
        std::uint64_t files = 0, bytes = 0;
    };
    // Builds. `sent` is called once, when the whole context is on its way. Throws what build_image() throws, not_found apart for a
    // context that is not there: that is bad_input.
    awaitable<engine::BuildResult> build(engine::TellBuild tell, std::function<void(Sent)> sent);

private:
    awaitable<std::optional<std::string>> read_small(std::string path);
    awaitable<std::string> followed(std::string path, const char* key);
    awaitable<void> read_outside_dockerfile(std::string path);
    void understand(const std::string& dockerfile);
    awaitable<Sent> send(PiecePipe& pipe);

    engine::Engine& engine_;
    asio::thread_pool* pool_;
    std::string carrier_;
    LoweredBuild build_;
    std::string name_, ignore_;
    std::optional<std::string> added_dockerfile_; // its text, when it is not in the context
    std::vector<int> lines_;
};

} // namespace gantry::runner
