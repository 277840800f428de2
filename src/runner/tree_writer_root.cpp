#include "runner/tree_writer_root.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gantry::runner {

namespace {

constexpr std::size_t k_deepest_removal = 500; // names of a path

std::string shown(const std::vector<std::string>& path)
{
    return terminal_safe(join(path, "/"));
}

Fd open_folder(const Fd& parent, const std::string& name)
{
    return Fd(::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

bool exists(const Fd& parent, const std::string& name)
{
    struct stat info = {};
    return ::fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
}

std::string draft_name()
{
    return ".gantry-" + random_hex(8) + ".tmp";
}

} // namespace

TreeWriterRoot::TreeWriterRoot(const std::string& folder, Modes modes) : folder_(folder), how_(modes), root_(open_directory(folder)) {}

TreeWriterRoot::Kind TreeWriterRoot::kind_at(const Names& path) const
{
    Fd at(::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
    for (std::size_t i = 0; i < path.size(); ++i) {
        struct stat info = {};
        if (::fstatat(at.get(), path[i].c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
            return errno == ENOENT ? Kind::nothing : Kind::other;
        if (!S_ISDIR(info.st_mode))
            return Kind::other;
        at = open_folder(at, path[i]);
        if (!at)
            return Kind::other;
    }
    return Kind::folder;
}

const Fd& TreeWriterRoot::parent_of(const Names& path)
{
    const Names names(path.begin(), path.end() - 1);
    if (names.empty())
        return root_;
    if (parent_ && names == parent_names_)
        return parent_;
    parent_.reset();
    Fd at;
    for (const auto& name : names) {
        const Fd& above = at ? at : root_;
        Fd next = open_folder(above, name);
        if (!next && errno == ENOENT) {
            if (::mkdirat(above.get(), name.c_str(), 0755) != 0)
                throw errno_error(errno, "create " + shown(names));
            next = open_folder(above, name);
        }
        if (!next && (errno == ENOTDIR || errno == ELOOP))
            throw Error(Errc::bad_input, "'" + shown(path) + "' lies behind a link or a file");
        if (!next)
            throw errno_error(errno, "open " + shown(names));
        at = std::move(next);
    }
    parent_ = std::move(at);
    parent_names_ = names;
    return parent_;
}

Fd TreeWriterRoot::existing_parent_of(const Names& path) const
{
    Fd at(::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
    for (std::size_t i = 0; at && i + 1 < path.size(); ++i)
        at = open_folder(at, path[i]);
    return at;
}

bool TreeWriterRoot::may_go(const Names& path) const { return !may_go_ || may_go_(join(path, "/")); }

void TreeWriterRoot::stays(const Names& path) { stayed_.push_back(join(path, "/")); }

bool TreeWriterRoot::remove_all(const Fd& parent, const Names& path)
{
    if (parent_names_.size() >= path.size() && std::equal(path.begin(), path.end(), parent_names_.begin())) {
        parent_.reset(); // it is what goes, or below; `parent`, which is above, is another one
        parent_names_.clear();
    }
    return remove_at(parent, path);
}

// By descriptors alone. A folder that holds something that stays does so, too: then it returns false.
bool TreeWriterRoot::remove_at(const Fd& parent, const Names& path)
{
    const auto& name = path.back();
    const bool goes = may_go(path);
    if (goes && (::unlinkat(parent.get(), name.c_str(), 0) == 0 || errno == ENOENT))
        return true;
    if (goes && errno != EISDIR && errno != EPERM)
        throw errno_error(errno, "remove " + shown(path));
    if (path.size() > k_deepest_removal)
        throw Error(Errc::bad_input, "remove " + shown(path) + ": nested too deep");
    const Fd folder = open_folder(parent, name);
    if (!folder && errno == ENOENT)
        return true;
    if (!folder && !goes && (errno == ENOTDIR || errno == ELOOP)) {
        stays(path);
        return false;
    }
    if (!folder)
        throw errno_error(errno, "remove " + shown(path));
    auto inner = path;
    inner.emplace_back(".git");
    if (exists(folder, inner.back())) {
        stays(inner);
        return false;
    }
    bool emptied = true;
    const int copy = ::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* const opened = copy >= 0 ? ::fdopendir(copy) : nullptr;
    if (opened == nullptr)
        throw errno_error(errno, "remove " + shown(path));
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(opened, ::closedir);
    while (const dirent* const entry = ::readdir(stream.get())) {
        inner.back() = entry->d_name;
        if (inner.back() != "." && inner.back() != "..")
            emptied = remove_at(folder, inner) && emptied;
    }
    if (emptied && ::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) != 0)
        throw errno_error(errno, "remove " + shown(path));
    return emptied;
}

// A folder in the place of a file or link; rename replaces anything else.
void TreeWriterRoot::make_room(const Fd& parent, const Names& path)
{
    struct stat info = {};
    if (::fstatat(parent.get(), path.back().c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(info.st_mode))
        return;
    if (!remove_all(parent, path))
        throw Error(Errc::conflict, shown(path) + " is a file in the changes, and a folder here that has to stay: it holds " + terminal_safe(stayed_.back()));
}

void TreeWriterRoot::folder(const Names& path, mode_t mode, bool emptied, std::optional<timespec> mtime)
{
    const Fd& parent = parent_of(path);
    struct stat info = {};
    const bool is_there = ::fstatat(parent.get(), path.back().c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_there && S_ISDIR(info.st_mode) && !emptied)
        return;
    if (is_there && !S_ISDIR(info.st_mode) && ::unlinkat(parent.get(), path.back().c_str(), 0) != 0)
        throw errno_error(errno, "remove " + shown(path));
    if (is_there && S_ISDIR(info.st_mode))
        remove_all(parent, path);
    if (::mkdirat(parent.get(), path.back().c_str(), 0700) != 0 && errno != EEXIST)
        throw errno_error(errno, "create " + shown(path));
    folders_.push_back({path, how_ == Modes::exact ? mode : mode | 0700, mtime});
}

// A snapshot knows no more than whether a file is a program, so that is all that a mode can tell of one that was there.
mode_t TreeWriterRoot::mode_for(const Fd& parent, const std::string& name, mode_t mode) const
{
    if (how_ == Modes::exact)
        return mode;
    struct stat info = {};
    if (::fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode) &&
        ((info.st_mode ^ mode) & 0100) == 0)
        return info.st_mode & 0777;
    return mode | 0600;
}

// What `make` leaves under the draft's name takes the place of `path` in one step.
void TreeWriterRoot::replace(const Names& path, const std::function<void(const Fd& parent, const std::string& draft)>& make)
{
    const Fd& parent = parent_of(path);
    const std::string draft = draft_name();
    try {
        make(parent, draft);
        make_room(parent, path);
        if (::renameat(parent.get(), draft.c_str(), parent.get(), path.back().c_str()) != 0)
            throw errno_error(errno, "create " + shown(path));
    } catch (...) {
        ::unlinkat(parent.get(), draft.c_str(), 0);
        throw;
    }
    ::unlinkat(parent.get(), draft.c_str(), 0); // it stays when both are names of one file
}

void TreeWriterRoot::file(const Names& path, mode_t mode, const timespec& mtime, const std::function<void(const Fd&)>& fill)
{
    replace(path, [&](const Fd& parent, const std::string& draft) {
        const Fd file(::openat(parent.get(), draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (!file)
            throw errno_error(errno, "create " + shown(path));
        fill(file);
        const timespec times[2] = {{0, UTIME_OMIT}, mtime};
        if (::fchmod(file.get(), mode_for(parent, path.back(), mode)) != 0 || ::futimens(file.get(), times) != 0)
            throw errno_error(errno, "write " + shown(path));
    });
}

void TreeWriterRoot::symlink(const Names& path, const std::string& target, std::optional<timespec> mtime)
{
    replace(path, [&](const Fd& parent, const std::string& draft) {
        if (::symlinkat(target.c_str(), parent.get(), draft.c_str()) != 0)
            throw errno_error(errno, "create " + shown(path));
        if (mtime) {
            const timespec times[2] = {{0, UTIME_OMIT}, *mtime};
            ::utimensat(parent.get(), draft.c_str(), times, AT_SYMLINK_NOFOLLOW);
        }
    });
}

void TreeWriterRoot::hard_link(const Names& existing, const Names& path)
{
    const Fd from = existing_parent_of(existing);
    struct stat info = {};
    if (!from || ::fstatat(from.get(), existing.back().c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode))
        throw Error(Errc::bad_input, "'" + shown(path) + "' is a hard link to something that is no file");
    replace(path, [&](const Fd& parent, const std::string& draft) {
        if (::linkat(from.get(), existing.back().c_str(), parent.get(), draft.c_str(), 0) != 0)
            throw errno_error(errno, "link " + shown(path));
    });
}

void TreeWriterRoot::remove(const Names& path)
{
    const Fd parent = existing_parent_of(path);
    if (parent)
        remove_all(parent, path);
}

void TreeWriterRoot::finish()
{
    // The innermost first: an outer one may be closed to us once it has its mode.
    for (auto made = folders_.rbegin(); made != folders_.rend(); ++made) {
        const Fd parent = existing_parent_of(made->path);
        const Fd folder = parent ? open_folder(parent, made->path.back()) : Fd();
        if (!folder)
            continue;
        if (made->mtime) {
            const timespec times[2] = {{0, UTIME_OMIT}, *made->mtime};
            ::futimens(folder.get(), times);
        }
        ::fchmod(folder.get(), made->mode);
    }
    folders_.clear();
}

} // namespace gantry::runner
