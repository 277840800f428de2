#include "runner/source_files.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace gantry::runner {

void replace_file(const std::string& path, std::string_view bytes)
{
    const std::string draft = path + "." + random_hex(6) + ".tmp";
    const Fd file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file)
        throw errno_error(errno, path);
    try {
        write_all(file, bytes, path);
        if (::rename(draft.c_str(), path.c_str()) != 0)
            throw errno_error(errno, path);
    } catch (...) {
        ::unlink(draft.c_str());
        throw;
    }
}

namespace {

// Where the kernel cannot copy between the two file systems.
void copy_by_hand(const Fd& from, const Fd& to, const std::string& name)
{
    std::vector<char> buffer(256 * 1024);
    while (true) {
        const ssize_t count = ::read(from.get(), buffer.data(), buffer.size());
        if (count == 0)
            return;
        if (count < 0 && errno != EINTR)
            throw errno_error(errno, "read " + name);
        if (count > 0)
            write_all(to, {buffer.data(), static_cast<std::size_t>(count)}, name);
    }
}

std::size_t read_full(const Fd& file, char* buffer, std::size_t size, off_t offset, const std::string& name)
{
    std::size_t have = 0;
    while (have < size) {
        const ssize_t count = ::pread(file.get(), buffer + have, size - have, offset + static_cast<off_t>(have));
        if (count == 0)
            break;
        if (count < 0 && errno != EINTR)
            throw errno_error(errno, "read " + name);
        have += count > 0 ? static_cast<std::size_t>(count) : 0;
    }
    return have;
}

} // namespace

void copy_contents(const Fd& from, const Fd& to, const std::string& name)
{
    if (::ioctl(to.get(), FICLONE, from.get()) == 0)
        return;
    constexpr std::size_t k_piece_bytes = std::size_t{64} << 20;
    bool copied = false;
    while (true) {
        const ssize_t count = ::copy_file_range(from.get(), nullptr, to.get(), nullptr, k_piece_bytes, 0);
        if (count > 0) {
            copied = true;
            continue;
        }
        // 0 without any byte: /proc and the like, whose files say that they are empty.
        if (count == 0 && copied)
            return;
        if (count == 0 || errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
            return copy_by_hand(from, to, name);
        if (errno != EINTR)
            throw errno_error(errno, "copy " + name);
    }
}

bool same_contents(const Fd& a, const Fd& b, const std::string& name)
{
    constexpr std::size_t k_piece_bytes = 128 * 1024;
    std::vector<char> left(k_piece_bytes), right(k_piece_bytes);
    for (off_t offset = 0;; offset += static_cast<off_t>(k_piece_bytes)) {
        const std::size_t size = read_full(a, left.data(), k_piece_bytes, offset, name);
        if (read_full(b, right.data(), k_piece_bytes, offset, name) != size || std::memcmp(left.data(), right.data(), size) != 0)
            return false;
        if (size < k_piece_bytes)
            return true;
    }
}

namespace {

Fd open_lock(const std::string& path)
{
    Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file)
        throw errno_error(errno, "open " + path);
    return file;
}

bool lock_now(const Fd& file, LockKind kind, const std::string& path)
{
    if (::flock(file.get(), (kind == LockKind::shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK || errno == EINTR)
        return false;
    throw errno_error(errno, "lock " + path);
}

// The kernel tells of the end of a file before it gives up the lock, so whoever looks at once may look too early. Without
// such news (a user may have no inotify instance left) a look now and then has to do.
constexpr int k_second_look_ms = 10, k_look_without_news_ms = 1000;

} // namespace

std::optional<Fd> try_lock(const std::string& path, LockKind kind)
{
    auto file = open_lock(path);
    if (!lock_now(file, kind, path))
        return std::nullopt;
    return file;
}

// Whoever gives the lock up closes the file, which inotify tells; the watch stands before the first try, so that nothing is
// missed. The file is opened once: to close it again would be news to ourselves.
Fd wait_for_lock(const std::string& path, LockKind kind, std::chrono::nanoseconds limit, const std::string& what,
                 const std::stop_token& stop)
{
    using Clock = std::chrono::steady_clock;
    const auto give_up = Clock::now() + limit;
    auto file = open_lock(path);
    const Fd events(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    ::inotify_add_watch(events.get(), path.c_str(), IN_CLOSE);
    const Fd stopped(::eventfd(0, EFD_CLOEXEC));
    const std::stop_callback wake(stop, [&stopped] { (void)::eventfd_write(stopped.get(), 1); });
    int pause_ms = k_look_without_news_ms;
    while (true) {
        if (lock_now(file, kind, path))
            return file;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(give_up - Clock::now()).count();
        if (left <= 0)
            throw Error(Errc::timed_out, what);
        pollfd ready[] = {{events.get(), POLLIN, 0}, {stopped.get(), POLLIN, 0}};
        const bool news = ::poll(ready, 2, static_cast<int>(std::min<long long>(left, pause_ms))) > 0;
        check_stop(stop);
        pause_ms = news ? k_second_look_ms : k_look_without_news_ms;
        char ignored[4096];
        while (::read(events.get(), ignored, sizeof ignored) > 0) {
        }
    }
}

void check_stop(const std::stop_token& stop)
{
    if (stop.stop_requested())
        throw Error(Errc::cancelled, "nobody needs the files any more");
}

} // namespace gantry::runner
