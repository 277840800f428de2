#pragma once

#include "engine/docker/json.hpp"
#include "engine/engine.hpp"

#include <optional>
#include <string>

namespace gantry::engine::docker {

// The messages of POST /build, of Docker's own builder and of Podman's, as events; pure. Podman tells how many instructions a
// stage has, not how many there are: `steps` is those of the stages that have begun. What a command prints may look like
// the builder's own words: then a line of a log is told in another way, and nothing else.
class BuildMessages {
public:
    std::optional<BuildEvent> add(const Json& message);

    // The last image that was made, "sha256:…"; with several stages the last stage's.
    const std::string& image_id() const { return image_id_; }
    // The builder's words, once it has failed.
    const std::string& error() const { return error_; }
    // The failure is that of a command, which exited with this; 0: it is not.
    int exit_code() const { return exit_code_; }
    // The instruction that began last; 0: none did.
    int step() const { return step_; }
    // It gets an image from elsewhere: its failure may be a registry's.
    bool fetches() const { return fetches_; }
    // It is a FROM of which no more has been heard than the progress of a pull: what comes next comes from a registry, if from
    // elsewhere at all. Never with Podman's words for a pull, which are lines of output.
    bool awaits_base_image() const { return awaits_base_image_; }

private:
    std::optional<BuildEvent> add_text(const std::string& text);

    std::string image_id_, error_;
    std::string made_; // the beginning of the last image's id, as Podman tells it
    int step_ = 0, before_stage_ = 0, exit_code_ = 0;
    bool fetches_ = false, awaits_base_image_ = false, line_end_due_ = false;
};

} // namespace gantry::engine::docker
