#include "base/error.hpp"
#include "base/file.hpp"
#include "base/format.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gantry {

namespace {

// A directory that is being emptied: its descriptor, its name in the directory above, and what is left in it.
struct Level {
    Fd directory;
    std::string name;
    std::vector<std::string> entries;
};

class TreeRemover {
public:
    TreeRemover(const std::string& root, Fd parent, std::string name) : root_(root), parent_(std::move(parent))
    {
        if (!unlink_file(parent_, name))
            enter(parent_, name);
    }

    void run()
    {
        while (!levels_.empty()) {
            auto& level = levels_.back();
            if (level.entries.empty())
                leave();
            else
                remove_next(level);
        }
    }

private:
    // Levels that are open at once: one descriptor each.
    static constexpr std::size_t k_deepest = 64;

    [[noreturn]] void fail(int number, const std::string& name) const
    {
        throw errno_error(number, name == root_ ? root_ : root_ + ": " + name);
    }

    // False if it is a directory.
    bool unlink_file(const Fd& directory, const std::string& name)
    {
        if (::unlinkat(directory.get(), name.c_str(), 0) == 0 || errno == ENOENT)
            return true;
        const int failure = errno;
        struct stat info{};
        if (::fstatat(directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode))
            return false;
        fail(failure, name);
    }

    void remove_next(Level& level)
    {
        const auto name = std::move(level.entries.back());
        level.entries.pop_back();
        if (unlink_file(level.directory, name))
            return;
        if (levels_.size() < k_deepest) {
            enter(level.directory, name);
            return;
        }
        // Too deep: the subtree becomes a further entry of the top.
        auto& top = levels_.front();
        const auto hoisted = ".gantry-removing-" + random_hex(8);
        make_writable(open_level(level.directory, name), name); // moving a directory writes its ".."
        if (::renameat(level.directory.get(), name.c_str(), top.directory.get(), hoisted.c_str()) != 0)
            fail(errno, name);
        top.entries.push_back(hoisted);
    }

    void enter(const Fd& above, const std::string& name)
    {
        auto directory = open_level(above, name);
        make_writable(directory, name);
        auto entries = list(directory, name);
        levels_.push_back({std::move(directory), name, std::move(entries)});
    }

    void leave()
    {
        const auto level = std::move(levels_.back());
        levels_.pop_back();
        const auto& above = levels_.empty() ? parent_ : levels_.back().directory;
        if (::unlinkat(above.get(), level.name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
            fail(errno, level.name);
    }

    Fd open_level(const Fd& above, const std::string& name)
    {
        auto directory = try_open(above, name, O_RDONLY);
        if (!directory && errno == EACCES) {
            // Not readable by its owner. chmod by name could follow a link that was just put there.
            const auto handle = try_open(above, name, O_PATH);
            if (handle)
                ::chmod(("/proc/self/fd/" + std::to_string(handle.get())).c_str(), 0700);
            directory = try_open(above, name, O_RDONLY);
        }
        if (!directory && errno == EXDEV)
            throw Error(Errc::conflict, root_ + ": " + name + ": something is mounted there");
        if (!directory)
            fail(errno, name);
        return directory;
    }

    static Fd try_open(const Fd& above, const std::string& name, int flags)
    {
        open_how how{};
        how.flags = static_cast<std::uint64_t>(flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
        const auto opened = static_cast<int>(::syscall(SYS_openat2, above.get(), name.c_str(), &how, sizeof how));
        if (opened >= 0 || errno != ENOSYS)
            return Fd(opened);
        Fd directory(::openat(above.get(), name.c_str(), flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        struct stat here{};
        struct stat there{};
        if (directory && ::fstat(above.get(), &here) == 0 && ::fstat(directory.get(), &there) == 0 &&
            here.st_dev != there.st_dev) {
            directory.reset();
            errno = EXDEV;
        }
        return directory;
    }

    void make_writable(const Fd& directory, const std::string& name)
    {
        struct stat info{};
        if (::fstat(directory.get(), &info) != 0)
            fail(errno, name);
        // Not ours: then unlinking says what is wrong.
        if ((info.st_mode & S_IRWXU) != S_IRWXU)
            ::fchmod(directory.get(), (info.st_mode & 07777) | S_IRWXU);
    }

    std::vector<std::string> list(const Fd& directory, const std::string& name)
    {
        DIR* stream = ::fdopendir(::fcntl(directory.get(), F_DUPFD_CLOEXEC, 0));
        if (!stream)
            fail(errno, name);
        std::vector<std::string> entries;
        errno = 0;
        while (const auto* entry = ::readdir(stream)) {
            if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
                entries.emplace_back(entry->d_name);
        }
        const int failure = errno;
        ::closedir(stream);
        if (failure != 0)
            fail(failure, name);
        return entries;
    }

    const std::string& root_;
    Fd parent_;
    std::vector<Level> levels_;
};

} // namespace

void remove_tree(const std::string& path)
{
    auto trimmed = path;
    while (trimmed.size() > 1 && trimmed.back() == '/')
        trimmed.pop_back();
    const auto slash = trimmed.find_last_of('/');
    const auto name = slash == std::string::npos ? trimmed : trimmed.substr(slash + 1);
    if (name.empty() || name == "." || name == "..")
        throw Error(Errc::bad_input, path + ": is not a name to remove");
    const auto above = slash == std::string::npos ? std::string(".") : trimmed.substr(0, slash + 1);

    Fd parent(::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!parent && errno == ENOENT)
        return;
    if (!parent)
        throw errno_error(errno, path);
    TreeRemover(trimmed, std::move(parent), name).run();
}

} // namespace gantry
