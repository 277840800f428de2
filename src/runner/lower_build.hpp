#pragma once

#include "engine/spec.hpp"
#include "runner/lower.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

// A step's `build:` and `push:` in the engine's words. Pure.

namespace gantry::runner {

struct LoweredBuild {
    engine::BuildSpec spec; // `dockerfile` as in the file: from the context
    std::string context;    // in a container with the workspace: "/workspace/api"; empty: spec.remote
    bool is_archive = false; // it is a file, a tar archive with the context in it
    // The Dockerfile is not in the context: its path in such a container, or its text.
    std::string outside_dockerfile;
    std::optional<std::string> inline_dockerfile;
};
// The step has a build. Throws bad_input: an expression fails, a folder that is not in the workspace, a name that no image
// can have, consent is missing.
LoweredBuild lower_build(const StepContext& context);

struct LoweredPush {
    std::string image;              // the one to push; empty: what the step builds
    std::vector<std::string> names; // to push it under
};
// The step has a push; `built` are the names of what it builds. Throws bad_input.
LoweredPush lower_push(const StepContext& context, const std::vector<std::string>& built);

// The names that the build of a service gives, as far as they are written out, by full_name(); none: it has no build.
std::set<std::string> built_names(const pipeline::Service& service);

// The names that builds and pushes of this plan will give, of steps and of services, as far as they are written out, by
// full_name(): not to be pulled ahead.
std::set<std::string> made_images(const pipeline::Plan& plan);

} // namespace gantry::runner
