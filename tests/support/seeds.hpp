#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// The seeds of a simulator: GANTRY_SIM_SEED=n replays one, GANTRY_SIM_SEEDS=n runs the first n instead of the usual number.

namespace gantry::test {

struct Seeds {
    std::uint64_t first = 1, count = 0;
};

inline Seeds seeds(std::uint64_t usual)
{
    const auto number = [](const char* name) {
        const char* text = std::getenv(name);
        return text && *text ? std::optional<std::uint64_t>(std::strtoull(text, nullptr, 10)) : std::nullopt;
    };
    if (const auto only = number("GANTRY_SIM_SEED"))
        return {*only, 1};
    return {1, number("GANTRY_SIM_SEEDS").value_or(usual)};
}

// `simulate(seed, tally)` for each, on all processors; it shares nothing. Returns the sum of the tallies, or throws with all
// that was wrong, each with the first seed that showed it.
template <typename Tally, typename Simulate> Tally for_each_seed(const Seeds& range, Simulate simulate)
{
    constexpr int k_most_failures = 100;
    const auto workers =
        std::max<std::uint64_t>(1, std::min<std::uint64_t>(std::thread::hardware_concurrency(), range.count));
    std::mutex mutex;
    Tally sum;
    std::map<std::string, std::uint64_t> failures; // what, and the seed
    std::atomic<int> failed = 0;
    const auto work = [&](std::uint64_t worker) {
        Tally tally;
        for (auto seed = range.first + worker; seed < range.first + range.count && failed < k_most_failures;
             seed += workers)
            try {
                simulate(seed, tally);
            } catch (const std::exception& error) {
                ++failed;
                const std::scoped_lock lock(mutex);
                const auto [entry, is_new] = failures.emplace(error.what(), seed);
                entry->second = std::min(entry->second, seed);
            }
        const std::scoped_lock lock(mutex);
        sum.add(tally);
    };
    std::vector<std::jthread> threads;
    for (std::uint64_t worker = 1; worker < workers; ++worker)
        threads.emplace_back(work, worker);
    work(0);
    threads.clear();
    std::string text;
    for (const auto& [what, seed] : failures)
        text += what + "\n  again: GANTRY_SIM_SEED=" + std::to_string(seed) + "\n";
    if (!text.empty())
        throw std::runtime_error(text);
    return sum;
}

} // namespace gantry::test
