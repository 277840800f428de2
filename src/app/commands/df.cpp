#include "app/commands/commands.hpp"

#include "app/commands/storage_table.hpp"
#include "app/context.hpp"
#include "app/exit_code.hpp"
#include "app/housekeeper.hpp"
#include "base/format.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace gantry::app {

namespace {

struct DfFlags {
    bool json = false, verbose = false;
};

// Without an engine there is still what lies on our own disk.
int df(Context& context, const DfFlags& flags)
{
    Housekeeper keeper(context);
    HousekeepingItems items;
    std::vector<WatchedDisk> disks;
    int exit_code = k_exit_ok;
    const runner::HousekeepingRules rules;
    try {
        context.run([&]() -> awaitable<void> {
            const auto info = co_await context.engine().probe();
            disks = disks_of(info);
            items = co_await keeper.look(rules);
        });
    } catch (const Error& error) {
        if (error.code() != Errc::unavailable)
            throw;
        context.err("gantry: " + terminal_safe(error.what()) + "\n        without the engine only what lies here is counted\n");
        disks = own_disks();
        exit_code = k_exit_infrastructure;
        context.run([&]() -> awaitable<void> { items = co_await keeper.look(rules, runner::AskEngine::no); });
    }
    if (flags.json) {
        context.out(storage_json(items, disks, flags.verbose));
        return exit_code;
    }
    context.out(storage_table(items, disks));
    if (flags.verbose && !items.empty())
        context.out("\n" + items_table(items, false));
    return exit_code;
}

} // namespace

void add_df(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("df", "Show what runs have left, and what gantry prune would free");
    const auto flags = std::make_shared<DfFlags>();
    command->add_flag("--json", flags->json, "As data");
    command->add_flag("-v,--verbose", flags->verbose, "Each thing, and why it goes or stays");
    command->footer("Examples:\n"
                    "  gantry df\n"
                    "  gantry df -v");
    command->callback([&context, flags] { context.action = [flags](Context& inner) { return df(inner, *flags); }; });
}

} // namespace gantry::app
