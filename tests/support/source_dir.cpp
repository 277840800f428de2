#include "support/source_dir.hpp"

namespace gantry::test {

std::string source_dir() { return GANTRY_SOURCE_DIR; }

} // namespace gantry::test
