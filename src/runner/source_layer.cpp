#include "runner/source_layer.hpp"

#include "base/error.hpp"
#include "runner/source_files.hpp"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace gantry::runner {

LayerWriter::LayerWriter(const std::string& path) : path_(path), draft_(path + ".new")
{
    remove_tree(draft_);
    make_directories(draft_, 0755);
    root_ = open_directory(draft_);
    ::fchmod(root_.get(), 0755); // whatever the umask
}

LayerWriter::~LayerWriter()
{
    if (published_)
        return;
    try {
        remove_tree(draft_);
    } catch (...) {
        // The next writer of this layer tries again.
    }
}

void LayerWriter::need_parent(const std::string& path)
{
    const std::size_t slash = path.rfind('/');
    if (slash != std::string::npos)
        folder(path.substr(0, slash));
}

void LayerWriter::folder(const std::string& path)
{
    if (!folders_.insert(path).second)
        return;
    need_parent(path);
    // Nobody else writes here: what is there already under this name is another entry, and writing through it could lead
    // anywhere if it is a link.
    if (::mkdirat(root_.get(), path.c_str(), 0755) != 0)
        throw errno == EEXIST ? Error(Errc::bad_input, "there are two entries called " + path) : errno_error(errno, "create " + path);
    ::fchmodat(root_.get(), path.c_str(), 0755, 0);
}

Fd LayerWriter::create(const std::string& path, bool executable)
{
    need_parent(path);
    const mode_t mode = executable ? 0755 : 0644;
    Fd file(::openat(root_.get(), path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!file || ::fchmod(file.get(), mode) != 0)
        throw errno_error(errno, "create " + path);
    return file;
}

bool LayerWriter::copy(const Fd& source, const std::string& source_path, const std::string& path, bool executable, struct stat& info)
{
    open_how how{};
    how.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    const Fd from(static_cast<int>(::syscall(SYS_openat2, source.get(), source_path.c_str(), &how, sizeof how)));
    if (!from && (errno == ENOENT || errno == ELOOP || errno == ENOTDIR || errno == ENXIO))
        return false;
    if (!from)
        throw errno_error(errno, "read " + source_path).with_hint("make it readable, or name it in .gitignore");
    if (::fstat(from.get(), &info) != 0 || !S_ISREG(info.st_mode))
        return false;
    const Fd to = create(path, executable);
    if (info.st_size > 0)
        copy_contents(from, to, source_path);
    const timespec times[2] = {{0, UTIME_OMIT}, info.st_mtim};
    ::futimens(to.get(), times);
    return true;
}

bool LayerWriter::link_file(const std::string& existing, const std::string& path)
{
    need_parent(path);
    return ::linkat(AT_FDCWD, existing.c_str(), root_.get(), path.c_str(), 0) == 0;
}

void LayerWriter::symlink(const std::string& target, const std::string& path)
{
    need_parent(path);
    if (::symlinkat(target.c_str(), root_.get(), path.c_str()) != 0)
        throw errno_error(errno, "create " + path);
}

void LayerWriter::file(const std::string& path, std::string_view bytes, bool executable, std::int64_t mtime_seconds)
{
    const Fd to = create(path, executable);
    write_all(to, bytes, path);
    const timespec times[2] = {{0, UTIME_OMIT}, {static_cast<time_t>(mtime_seconds), 0}};
    ::futimens(to.get(), times);
}

bool LayerWriter::whiteout(const std::string& path)
{
    need_parent(path);
    return ::mknodat(root_.get(), path.c_str(), S_IFCHR | 0600, makedev(0, 0)) == 0;
}

void LayerWriter::publish()
{
    if (::rename(draft_.c_str(), path_.c_str()) != 0)
        throw errno_error(errno, "create " + path_);
    published_ = true;
}

} // namespace gantry::runner
