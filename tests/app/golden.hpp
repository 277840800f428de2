#pragma once

#include "base/file.hpp"
#include "support/catch.hpp"
#include "support/source_dir.hpp"

#include <cstdlib>
#include <string>

namespace gantry::test {

// The text of tests/data/app/<name>. With UPDATE_GOLDEN set the file is written instead, and the test says so.
inline void check_golden(const std::string& name, const std::string& text)
{
    const auto path = source_dir() + "/tests/data/app/" + name;
    if (const char* update = std::getenv("UPDATE_GOLDEN"); update && *update) {
        write_file_atomic(path, text, 0644);
        WARN("skipped: " << path << " was rewritten");
        return;
    }
    CHECK(read_file(path, 1 << 20) == text);
}

} // namespace gantry::test
