#pragma once

#include "base/file.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

struct stat;

namespace gantry::runner {

// Fills a new layer: a plain directory that appears under its name when it is whole. Folders are 0755, files 0644 or 0755,
// whatever they were, so that every user in a container may read them. Nothing waits for the disk.
class LayerWriter {
public:
    // `path` must not exist; what an earlier attempt left beside it is removed.
    explicit LayerWriter(const std::string& path);
    ~LayerWriter(); // without publish(): removes it all

    void folder(const std::string& path);
    // Copies the file `path` of `source`; never follows a link. Returns what fstat said before the copy, or nothing when
    // it is no regular file any more. Throws denied when we may not read it.
    bool copy(const Fd& source, const std::string& source_path, const std::string& path, bool executable, struct stat& info);
    // The same file as another layer's (a hard link). False when the file system refuses.
    bool link_file(const std::string& existing, const std::string& path);
    void symlink(const std::string& target, const std::string& path);
    void file(const std::string& path, std::string_view bytes, bool executable, std::int64_t mtime_seconds);
    // Hides `path` of lower layers (overlayfs' whiteout). False when we may not make one.
    bool whiteout(const std::string& path);

    // For code that writes a file by its path. Its folder is there once another file is in it.
    std::string path_of(const std::string& path) const { return draft_ + "/" + path; }

    void publish();

private:
    Fd create(const std::string& path, bool executable);
    void need_parent(const std::string& path);

    std::string path_, draft_;
    Fd root_;
    std::unordered_set<std::string> folders_;
    bool published_ = false;
};

} // namespace gantry::runner
