#include "runner/concurrency_groups.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "base/lock.hpp"
#include "runner/source_files.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <set>
#include <vector>

namespace gantry::runner {

namespace {

// The kernel tells of the end of a process's file before it gives up the lock, so whoever looks at once may look too early.
constexpr auto k_second_look = std::chrono::seconds(1);

const std::string k_waiting = "waiting.";

Fd open_or_create(const std::string& path)
{
    Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file)
        throw errno_error(errno, path);
    return file;
}

// Names sort in the order of runs, then of stages.
std::string ticket_of(const ConcurrencyGroups::Request& request)
{
    return fmt::format("{}{:0>10}.{:05}", k_waiting, request.run, request.stage + 1);
}

std::string run_of(const std::string& ticket)
{
    const auto digits = ticket.substr(k_waiting.size(), 10);
    return digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
}

class Entrance {
public:
    Entrance(const std::string& folder, const ConcurrencyGroups::Request& request, asio::any_io_executor executor)
        : folder_(folder), request_(request), events_(executor, ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
          ticket_(ticket_of(request))
    {
        // The watch stands before the first try, so that nothing is missed.
        if (::inotify_add_watch(events_.native_handle(), folder.c_str(), IN_CLOSE_WRITE) < 0)
            throw errno_error(errno, "watch " + folder);
        held_ticket_ = open_or_create(folder_ + '/' + ticket_);
        if (!take_lock(held_ticket_, ticket_))
            throw Error(Errc::conflict, folder_ + '/' + ticket_ + ": somebody waits under this name");
        for (std::size_t place = 0; place < static_cast<std::size_t>(request.limit); ++place)
            places_.push_back(open_or_create(place_path(place)));
    }
    ~Entrance() { ::unlink((folder_ + '/' + ticket_).c_str()); }
    Entrance(const Entrance&) = delete;

    std::optional<Fd> try_enter()
    {
        if (!before_us().empty())
            return std::nullopt;
        for (auto& place : places_)
            if (take_lock(place, folder_)) {
                if (::ftruncate(place.get(), 0) != 0 ||
                    ::pwrite(place.get(), request_.run.data(), request_.run.size(), 0) < 0)
                    throw errno_error(errno, folder_);
                return std::move(place);
            }
        return std::nullopt;
    }

    // The runs that are in. Closed files that were open for writing are what wakes us: is_locked() opens none for that.
    std::set<std::string> inside() const
    {
        std::set<std::string> runs;
        for (std::size_t place = 0; place < places_.size(); ++place) {
            std::array<char, 32> text{};
            const auto count = ::pread(places_[place].get(), text.data(), text.size(), 0);
            if (count > 0 && is_locked(place_path(place)))
                runs.insert(std::string(text.data(), static_cast<std::size_t>(count)));
        }
        return runs;
    }

    // The runs that wait since longer.
    std::set<std::string> before_us() const
    {
        std::set<std::string> runs;
        for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
            const auto name = entry.path().filename().string();
            if (name.rfind(k_waiting, 0) != 0 || name >= ticket_)
                continue;
            if (is_locked(entry.path()))
                runs.insert(run_of(name));
        }
        return runs;
    }

    // Until somebody may have left.
    awaitable<void> news(Clock& clock)
    {
        if (std::exchange(look_again_, false))
            co_await first_of(something_closed(), clock.sleep_for(k_second_look));
        else
            co_await something_closed();
    }

private:
    awaitable<void> something_closed()
    {
        co_await events_.async_wait(asio::posix::descriptor_base::wait_read, use_awaitable);
        std::array<char, 4096> ignored;
        while (::read(events_.native_handle(), ignored.data(), ignored.size()) > 0) {
        }
        look_again_ = true;
    }

    std::string place_path(std::size_t place) const { return folder_ + "/place." + std::to_string(place); }

    std::string folder_;
    const ConcurrencyGroups::Request& request_;
    asio::posix::stream_descriptor events_;
    std::string ticket_;
    Fd held_ticket_;
    std::vector<Fd> places_;
    bool look_again_ = false;
};

} // namespace

ConcurrencyGroups::ConcurrencyGroups(std::string folder, Clock& clock,
                                     std::function<void(const std::string& run)> cancel)
    : folder_(std::move(folder)), clock_(clock), cancel_(std::move(cancel))
{
}

awaitable<ConcurrencyGroups::Place> ConcurrencyGroups::enter(const Request& request,
                                                             std::function<void(const std::string& runs)> waiting)
{
    const auto folder = folder_ + '/' + sha256_hex(request.scope + '\n' + request.group).substr(0, 32);
    make_directories(folder, 0700);
    Entrance entrance(folder, request, co_await asio::this_coro::executor);
    bool told = false;
    for (;;) {
        if (auto place = entrance.try_enter())
            co_return Place{std::move(*place)};
        if (!std::exchange(told, true)) {
            auto runs = entrance.inside();
            waiting(join({runs.begin(), runs.end()}, ", "));
            if (request.cancel_in_progress) {
                runs.merge(entrance.before_us());
                for (const auto& run : runs)
                    if (run != request.run)
                        cancel_(run);
            }
        }
        co_await entrance.news(clock_);
    }
}

} // namespace gantry::runner
