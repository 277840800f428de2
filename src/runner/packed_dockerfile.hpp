#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gantry::runner {

// The Dockerfile in a context that is an archive, found while that passes, so that errors can tell its lines. Holds the first
// 4 MiB of the archive in memory.
class PackedDockerfile {
public:
    // As `build.dockerfile` names it: relative to the top of the archive.
    explicit PackedDockerfile(std::string path) : path_(std::move(path)) {}

    // The next bytes of the archive: tar, plain or by gzip, bzip2, xz or zstd.
    void see(std::string_view bytes);
    // Nothing for one that is not in what was seen, lies behind 32 MiB of other contents, or has more than 1 MiB. Total:
    // whatever the archive is. Unpacks it, which may take a second: use on_pool.
    std::optional<std::string> find() const;

private:
    std::string path_, start_;
};

} // namespace gantry::runner
