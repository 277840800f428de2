#include "base/disk.hpp"

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <sys/statvfs.h>

namespace gantry {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t k_block_bytes = 512; // st_blocks, whatever the file system's own are

class Usage {
public:
    // Whether it is a folder.
    bool add(const std::string& path)
    {
        struct stat info {};
        if (::lstat(path.c_str(), &info) != 0)
            return false;
        const bool is_folder = S_ISDIR(info.st_mode);
        if (is_folder || info.st_nlink == 1 || seen_.emplace(info.st_dev, info.st_ino).second)
            bytes_ += static_cast<std::uint64_t>(info.st_blocks) * k_block_bytes;
        return is_folder;
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
    // Each folder by itself: an iterator over all of them ends at the first that is gone.
    std::vector<std::string> folders{path};
    while (!folders.empty()) {
        const auto folder = std::move(folders.back());
        folders.pop_back();
        std::error_code failure;
        for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure))
            if (auto inner = entry->path().string(); usage.add(inner))
                folders.push_back(std::move(inner));
    }
    return usage.bytes();
}

} // namespace gantry
