#include "app/commands/cache_table.hpp"

#include "base/clock.hpp"
#include "base/columns.hpp"
#include "base/format.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace gantry::app {

namespace {

using Json = nlohmann::ordered_json;

constexpr int k_key_columns = 40;

std::uint64_t entries_of(const cache::Entry& entry)
{
    std::uint64_t sum = 0;
    for (const auto& layer : entry.layers)
        sum += layer.entries;
    return sum;
}

} // namespace

std::string owner_text(const cache::Entry& entry)
{
    const auto whose = cache::whose(entry.place);
    return terminal_safe(whose.repository) + (whose.branch.empty() ? "" : ", " + terminal_safe(whose.branch));
}

std::string caches_table(const std::vector<cache::Used>& entries, const cache::Limits& limits)
{
    std::vector<std::vector<std::string>> rows{{"CACHE", "KEY", "SIZE", "USED", "REPOSITORY"}};
    for (const auto& used : entries) {
        const auto& entry = used.entry;
        rows.push_back({terminal_safe(entry.place.name), fit(terminal_safe(entry.key), k_key_columns),
                        format_size(cache::size_bytes_of(entry)), format_ago(system_clock().wall() - used.used),
                        owner_text(entry)});
    }
    return aligned(rows) + fmt::format("{} in all, of {}\n", format_size(cache::size_bytes_of(entries)), format_size(limits.total_bytes));
}

std::string caches_details(const std::vector<cache::Used>& entries)
{
    std::string text;
    for (const auto& used : entries) {
        const auto& entry = used.entry;
        text += fmt::format("{}{}, key {}\n", text.empty() ? "" : "\n", terminal_safe(entry.place.name), terminal_safe(entry.key));
        text += fmt::format("  of       {}\n", owner_text(entry));
        text += fmt::format("  saved    {} by run {}, stage {}\n", format_time(entry.saved), entry.run, terminal_safe(entry.stage));
        text += fmt::format("  used     {}\n", format_ago(system_clock().wall() - used.used));
        text += fmt::format("  size     {} in {} files and folders\n", format_size(cache::size_bytes_of(entry)), entries_of(entry));
        for (const auto& layer : entry.layers)
            text += fmt::format("  layer    {}  {} in {}\n", layer.volume, format_size(layer.size_bytes), layer.entries);
    }
    return text;
}

std::string caches_json(const std::vector<cache::Used>& entries)
{
    auto array = Json::array();
    for (const auto& used : entries) {
        const auto& entry = used.entry;
        const auto whose = cache::whose(entry.place);
        Json json = {{"name", entry.place.name},
                     {"key", entry.key},
                     {"repository", whose.repository},
                     {"size_bytes", cache::size_bytes_of(entry)},
                     {"saved", format_time(entry.saved)},
                     {"used", format_time(used.used)},
                     {"run", entry.run},
                     {"stage", entry.stage},
                     {"engine", entry.place.engine},
                     {"layers", Json::array()}};
        if (!whose.branch.empty())
            json["of"] = whose.branch;
        for (const auto& layer : entry.layers)
            json["layers"].push_back({{"volume", layer.volume}, {"size_bytes", layer.size_bytes}, {"entries", layer.entries}, {"digest", layer.digest}});
        array.push_back(std::move(json));
    }
    return array.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace gantry::app
