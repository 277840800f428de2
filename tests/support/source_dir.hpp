#pragma once

#include <string>

namespace gantry::test {

// The root of the source tree: where tests/data and docs are. Absolute, without a slash at its end.
std::string source_dir();

} // namespace gantry::test
