#pragma once

#include "pipeline/definition.hpp"

namespace gantry::pipeline {

// Reads `.gantry.yml` (docs/pipeline.md) and what it includes. Never throws for anything that the text contains:
// every problem is a Diagnostic, all of them at once (the first hundred). Bounded whatever the input: 512 KiB of text,
// 32 KiB a line, 64 levels, 80,000 nodes and 10,000 more by aliases, 10,000 steps, 32 includes; beyond that a diagnostic
// says which limit was met.
// Only what one file can say for itself is checked here; what needs the whole (cycles, unknown names, …) is in checks.hpp.
Parsed parse_native(const std::string& path, const ReadFile& read_file);

// The definition as `.gantry.yml`; parse_native() of it gives an equal definition.
std::string print_native(const Definition& definition);

// JSON Schema 2020-12 of the format, from the table of keys that the parser uses.
std::string native_schema();

} // namespace gantry::pipeline
