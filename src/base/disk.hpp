#pragma once

#include <cstdint>
#include <optional>
#include <string>

// What disks have and folders take. Blocking.

namespace gantry {

struct DiskRoom {
    std::uint64_t free_bytes = 0; // for us; less than what the file system has where it keeps some for root
    std::uint64_t size_bytes = 0;
};
// Of the file system that `path` lies on, or that it would: the nearest folder above that exists is asked. Nothing when that
// cannot be looked at.
std::optional<DiskRoom> disk_room(const std::string& path);

// What a file or folder takes, without what goes on below links: blocks, and a file with several names once. What cannot be
// read, or goes away meanwhile, counts as nothing.
std::uint64_t disk_usage(const std::string& path);

} // namespace gantry
