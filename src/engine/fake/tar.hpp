#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace gantry::engine {

// Files by path; a path that ends in "/" is a folder, with empty contents.
using FakeFiles = std::map<std::string, std::string>;

// A ustar archive (POSIX.1-1988) of these, in their order, owned by root. Throws unsupported for a path that ustar
// cannot hold (255 bytes, and 100 behind some "/").
std::string write_tar(const FakeFiles& files);

// The regular files and folders of a ustar, pax or GNU archive; links and devices are passed over. Throws bad_input for
// what is no archive.
FakeFiles read_tar(std::string_view archive);

} // namespace gantry::engine
