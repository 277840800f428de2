#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What is kept of a stage's files, as its manifest tells it.

namespace gantry::cache {

struct Artifact {
    enum class Type { file, folder, link };
    std::string path; // below the workspace: bytes that need not be UTF-8; see is_artifact_path()
    Type type = Type::file;
    unsigned mode = 0;      // permission bits, at most 0777
    std::int64_t mtime = 0; // seconds since 1970
    std::uint32_t mtime_nanoseconds = 0;
    std::uint64_t size_bytes = 0; // of a file
    std::string digest;           // of a file: SHA-256 as lower-case hex
    std::string target;           // of a link; see is_inside()
    friend bool operator==(const Artifact&, const Artifact&) = default;
};

// Names joined by '/': none is empty, "." or "..", none has more than 255 bytes, all of them at most 4096 in at most 200.
bool is_artifact_path(std::string_view path);
// Whether a link at `path` cannot lead out of the folder that its path is below, whatever other links of that kind are there:
// its target is relative and has ".." only at its beginning, no more of them than there are folders above.
bool is_inside(std::string_view path, std::string_view target);

struct ArtifactSum {
    std::uint64_t files = 0;      // links count, folders do not
    std::uint64_t size_bytes = 0; // of their contents
    friend bool operator==(const ArtifactSum&, const ArtifactSum&) = default;
};

struct Manifest {
    std::string run, stage;
    std::chrono::system_clock::time_point saved{};                  // to the millisecond
    std::optional<std::chrono::system_clock::time_point> expires{}; // absent: never
    std::vector<Artifact> artifacts; // no path twice, and none below that of a file or link
    friend bool operator==(const Manifest&, const Manifest&) = default;
};
ArtifactSum sum_of(const Manifest& manifest);

// A manifest as text: a line of JSON for its head, one for each artifact, and one with the SHA-256 of those before it.
std::string print_manifest(const Manifest& manifest);
// Throws bad_input with what is wrong: not our format, not what was printed, or paths and links that cannot be; unsupported for
// the format of another version.
Manifest parse_manifest(std::string_view text);

// The first line alone; it tells what there is, without a proof.
struct ManifestHead {
    Manifest manifest; // without its artifacts
    ArtifactSum sum;
};
ManifestHead parse_manifest_head(std::string_view line);

struct ArtifactLimits { // of one stage
    std::uint64_t size_bytes = std::uint64_t(2) << 30;
    std::uint64_t files = 100'000; // folders and links count, too
};
// The defaults, or what GANTRY_ARTIFACTS_MAX ("5g", as in parse_size()) and GANTRY_ARTIFACTS_MAX_FILES say. Throws bad_input.
ArtifactLimits artifact_limits_from_environment();

} // namespace gantry::cache
