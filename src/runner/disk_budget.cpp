#include "runner/disk_budget.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace gantry::runner {

namespace {

constexpr auto k_look_interval = std::chrono::seconds(5);
constexpr int k_share_of_a_small_disk = 10;

std::uint64_t size_or_throw(const std::string& text, const std::string& where)
{
    const auto size = parse_size(text);
    if (!size)
        throw Error(Errc::bad_input, where + terminal_safe(text) + " is not a size", "write it as 500m or 2g; 0 keeps nothing free");
    return *size;
}

} // namespace

KeepFree keep_free_of(const std::string& flag)
{
    if (!flag.empty())
        return {size_or_throw(flag, "--keep-free "), false};
    if (const char* text = std::getenv("GANTRY_KEEP_FREE"); text && *text)
        return {size_or_throw(text, "GANTRY_KEEP_FREE="), false};
    return {};
}

DiskBudget::DiskBudget(KeepFree keep, std::vector<BudgetedDisk> disks, Look look)
    : keep_(keep), disks_(std::move(disks)), look_(std::move(look))
{
}

std::uint64_t DiskBudget::kept_bytes(const DiskRoom& room) const
{
    return keep_.is_default ? std::min(keep_.bytes, room.size_bytes / k_share_of_a_small_disk) : keep_.bytes;
}

std::optional<Error> DiskBudget::find_short() const
{
    for (const auto& disk : disks_) {
        const auto room = look_(disk.folder);
        if (!room || room->free_bytes >= kept_bytes(*room))
            continue;
        return Error(Errc::no_space,
                     fmt::format("disk: {} free for {} ({}), and {} are to stay free", format_size(room->free_bytes), disk.what,
                                 disk.folder, format_size(kept_bytes(*room))),
                     "make room: gantry prune, or let runs take more: --keep-free SIZE");
    }
    return std::nullopt;
}

DiskWatch::DiskWatch(const DiskBudget& budget, Clock& clock, asio::any_io_executor executor, MakeRoom make_room, OnShort on_short)
    : budget_(budget), clock_(clock), asked_(std::move(executor)), make_room_(std::move(make_room)), on_short_(std::move(on_short))
{
}

awaitable<void> DiskWatch::watch()
{
    for (;;) {
        co_await first_of(clock_.sleep_for(k_look_interval), asked_.wait());
        if (!budget_.find_short())
            continue;
        try {
            co_await make_room_();
        } catch (const Error&) {
            // What it could not free is looked at next.
        }
        error_ = budget_.find_short();
        if (error_)
            break;
    }
    on_short_(*error_);
}

} // namespace gantry::runner
