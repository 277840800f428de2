#include "app/housekeeper.hpp"

#include "base/clock.hpp"
#include "base/format.hpp"
#include "base/paths.hpp"

#include <filesystem>

namespace gantry::app {

Housekeeper::Housekeeper(Context& context)
    : artifacts_(state_dir() + "/artifacts"),
      sources_{context.engine(), context.store(), context.caches(), artifacts_, cache_dir(), system_clock()}
{
}

awaitable<Housekeeper::Items> Housekeeper::look(runner::HousekeepingRules rules, runner::AskEngine ask)
{
    const auto facts = co_await runner::collect_facts(sources_, rules.keep, ask);
    co_return runner::judge(facts, rules);
}

awaitable<runner::Housekept> Housekeeper::remove(Items items)
{
    co_return co_await runner::remove_items(sources_, std::move(items));
}

awaitable<std::string> what_prune_would_free(Context& context)
{
    constexpr std::uint64_t k_worth_telling_bytes = 1'000'000;
    try {
        Housekeeper keeper(context);
        const runner::HousekeepingRules rules;
        const auto items = co_await keeper.look(rules);
        const auto bytes = runner::frees_bytes_of(items);
        if (bytes >= k_worth_telling_bytes)
            co_return "gantry prune would free up to " + format_size(bytes);
    } catch (const Error&) {
        // Whoever asks has something else to tell.
    }
    co_return "";
}

std::vector<WatchedDisk> disks_of(const engine::EngineInfo& info)
{
    std::vector<WatchedDisk> disks;
    std::error_code failure;
    if (info.local && !info.root_dir.empty() && std::filesystem::exists(info.root_dir, failure))
        disks.push_back({"images and containers", info.root_dir});
    for (auto& disk : own_disks())
        disks.push_back(std::move(disk));
    return disks;
}

std::vector<WatchedDisk> own_disks()
{
    return {{"journals and logs", state_dir()}, {"copies of repositories", cache_dir()}};
}

} // namespace gantry::app
