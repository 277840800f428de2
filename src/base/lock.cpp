#include "base/lock.hpp"

#include "base/error.hpp"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace gantry {

namespace {

struct flock whole_file(short type)
{
    struct flock lock = {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return lock;
}

bool lock_as(short type, const Fd& file, const std::string& name)
{
    struct flock lock = whole_file(type);
    if (::fcntl(file.get(), F_OFD_SETLK, &lock) == 0)
        return true;
    if (errno == EAGAIN || errno == EACCES)
        return false;
    throw errno_error(errno, "lock " + name);
}

} // namespace

bool take_lock(const Fd& file, const std::string& name)
{
    return lock_as(F_WRLCK, file, name);
}

bool share_lock(const Fd& file, const std::string& name)
{
    return lock_as(F_RDLCK, file, name);
}

bool is_locked(const Fd& file, const std::string& name)
{
    struct flock lock = whole_file(F_WRLCK); // what would stand against it, which is any other
    if (::fcntl(file.get(), F_OFD_GETLK, &lock) != 0)
        throw errno_error(errno, "look at the lock of " + name);
    return lock.l_type != F_UNLCK;
}

bool is_locked(const std::string& path)
{
    const Fd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
    if (file)
        return is_locked(file, path);
    if (errno == ENOENT || errno == ELOOP)
        return false;
    throw errno_error(errno, path);
}

} // namespace gantry
