#include "app/run_watch.hpp"

#include "base/error.hpp"
#include "runner/store_layout.hpp"

#include <array>
#include <cerrno>
#include <filesystem>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gantry::app {

RunWatch::RunWatch(const runner::Store& store, const std::string& run)
    : notify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)), logs_folder_(store.root() + "/runs/" + run + "/logs")
{
    if (!notify_)
        throw errno_error(errno, "watch run " + run);
    const runner::RunFolder folder{store.root() + "/runs/" + run};
    journal_ = ::inotify_add_watch(notify_.get(), folder.journal().c_str(), IN_MODIFY);
    logs_ = ::inotify_add_watch(notify_.get(), logs_folder_.c_str(), IN_CREATE | IN_MOVED_TO);
    if (journal_ < 0)
        throw errno_error(errno, "watch " + folder.journal());
    watch_logs();
    // An owner that ended before this is no owner: then wait() says so at once.
    if (const auto owner = store.owner(run); owner && *owner > 0)
        process_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, *owner, 0)));
}

void RunWatch::watch_logs()
{
    std::error_code failure;
    for (std::filesystem::directory_iterator entry(logs_folder_, failure), end; !failure && entry != end; entry.increment(failure)) {
        const auto path = entry->path().string();
        if (!stages_.contains(path))
            stages_[path] = ::inotify_add_watch(notify_.get(), path.c_str(), IN_MODIFY | IN_CREATE);
    }
}

RunWatch::Woken RunWatch::wait()
{
    Woken woken;
    std::array<pollfd, 2> waits{pollfd{notify_.get(), POLLIN, 0}, pollfd{process_.get(), POLLIN, 0}};
    if (!process_) {
        woken.owner = true;
        return woken;
    }
    while (::poll(waits.data(), waits.size(), -1) < 0)
        if (errno != EINTR)
            throw errno_error(errno, "wait for a run");
    woken.owner = waits[1].revents != 0;
    alignas(inotify_event) std::array<char, 16 * 1024> buffer;
    for (ssize_t count; (count = ::read(notify_.get(), buffer.data(), buffer.size())) > 0;) {
        for (ssize_t at = 0; at < count;) {
            const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
            // After an overflow of the kernel's queue anything may have happened.
            woken.journal |= event->wd == journal_ || (event->mask & IN_Q_OVERFLOW) != 0;
            if (event->wd == logs_ || (event->mask & IN_Q_OVERFLOW) != 0)
                watch_logs();
            at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
        }
    }
    return woken;
}

} // namespace gantry::app
