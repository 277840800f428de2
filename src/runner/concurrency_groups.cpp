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
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace gantry::runner {

namespace {

// The kernel tells of the end of a process's file before it gives up the lock, so whoever looks at once may look too early.
constexpr auto k_second_look = std::chrono::seconds(1);
// Other programs of the user may have taken all inotify instances or watches: then nobody wakes us, and this costs little.
constexpr auto k_look_without_news = std::chrono::seconds(1);

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

} // namespace

// Counts in which folders files were closed behind writing. The kernel has 128 inotify instances for a user, and a run may have
// more stages that wait: all of them share one.
class ConcurrencyGroups::Closings : public std::enable_shared_from_this<Closings> {
public:
    explicit Closings(const asio::any_io_executor& executor) : events_(executor), news_(executor) {}
    Closings(const Closings&) = delete;

    static std::shared_ptr<Closings> on(const asio::any_io_executor& executor)
    {
        auto made = std::make_shared<Closings>(executor);
        if (const int instance = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK); instance >= 0) {
            made->events_.assign(instance);
            made->listen(); // which needs that somebody owns it
        }
        return made;
    }
    // The folder's number here; nothing where the kernel has no instance or no watch left for us.
    std::optional<int> watch(const std::string& folder)
    {
        if (!events_.is_open())
            return std::nullopt;
        const int number = ::inotify_add_watch(events_.native_handle(), folder.c_str(), IN_CLOSE_WRITE);
        if (number < 0)
            return std::nullopt;
        counts_.try_emplace(number, 0);
        return number;
    }
    std::uint64_t count(int folder) const { return counts_.at(folder); }
    awaitable<void> wait_beyond(int folder, std::uint64_t seen)
    {
        const auto is_beyond = [this, folder, seen] { return count(folder) != seen; };
        co_await news_.wait_until(is_beyond);
    }

private:
    void listen()
    {
        events_.async_wait(asio::posix::descriptor_base::wait_read,
                           [weak = weak_from_this()](const boost::system::error_code& failure) {
                               const auto self = weak.lock();
                               if (failure || !self)
                                   return;
                               self->read_events();
                               self->listen();
                           });
    }

    void read_events()
    {
        alignas(inotify_event) std::array<char, 16 * 1024> buffer;
        for (ssize_t size; (size = ::read(events_.native_handle(), buffer.data(), buffer.size())) > 0;)
            for (ssize_t at = 0; at < size;) {
                const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
                // After an overflow of the kernel's queue it may have been any of them.
                for (auto& [folder, count] : counts_)
                    count += folder == event->wd || (event->mask & IN_Q_OVERFLOW) != 0 ? 1 : 0;
                at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
            }
        news_.notify_all();
    }

    asio::posix::stream_descriptor events_;
    std::map<int, std::uint64_t> counts_; // by folder
    Signal news_;
};

class ConcurrencyGroups::Entrance {
public:
    Entrance(const std::string& folder, const Request& request, std::shared_ptr<Closings> closings)
        : folder_(folder), request_(request), closings_(std::move(closings)), watched_(closings_->watch(folder)),
          ticket_(ticket_of(request))
    {
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
        // What is closed from here on is news.
        seen_ = watched_ ? closings_->count(*watched_) : 0;
        if (somebody_is_before_us())
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
        for (const auto& entry : std::filesystem::directory_iterator(folder_))
            if (is_before_us(entry))
                runs.insert(run_of(entry.path().filename()));
        return runs;
    }

    // Until somebody may have left.
    awaitable<void> news(Clock& clock)
    {
        if (!watched_)
            co_await clock.sleep_for(k_look_without_news);
        else if (std::exchange(look_again_, false))
            co_await first_of(something_closed(), clock.sleep_for(k_second_look));
        else
            co_await something_closed();
    }

private:
    awaitable<void> something_closed()
    {
        co_await closings_->wait_beyond(*watched_, seen_);
        look_again_ = true;
    }

    bool is_before_us(const std::filesystem::directory_entry& entry) const
    {
        const auto name = entry.path().filename().string();
        return name.rfind(k_waiting, 0) == 0 && name < ticket_ && is_locked(entry.path());
    }
    // Most of those who wait find one soon.
    bool somebody_is_before_us() const
    {
        const std::filesystem::directory_iterator all(folder_), end;
        return std::any_of(all, end, [this](const auto& entry) { return is_before_us(entry); });
    }

    std::string place_path(std::size_t place) const { return folder_ + "/place." + std::to_string(place); }

    std::string folder_;
    const Request& request_;
    std::shared_ptr<Closings> closings_;
    // The watch stands before the first look, so that nothing is missed.
    std::optional<int> watched_;
    std::uint64_t seen_ = 0;
    std::string ticket_;
    Fd held_ticket_;
    std::vector<Fd> places_;
    bool look_again_ = false;
};

ConcurrencyGroups::ConcurrencyGroups(std::string folder, Clock& clock,
                                     std::function<void(const std::string& run)> cancel)
    : folder_(std::move(folder)), clock_(clock), cancel_(std::move(cancel))
{
}

std::shared_ptr<ConcurrencyGroups::Closings> ConcurrencyGroups::closings(const asio::any_io_executor& executor)
{
    auto shared = closings_.lock();
    if (!shared)
        closings_ = shared = Closings::on(executor);
    return shared;
}

awaitable<ConcurrencyGroups::Place> ConcurrencyGroups::enter(const Request& request,
                                                             std::function<void(const std::string& runs)> waiting)
{
    const auto folder = folder_ + '/' + sha256_hex(request.scope + '\n' + request.group).substr(0, 32);
    make_directories(folder, 0700);
    const auto executor = co_await asio::this_coro::executor;
    Entrance entrance(folder, request, closings(executor));
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
