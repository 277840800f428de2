#pragma once

#include "pipeline/frontend/compose_tree.hpp"

// volumes, configs and secrets of a Compose service: what it finds in its file system.
//
// A folder of the repository cannot be bound from the host: the engine may be on another one. So a relative path, and the
// file of a config or secret, becomes one of the service's `files`, which are copied into it before it starts; what it
// changes there is not written back. Paths from the root of the host stay binds.
//
// compose_mounts.cpp makes long forms, compose_files.cpp lowers them.

namespace gantry::pipeline::native {

// An item of `volumes` in the long form of our own volumes. A path of the repository is a bind whose source is "./" and
// the path from its root. Null pointer after an error, which has been reported.
Node* canonical_mount(ComposeWorld& world, Node& item, const std::string& folder);

// An item of a service's `configs` or `secrets` as {source, target, …}; the target stays away where none is named.
Node* canonical_grant(ComposeWorld& world, Node& item, const std::string& folder);

// Whether configs and secrets of a merged file are declared well, also those that no service uses.
void check_granted(ComposeWorld& world, const Node& file);

// Gives `service`, in our words, the `volumes` and `files` of a canonical service.
void lower_mounts(ComposeWorld& world, const Node& file, const Node& from, Node& service);

} // namespace gantry::pipeline::native
