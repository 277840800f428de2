#include "base/file.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gantry {

namespace {

// Repeats a call that a signal has interrupted.
template <typename Call>
auto retry(Call call)
{
    auto result = call();
    while (result < 0 && errno == EINTR)
        result = call();
    return result;
}

Fd open_or_throw(const std::string& path, int flags, mode_t mode = 0)
{
    Fd file(retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, mode); }));
    if (!file)
        throw errno_error(errno, path);
    return file;
}

struct Regular {
    Fd file;
    off_t size = 0;
};

Regular open_regular(const std::string& path, Links links)
{
    auto file = open_or_throw(path, O_RDONLY | O_NONBLOCK | (links == Links::refuse ? O_NOFOLLOW : 0));
    struct stat info{};
    if (::fstat(file.get(), &info) != 0)
        throw errno_error(errno, path);
    if (!S_ISREG(info.st_mode))
        throw Error(Errc::bad_input, path + ": " + (S_ISDIR(info.st_mode) ? "is a directory" : "is not a regular file"));
    return {std::move(file), info.st_size};
}

std::string directory_of(const std::string& path)
{
    const auto slash = path.find_last_of('/');
    if (slash == std::string::npos)
        return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

// Removes the temporary file unless it was renamed to its final name.
class Temporary {
public:
    explicit Temporary(std::string path) : path_(std::move(path)) {}
    Temporary(const Temporary&) = delete;
    ~Temporary()
    {
        if (!path_.empty())
            ::unlink(path_.c_str());
    }

    void rename_to(const std::string& target)
    {
        if (::rename(path_.c_str(), target.c_str()) != 0)
            throw errno_error(errno, target);
        path_.clear();
    }

private:
    std::string path_;
};

} // namespace

Fd::~Fd()
{
    reset();
}

void Fd::reset()
{
    if (descriptor_ >= 0)
        ::close(std::exchange(descriptor_, -1));
}

std::string read_file(const std::string& path, std::size_t limit_bytes, Links links)
{
    const auto opened = open_regular(path, links);
    // Read to the end and not to st_size: files of /proc say 0, and a file can grow.
    std::string bytes;
    std::size_t filled = 0;
    auto room = std::min<std::size_t>(static_cast<std::size_t>(std::max<off_t>(opened.size, 4096)), limit_bytes) + 1;
    while (true) {
        if (filled == bytes.size())
            bytes.resize(filled + room);
        const auto count = retry([&] { return ::read(opened.file.get(), bytes.data() + filled, bytes.size() - filled); });
        if (count < 0)
            throw errno_error(errno, path);
        if (count == 0)
            break;
        filled += static_cast<std::size_t>(count);
        if (filled > limit_bytes)
            throw Error(Errc::bad_input, path + ": has more than " + format_size(limit_bytes));
        room = std::min(filled, limit_bytes - filled) + 1;
    }
    bytes.resize(filled);
    return bytes;
}

void read_pieces(const std::string& path, Links links, const std::function<void(std::string_view)>& use)
{
    constexpr std::size_t k_piece_bytes = 256 * 1024;
    const auto opened = open_regular(path, links);
    std::string piece(k_piece_bytes, '\0');
    for (;;) {
        const auto count = retry([&] { return ::read(opened.file.get(), piece.data(), piece.size()); });
        if (count < 0)
            throw errno_error(errno, path);
        if (count == 0)
            return;
        use(std::string_view(piece).substr(0, static_cast<std::size_t>(count)));
    }
}

void write_all(const Fd& file, std::string_view bytes, const std::string& name)
{
    while (!bytes.empty()) {
        const auto count = retry([&] { return ::write(file.get(), bytes.data(), bytes.size()); });
        if (count < 0)
            throw errno_error(errno, name);
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

void sync_file(const Fd& file, const std::string& name)
{
    if (retry([&] { return ::fdatasync(file.get()); }) != 0)
        throw errno_error(errno, name);
}

void write_file_atomic(const std::string& path, std::string_view bytes, mode_t mode)
{
    const auto name = path + "." + random_hex(6) + ".tmp";
    Fd file(retry([&] { return ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600); }));
    if (!file)
        throw errno_error(errno, path);
    Temporary temporary(name);
    if (::fchmod(file.get(), mode) != 0)
        throw errno_error(errno, path);
    write_all(file, bytes, path);
    if (retry([&] { return ::fsync(file.get()); }) != 0)
        throw errno_error(errno, path);
    temporary.rename_to(path);

    // The rename is on the disk only when the directory is.
    const auto directory = open_directory(directory_of(path));
    if (retry([&] { return ::fsync(directory.get()); }) != 0 && errno != EINVAL && errno != ENOTSUP)
        throw errno_error(errno, path);
}

Fd open_append(const std::string& path, mode_t mode)
{
    return open_or_throw(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, mode);
}

Fd open_directory(const std::string& path)
{
    return open_or_throw(path, O_RDONLY | O_DIRECTORY);
}

std::chrono::system_clock::time_point modified_at(const std::string& path)
{
    struct ::stat info {};
    if (::stat(path.c_str(), &info) != 0)
        return {};
    return std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(
        std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::nanoseconds(info.st_mtim.tv_nsec)));
}

void make_directories(const std::string& path, mode_t mode)
{
    if (::mkdir(path.c_str(), mode) == 0)
        return;
    if (errno == ENOENT && directory_of(path) != path) {
        make_directories(directory_of(path), mode);
        if (::mkdir(path.c_str(), mode) == 0)
            return;
    }
    const int failure = errno;
    struct stat info{};
    if (failure == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode))
        return;
    throw errno_error(failure, path);
}

Fd open_beneath(const Fd& directory, const std::string& path, int flags, mode_t mode)
{
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC | O_NOCTTY);
    how.mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    // EAGAIN: something on the way was renamed while the kernel looked.
    for (int attempt = 0; attempt < 32; ++attempt) {
        Fd file(static_cast<int>(::syscall(SYS_openat2, directory.get(), path.c_str(), &how, sizeof how)));
        if (file)
            return file;
        if (errno != EAGAIN && errno != EINTR)
            break;
    }
    if (errno == ENOSYS)
        throw Error(Errc::unsupported, path + ": this kernel has no openat2", "Gantry needs Linux 5.6 or later here");
    if (errno == EXDEV)
        throw Error(Errc::bad_input, path + ": leads out of its directory");
    throw errno_error(errno, path);
}

std::optional<FileLock> try_lock_file(const std::string& path)
{
    auto file = open_or_throw(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (retry([&] { return ::flock(file.get(), LOCK_EX | LOCK_NB); }) == 0)
        return FileLock(std::move(file));
    if (errno == EWOULDBLOCK)
        return std::nullopt;
    throw errno_error(errno, path);
}

} // namespace gantry
