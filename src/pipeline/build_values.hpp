#pragma once

#include "pipeline/container_values.hpp"

#include <string>
#include <string_view>

// What the values of `build` and `push` may be, as far as that can be told without an engine.

namespace gantry::pipeline {

struct BuildPlace {
    enum class Kind { folder, archive, remote } kind = Kind::folder;
    std::string path;          // in the containers, without '/' at its end; of a remote one its address
    std::string problem, hint; // why nothing can be built from it; empty: it can
};

// `context`: a folder or an archive (by its name) of the workspace, or a git repository that the engine clones.
BuildPlace build_context(std::string_view written);

// Whether `context` is meant as an address, good or bad, and not as a path.
bool is_build_address(std::string_view context);

// `dockerfile` where the context is the folder `context`, which it may lie outside of.
BuildPlace build_dockerfile(std::string_view written, std::string_view context);

// `dockerfile` where the context is an archive or a repository: as it is, and never outside of that.
BuildPlace sent_dockerfile(std::string_view written);

// default, none or host.
extern const ValueRule k_build_network_rule;
// A name that an image can be given.
extern const ValueRule k_tag_rule;
// An image that layers are taken from: other kinds of caches (type=registry,…) are for other builders.
extern const ValueRule k_cache_from_rule;

// Whether it has a registry or a user: not even a registry of one's own takes an image without.
bool names_registry(std::string_view image);
inline constexpr const char* k_registry_hint = "write registry.example/name:tag";

} // namespace gantry::pipeline
