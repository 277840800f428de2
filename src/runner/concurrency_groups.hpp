#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "base/file.hpp"

#include <functional>
#include <memory>
#include <string>

// `concurrency:` across the processes of one user: at most `limit` runs or stages of a group at a time, in the order of their
// runs. Locks on files, so that a process that dies gives its place back.
//
//   <folder>/<group>/place.<n>                held by who is in; names its run
//   <folder>/<group>/waiting.<run>.<stage>    held by who waits

namespace gantry::runner {

class ConcurrencyGroups {
public:
    // `cancel` asks another run to end; it may throw when that run has ended meanwhile.
    ConcurrencyGroups(std::string folder, Clock& clock, std::function<void(const std::string& run)> cancel);

    struct Request {
        std::string scope; // groups of different scopes (repositories) have nothing to do with each other
        std::string group;
        int limit = 1;
        bool cancel_in_progress = false; // cancels the runs that are in or that wait since longer
        std::string run;                 // a number
        int stage = -1;                  // its position; -1: the whole run
    };
    // Held until it goes away.
    struct Place {
        Fd lock;
    };
    // Returns at once where there is a place; else calls `waiting` with the runs that are in, and waits for one. Cancel it to
    // give up.
    awaitable<Place> enter(const Request& request, std::function<void(const std::string& runs)> waiting);

private:
    class Closings;
    class Entrance;
    std::shared_ptr<Closings> closings(const asio::any_io_executor& executor);

    std::weak_ptr<Closings> closings_; // of all who wait: it goes with the last of them
    std::string folder_;
    Clock& clock_;
    std::function<void(const std::string& run)> cancel_;
};

} // namespace gantry::runner
