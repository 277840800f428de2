#pragma once

#include "pipeline/definition.hpp"
#include "pipeline/frontend/yaml_tree.hpp"

namespace gantry::pipeline::native {

constexpr int k_max_includes = 32;

// Reads a file and all it includes into one tree: what is included comes first, the including file wins. Maps are merged
// key by key, `stages` by the stages' names, everything else is replaced. Fills `sources`, the first of them the file
// itself. Null pointer when there is no tree to work with; the reason is in `diagnostics`.
Node* read_with_includes(const std::string& path, const ReadFile& read_file, NodePool& pool, Sources& sources,
                         Diagnostics& diagnostics);

} // namespace gantry::pipeline::native
