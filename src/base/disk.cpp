#include "base/disk.hpp"

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include <sys/stat.h>
#include <sys/statvfs.h>

namespace gantry {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t k_block_bytes = 512; // st_blocks, whatever the file system's own are

class Usage {
public:
    void add(const std::string& path)
    {
        struct stat info {};
        if (::lstat(path.c_str(), &info) != 0)
            return;
        if (!S_ISDIR(info.st_mode) && info.st_nlink > 1 && !seen_.emplace(info.st_dev, info.st_ino).second)
            return;
        bytes_ += static_cast<std::uint64_t>(info.st_blocks) * k_block_bytes;
    }
    std::uint64_t bytes() const { return bytes_; }

private:
    std::set<std::pair<dev_t, ino_t>> seen_;
    std::uint64_t bytes_ = 0;
};

} // namespace

std::optional<DiskRoom> disk_room(const std::string& path)
{
    auto existing = fs::path(path);
    struct statvfs status {};
    while (::statvfs(existing.c_str(), &status) != 0) {
        if (existing.empty() || existing == existing.root_path())
            return std::nullopt;
        existing = existing.parent_path();
    }
    return DiskRoom{static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize,
                    static_cast<std::uint64_t>(status.f_blocks) * status.f_frsize};
}

std::uint64_t disk_usage(const std::string& path)
{
    Usage usage;
    usage.add(path);
    std::error_code failure;
    fs::recursive_directory_iterator entry(path, fs::directory_options::skip_permission_denied, failure), end;
    for (; !failure && entry != end; entry.increment(failure))
        usage.add(entry->path().string());
    return usage.bytes();
}

} // namespace gantry
