#include "app/commands/storage_table.hpp"

#include "base/columns.hpp"
#include "base/disk.hpp"
#include "base/format.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gantry::app {

namespace {

using Json = nlohmann::ordered_json;
using runner::HousekeepingItem;
using runner::Kept;

constexpr int k_name_columns = 44;

std::string dumped(const Json& json)
{
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// What is taken away may share its content with what stays.
bool is_at_most(Kept kind)
{
    return kind == Kept::images || kind == Kept::artifacts;
}

std::string freed(Kept kind, std::uint64_t bytes)
{
    return (is_at_most(kind) && bytes > 0 ? "up to " : "") + format_size(bytes);
}

std::string counted(std::size_t count, const runner::KeptKind& row)
{
    std::string noun = row.name;
    if (count == 1)
        noun.pop_back();
    return fmt::format("{} {}", count, noun);
}

std::string name_of(const HousekeepingItem& item)
{
    const bool is_path = item.kind == Kept::artifacts;
    const auto name = item.kind == Kept::logs ? "run " + item.name : is_path ? item.about : item.name;
    const auto more = is_path || item.about.empty() ? "" : " (" + item.about + ")";
    return fit(terminal_safe(name + more), k_name_columns);
}

Json json_of(const HousekeepingItem& item)
{
    Json json{{"kind", runner::kept_kind(item.kind).name}, {"name", item.name}};
    if (!item.about.empty())
        json["about"] = item.about;
    json["size_bytes"] = item.size_bytes;
    if (item.since != runner::WallTime())
        json["since"] = format_time(item.since);
    json["goes"] = item.goes;
    json["why"] = item.why;
    return json;
}

Json json_of(const WatchedDisk& disk)
{
    Json json{{"what", disk.what}, {"folder", disk.folder}};
    if (const auto room = disk_room(disk.folder)) {
        json["free_bytes"] = room->free_bytes;
        json["size_bytes"] = room->size_bytes;
    }
    return json;
}

std::string total_text(const char* verb, std::uint64_t bytes, bool is_most)
{
    return fmt::format("{}{}{}\n", verb, is_most && bytes > 0 ? "up to " : "", format_size(bytes));
}

} // namespace

std::string storage_table(const HousekeepingItems& items, const std::vector<WatchedDisk>& disks)
{
    std::vector<std::vector<std::string>> rows{{"KIND", "COUNT", "SIZE", "RECLAIMABLE"}};
    for (const auto& row : runner::kept_kinds()) {
        const auto sum = runner::sum_of(items, row.kind);
        auto reclaimable = freed(row.kind, sum.frees_bytes);
        if (sum.going > 0)
            reclaimable += fmt::format(" in {}", sum.going);
        rows.push_back({row.name, std::to_string(sum.count), format_size(sum.size_bytes), reclaimable});
    }
    auto text = aligned(rows) + "\n";
    for (const auto& disk : disks)
        if (const auto room = disk_room(disk.folder))
            text += fmt::format("{} free of {} for {} ({})\n", format_size(room->free_bytes), format_size(room->size_bytes), disk.what,
                                terminal_safe(disk.folder));
    return text;
}

std::string storage_json(const HousekeepingItems& items, const std::vector<WatchedDisk>& disks, bool verbose)
{
    Json json{{"kinds", Json::array()}, {"disks", Json::array()}};
    for (const auto& row : runner::kept_kinds()) {
        const auto sum = runner::sum_of(items, row.kind);
        json["kinds"].push_back({{"kind", row.name},
                                 {"count", sum.count},
                                 {"size_bytes", sum.size_bytes},
                                 {"reclaimable", sum.going},
                                 {"reclaimable_bytes", sum.frees_bytes}});
    }
    for (const auto& disk : disks)
        json["disks"].push_back(json_of(disk));
    if (verbose) {
        json["items"] = Json::array();
        for (const auto& item : items)
            json["items"].push_back(json_of(item));
    }
    return dumped(json);
}

std::string items_table(const HousekeepingItems& items, bool going_only)
{
    std::vector<std::vector<std::string>> rows{{"KIND", "NAME", "SIZE", going_only ? "WHY" : "", ""}};
    for (const auto& item : items) {
        if (going_only && !item.goes)
            continue;
        std::string kind = runner::kept_kind(item.kind).name;
        kind.pop_back();
        if (going_only)
            rows.push_back({kind, name_of(item), format_size(item.size_bytes), terminal_safe(item.why), ""});
        else
            rows.push_back({kind, name_of(item), format_size(item.size_bytes), item.goes ? "goes" : "stays", terminal_safe(item.why)});
    }
    return rows.size() == 1 ? "" : aligned(rows);
}

std::string plan_text(const HousekeepingItems& items)
{
    std::vector<std::vector<std::string>> rows;
    bool is_most = false;
    for (const auto& row : runner::kept_kinds()) {
        const auto sum = runner::sum_of(items, row.kind);
        if (sum.going == 0)
            continue;
        is_most = is_most || (is_at_most(row.kind) && sum.frees_bytes > 0);
        rows.push_back({"  " + fmt::format("{} of {}", sum.going, counted(sum.count, row)), freed(row.kind, sum.frees_bytes)});
    }
    if (rows.empty())
        return {};
    return "would remove\n" + aligned(rows) + total_text("in all ", runner::frees_bytes_of(items), is_most);
}

std::string removed_text(const runner::Housekept& done)
{
    std::vector<std::vector<std::string>> rows;
    std::uint64_t bytes = 0;
    bool is_most = false;
    for (const auto& row : runner::kept_kinds()) {
        const auto found = done.removed.find(row.kind);
        if (found == done.removed.end() || found->second.count == 0)
            continue;
        const bool images = row.kind == Kept::images;
        is_most = is_most || images;
        bytes += found->second.size_bytes;
        rows.push_back({"  " + counted(found->second.count, row), (images ? "up to " : "") + format_size(found->second.size_bytes)});
    }
    if (rows.empty())
        return "removed nothing\n";
    return "removed\n" + aligned(rows) + total_text("freed ", bytes, is_most);
}

std::string prune_json(const HousekeepingItems& items, const runner::Housekept* done)
{
    Json json{{"dry_run", done == nullptr}, {"kinds", Json::array()}, {"items", Json::array()}, {"failed", Json::array()}};
    for (const auto& row : runner::kept_kinds()) {
        const auto sum = runner::sum_of(items, row.kind);
        Json kind{{"kind", row.name}, {"count", sum.going}, {"size_bytes", sum.frees_bytes}};
        if (done) {
            const auto found = done->removed.find(row.kind);
            const auto removed = found == done->removed.end() ? runner::Housekept::Sum() : found->second;
            kind["count"] = removed.count;
            kind["size_bytes"] = removed.size_bytes;
        }
        json["kinds"].push_back(std::move(kind));
    }
    for (const auto& item : items)
        if (item.goes)
            json["items"].push_back(json_of(item));
    if (done)
        for (const auto& failure : done->failures)
            json["failed"].push_back({{"kind", runner::kept_kind(failure.kind).name}, {"name", failure.name}, {"error", failure.error}});
    return dumped(json);
}

} // namespace gantry::app
