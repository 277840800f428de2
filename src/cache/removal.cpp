#include "cache/removal.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>

namespace gantry::cache {

namespace {

void set_from_environment(const char* name, std::uint64_t& limit_bytes)
{
    const char* text = std::getenv(name);
    if (!text || !*text)
        return;
    const auto size = parse_size(text);
    if (!size)
        throw Error(Errc::bad_input, std::string(name) + "=" + terminal_safe(text) + " is not a size", "write it as 500m or 20g");
    limit_bytes = *size;
}

// How many entries have each layer, and what all of them take.
class Shares {
public:
    void add(const Entry& entry)
    {
        for (const auto& layer : entry.layers)
            if (++counts_[{entry.place.engine, layer.volume}] == 1)
                size_bytes_ += layer.size_bytes;
    }
    void remove(const Entry& entry)
    {
        for (const auto& layer : entry.layers)
            if (--counts_[{entry.place.engine, layer.volume}] == 0)
                size_bytes_ -= layer.size_bytes;
    }
    std::uint64_t size_bytes() const { return size_bytes_; }

private:
    std::map<std::pair<std::string, std::string>, int> counts_;
    std::uint64_t size_bytes_ = 0;
};

} // namespace

Limits limits_from_environment()
{
    Limits limits;
    set_from_environment("GANTRY_CACHE_MAX_EACH", limits.each_bytes);
    set_from_environment("GANTRY_CACHE_MAX", limits.total_bytes);
    return limits;
}

std::uint64_t size_bytes_of(const std::vector<Used>& entries)
{
    Shares shares;
    for (const auto& used : entries)
        shares.add(used.entry);
    return shares.size_bytes();
}

std::vector<Entry> over_limit(std::vector<Used> entries, const Limits& limits)
{
    std::stable_sort(entries.begin(), entries.end(), [](const Used& a, const Used& b) { return a.used < b.used; });
    std::map<Place, Shares> each;
    std::map<std::string, Shares> total; // by engine
    for (const auto& used : entries) {
        each[used.entry.place].add(used.entry);
        total[used.entry.place.engine].add(used.entry);
    }
    std::vector<Entry> dropped;
    const auto drop = [&](const Entry& entry) {
        each[entry.place].remove(entry);
        total[entry.place.engine].remove(entry);
        dropped.push_back(entry);
    };
    for (const auto& used : entries)
        if (each[used.entry.place].size_bytes() > limits.each_bytes)
            drop(used.entry);
    for (const auto& used : entries)
        if (total[used.entry.place.engine].size_bytes() > limits.total_bytes &&
            std::find(dropped.begin(), dropped.end(), used.entry) == dropped.end())
            drop(used.entry);
    return dropped;
}

std::set<std::string> unused_volumes(const std::set<std::string>& candidates, const std::vector<Used>& entries,
                                     const std::set<std::string>& in_use)
{
    auto unused = candidates;
    for (const auto& used : entries)
        for (const auto& layer : used.entry.layers)
            unused.erase(layer.volume);
    for (const auto& name : in_use)
        unused.erase(name);
    return unused;
}

} // namespace gantry::cache
