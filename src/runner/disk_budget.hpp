#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "base/disk.hpp"
#include "base/error.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

// Room that is to stay free on the disks that a run fills.

namespace gantry::runner {

struct KeepFree {
    std::uint64_t bytes = 2'000'000'000;
    bool is_default = true; // then a tenth of a disk is enough where that is less
};
// "2g", "0": as parse_size(); empty: what GANTRY_KEEP_FREE says, or the default. Throws bad_input.
KeepFree keep_free_of(const std::string& flag);

struct BudgetedDisk {
    std::string what, folder; // "images and containers", "/var/lib/docker"
};

class DiskBudget {
public:
    // Asks for the room at a folder; nothing where that cannot be known, which is enough room.
    using Look = std::function<std::optional<DiskRoom>(const std::string& folder)>;
    DiskBudget(KeepFree keep, std::vector<BudgetedDisk> disks, Look look = disk_room);

    // The first disk with too little room, as an error (no_space) for people.
    std::optional<Error> find_short() const;
    // What is to stay free of a disk.
    std::uint64_t kept_bytes(const DiskRoom& room) const;

private:
    KeepFree keep_;
    std::vector<BudgetedDisk> disks_;
    Look look_;
};

// Keeps an eye on a budget while a run goes on.
class DiskWatch {
public:
    // `make_room` is asked first, once for each time that the room gets short; its failures count for nothing. If it does not
    // help, `on_short` gets the error, once, and the watch is over.
    using MakeRoom = std::function<awaitable<void>()>;
    using OnShort = std::function<void(const Error&)>;
    DiskWatch(const DiskBudget& budget, Clock& clock, asio::any_io_executor executor, MakeRoom make_room, OnShort on_short);

    // Looks every few seconds, and when look_now() asks for it. Until it is cancelled or the room is short.
    awaitable<void> watch();
    void look_now() { asked_.notify_all(); }
    // What on_short was told.
    const std::optional<Error>& error() const { return error_; }

private:
    const DiskBudget& budget_;
    Clock& clock_;
    Signal asked_;
    MakeRoom make_room_;
    OnShort on_short_;
    std::optional<Error> error_;
};

} // namespace gantry::runner
