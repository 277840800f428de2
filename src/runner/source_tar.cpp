#include "base/error.hpp"
#include "base/file.hpp"
#include "base/tar_format.hpp"
#include "runner/snapshot.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

// Layers merged into a tar stream (POSIX.1-2024 pax interchange format; ustar headers where they hold it all).

namespace gantry::runner {

namespace {

struct TarHeader {
    std::string path, link;
    char type = '0';
    mode_t mode = 0644;
    std::uint64_t size_bytes = 0;
    std::int64_t mtime_seconds = 0;
};

// `digits` octal digits and a zero byte. False when the number does not fit.
bool put_octal(char* field, std::size_t digits, std::uint64_t value)
{
    for (std::size_t at = digits; at > 0; --at, value >>= 3)
        field[at - 1] = static_cast<char>('0' + (value & 7));
    field[digits] = '\0';
    return value == 0;
}

std::string ustar_block(const TarHeader& header)
{
    std::string block(k_tar_block_bytes, '\0');
    char* const at = block.data();
    std::memcpy(at, header.path.data(), std::min<std::size_t>(header.path.size(), 100));
    put_octal(at + 100, 7, header.mode);
    put_octal(at + 108, 7, 0);
    put_octal(at + 116, 7, 0);
    put_octal(at + 124, 11, header.size_bytes);
    put_octal(at + 136, 11, static_cast<std::uint64_t>(std::max<std::int64_t>(header.mtime_seconds, 0)));
    std::memset(at + 148, ' ', 8);
    at[156] = header.type;
    std::memcpy(at + 157, header.link.data(), std::min<std::size_t>(header.link.size(), 100));
    std::memcpy(at + 257, "ustar\0" "00", 8);
    unsigned sum = 0;
    for (const char c : block)
        sum += static_cast<unsigned char>(c);
    put_octal(at + 148, 6, sum);
    return block;
}

std::string tar_header(const TarHeader& header)
{
    std::string records;
    if (header.path.size() > 100)
        records += pax_record("path", header.path);
    if (header.link.size() > 100)
        records += pax_record("linkpath", header.link);
    if (header.size_bytes >= std::uint64_t{1} << 33)
        records += pax_record("size", std::to_string(header.size_bytes));
    std::string out;
    if (!records.empty())
        out = ustar_block({"pax-header", "", 'x', 0644, records.size(), 0}) + records +
              std::string(tar_padding_bytes(records.size()), '\0');
    return out + ustar_block(header);
}

bool is_whiteout(const struct stat& info)
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
        seen.hidden = is_whiteout(info);
        seen.layers = {layer};
    }

    void step(std::string& piece)
    {
        if (file_)
            return copy_file(piece);
        if (folders_.empty()) {
            piece.append(2 * k_tar_block_bytes, '\0');
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
        TarHeader header{path, "", '0', static_cast<mode_t>(info.st_mode & 0777), 0, info.st_mtim.tv_sec};
        if (seen.is_folder) {
            header.path += '/';
            header.type = '5';
            piece += tar_header(header);
            return enter(path + "/", seen.layers);
        }
        if (S_ISLNK(info.st_mode)) {
            char target[PATH_MAX];
            const ssize_t size = ::readlinkat(root.get(), path.c_str(), target, sizeof target);
            if (size < 0)
                throw errno_error(errno, "read " + path);
            header.link.assign(target, static_cast<std::size_t>(size));
            header.type = '2';
            header.mode = 0777;
            piece += tar_header(header);
            return;
        }
        if (!S_ISREG(info.st_mode))
            return;
        file_ = Fd(::openat(root.get(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
        if (!file_)
            throw errno_error(errno, "read " + path);
        header.size_bytes = left_ = static_cast<std::uint64_t>(info.st_size);
        name_ = path;
        size_bytes_ = left_;
        piece += tar_header(header);
    }

    void copy_file(std::string& piece)
    {
        constexpr std::uint64_t k_read_bytes = 128 * 1024;
        if (left_ == 0) {
            piece.append(tar_padding_bytes(size_bytes_), '\0');
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
