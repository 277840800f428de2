#pragma once

#include "pipeline/frontend/model_types.hpp"

namespace gantry::pipeline::native {

// Carries out `compose` of every stage: services of Compose files (Compose specification, v2 and v3; docs/compose.md) are
// added to the stage's own, and volumes and networks that they use to the pipeline's, which win over those of the same
// name. `root` is the tree that `definition` was read from. Adds the files that were read to `sources`; every problem is
// reported with its place there. Never throws for anything that a file contains.
struct ComposeInput {
    const Node& root;
    const ReadFile& read_file;
    NodePool& pool;
    Sources& sources;
    Diagnostics& diagnostics;
};
void add_compose_services(const ComposeInput& input, Reader& reader, Definition& definition);

} // namespace gantry::pipeline::native
