#pragma once

#include "pipeline/definition.hpp"

#include <set>

namespace gantry::pipeline {

// What an engine can honour; anything else that a definition asks for is reported with its position.
struct Capabilities {
    std::string engine;              // for the message: "docker"
    // of "services", "files", "scope", "caches", "build", "build-secrets", "push", "artifacts", "approval", …
    std::set<std::string> features;
    std::set<std::string> container_keys; // names of Container keys, as in the file; "*" for all
};

// Problems that need the whole definition: cycles and unknown names in `needs`, duplicate stage and step names,
// unknown volumes and networks, expressions that do not parse, name or type errors in them, text that an outsider
// controls pasted into `run`, matrices without rows or with too many, and (when `capabilities` is given) what the engine
// does not support, and (when `read_file` is) files of `env_file` that are not there or say something else.
Diagnostics check(const Definition& definition, const Capabilities* capabilities = nullptr, const ReadFile& read_file = {});

// The parser's problems and these, sorted. Where the parser refused something, what may only follow from that is left out.
Diagnostics check(const Parsed& parsed, const Capabilities* capabilities = nullptr, const ReadFile& read_file = {});

} // namespace gantry::pipeline
