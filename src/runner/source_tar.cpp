#include "base/error.hpp"
#include "base/file.hpp"
#include "runner/snapshot.hpp"
#include "runner/tar_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <map>
#include <memory>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

// Layers merged into a tar stream.

namespace gantry::runner {

namespace {

bool marks_a_removal(const struct stat& info)
{
    return S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

class MergedTar {
public:
    explicit MergedTar(const Snapshot& snapshot) : pin_(snapshot.pin)
    {
        for (const auto& layer : snapshot.layers)
            roots_.push_back(open_directory(layer));
        std::vector<std::size_t> all(roots_.size());
        for (std::size_t i = 0; i < all.size(); ++i)
            all[i] = i;
        enter("", all);
    }

    std::string next()
    {
        constexpr std::size_t k_piece_bytes = 256 * 1024;
        std::string piece;
        piece.reserve(k_piece_bytes + 64 * 1024);
        while (piece.size() < k_piece_bytes && !ended_)
            step(piece);
        return piece;
    }

private:
    struct Seen {
        std::vector<std::size_t> layers; // top first; of a folder all that make it up, else the one that shows
        bool is_folder = false, hidden = false, closed = false;
    };
    struct Folder {
        std::string path; // with a final slash, but for the root
        std::map<std::string, Seen> names;
    };

    void enter(const std::string& path, const std::vector<std::size_t>& layers)
    {
        Folder folder{path, {}};
        for (const std::size_t layer : layers) {
            const int descriptor = ::openat(roots_[layer].get(), path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            DIR* const opened = descriptor >= 0 ? ::fdopendir(descriptor) : nullptr;
            if (opened == nullptr)
                throw errno_error(errno, "read " + path);
            const std::unique_ptr<DIR, int (*)(DIR*)> stream(opened, ::closedir);
            while (const dirent* const entry = ::readdir(stream.get())) {
                const std::string name = entry->d_name;
                if (name != "." && name != "..")
                    see(folder.names[name], layer, path + name, entry->d_type);
            }
        }
        folders_.push_back(std::move(folder));
    }

    // Layers come top first: what lies below something that is no folder does not show.
    void see(Seen& seen, std::size_t layer, const std::string& path, unsigned char type)
    {
        if (seen.closed)
            return;
        struct stat info = {};
        if (type == DT_UNKNOWN || type == DT_CHR) {
            if (::fstatat(roots_[layer].get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
                throw errno_error(errno, "read " + path);
            if (S_ISDIR(info.st_mode))
                type = DT_DIR;
        }
        if (type == DT_DIR) {
            seen.is_folder = true;
            seen.layers.push_back(layer);
            return;
        }
        seen.closed = true;
        if (seen.is_folder)
            return;
        seen.hidden = marks_a_removal(info);
        seen.layers = {layer};
    }

    void step(std::string& piece)
    {
        if (file_)
            return copy_file(piece);
        if (folders_.empty()) {
            piece += tar_end();
            ended_ = true;
            return;
        }
        Folder& folder = folders_.back();
        if (folder.names.empty()) {
            folders_.pop_back();
            return;
        }
        const auto [name, seen] = *folder.names.begin();
        const std::string path = folder.path + name;
        folder.names.erase(folder.names.begin());
        if (!seen.hidden && !seen.layers.empty())
            put(path, seen, piece);
    }

    void put(const std::string& path, const Seen& seen, std::string& piece)
    {
        const Fd& root = roots_[seen.layers.front()];
        struct stat info = {};
        if (::fstatat(root.get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
            throw errno_error(errno, "read " + path);
        TarEntry entry;
        entry.path = path;
        entry.mode = info.st_mode & 0777;
        entry.mtime = info.st_mtim.tv_sec;
        if (seen.is_folder) {
            entry.type = TarEntry::Type::folder;
            append_tar_header(entry, piece);
            return enter(path + "/", seen.layers);
        }
        if (S_ISLNK(info.st_mode)) {
            char target[PATH_MAX];
            const ssize_t size = ::readlinkat(root.get(), path.c_str(), target, sizeof target);
            if (size < 0)
                throw errno_error(errno, "read " + path);
            entry.link.assign(target, static_cast<std::size_t>(size));
            entry.type = TarEntry::Type::symlink;
            entry.mode = 0777;
            append_tar_header(entry, piece);
            return;
        }
        if (!S_ISREG(info.st_mode))
            return;
        file_ = Fd(::openat(root.get(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
        if (!file_)
            throw errno_error(errno, "read " + path);
        entry.size_bytes = size_bytes_ = left_ = static_cast<std::uint64_t>(info.st_size);
        name_ = path;
        append_tar_header(entry, piece);
    }

    void copy_file(std::string& piece)
    {
        constexpr std::uint64_t k_read_bytes = 128 * 1024;
        if (left_ == 0) {
            piece += tar_padding(size_bytes_);
            file_.reset();
            return;
        }
        const auto want = static_cast<std::size_t>(std::min(left_, k_read_bytes));
        const std::size_t before = piece.size();
        piece.resize(before + want);
        const ssize_t count = ::read(file_.get(), piece.data() + before, want);
        if (count < 0 && errno != EINTR)
            throw errno_error(errno, "read " + name_);
        if (count == 0)
            throw Error(Errc::internal, name_ + " became shorter while it was read");
        piece.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        left_ -= static_cast<std::uint64_t>(std::max<ssize_t>(count, 0));
    }

    std::shared_ptr<void> pin_;
    std::vector<Fd> roots_;
    std::vector<Folder> folders_; // the way to where we are
    Fd file_;                     // being copied
    std::string name_;
    std::uint64_t size_bytes_ = 0, left_ = 0;
    bool ended_ = false;
};

} // namespace

std::function<std::string()> tar_of(const Snapshot& snapshot)
{
    const auto tar = std::make_shared<MergedTar>(snapshot);
    return [tar] { return tar->next(); };
}

} // namespace gantry::runner
