#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry {

enum class ProcessStreams {
    capture, // stdin is `input`, stdout and stderr are kept
    inherit, // the child talks to our terminal: editors
};

struct ProcessSpec {
    std::vector<std::string> argv; // no shell; argv[0] is looked up on PATH if it has no slash
    std::string input;
    std::vector<std::pair<std::string, std::string>> environment; // added to ours, or in place of ours
    std::string directory;                                        // ours if empty
    ProcessStreams streams = ProcessStreams::capture;
    std::optional<std::chrono::nanoseconds> deadline = std::chrono::seconds(30);
    std::size_t output_limit_bytes = 1 << 20; // of each stream; what comes after is read and dropped
};

struct ProcessResult {
    int exit_code = 0; // 128 + signal if it was killed by one
    int signal = 0;    // 0 if it exited
    std::string output;
    std::string error_output;
    bool truncated = false; // output_limit_bytes was not enough
};

// Runs a child to its end; blocks, so use on_pool. What the child leaves in the background does not hold it up.
// The child inherits no descriptors but stdin, stdout and stderr, has default signal handlers, and with
// ProcessStreams::capture its own process group, which is killed at the deadline.
// not_found: no such program or directory. denied: not executable. timed_out: "<program>: no answer within 30s".
ProcessResult run_process(const ProcessSpec& spec);

// The executable file that `name` means: the first on PATH, or `name` itself if it has a slash.
std::optional<std::string> find_program(std::string_view name);

} // namespace gantry
