#include "app/commands/commands.hpp"

#include "app/commands/storage_table.hpp"
#include "app/context.hpp"
#include "app/exit_code.hpp"
#include "app/housekeeper.hpp"
#include "base/format.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

namespace gantry::app {

namespace {

struct PruneFlags {
    std::vector<std::string> kinds;
    std::string older_than;
    std::size_t keep = runner::HousekeepingRules().keep;
    bool all = false, dry_run = false, yes = false, json = false, verbose = false;
};

runner::HousekeepingRules rules_of(const PruneFlags& flags)
{
    runner::HousekeepingRules rules;
    for (const auto& name : flags.kinds)
        rules.kinds.insert(runner::parse_kept(name));
    if (!flags.older_than.empty()) {
        rules.older_than = parse_duration(flags.older_than);
        if (!rules.older_than)
            throw Error(Errc::bad_input, "--older-than " + terminal_safe(flags.older_than) + " is not a duration",
                        "write it as 12h or 7d");
        if (flags.all)
            throw Error(Errc::bad_input, "--all takes things whatever their age, and --older-than says how old", "leave one of them out");
    }
    rules.keep = flags.keep;
    rules.all = flags.all;
    return rules;
}

bool needs_engine(const runner::HousekeepingRules& rules)
{
    return rules.kinds.empty() ||
           std::any_of(rules.kinds.begin(), rules.kinds.end(), [](runner::Kept kind) { return runner::kept_kind(kind).at_engine; });
}

bool anything_goes(const HousekeepingItems& items)
{
    return std::any_of(items.begin(), items.end(), [](const auto& item) { return item.goes; });
}

void only_these(HousekeepingItems& items, const HousekeepingItems& shown)
{
    std::set<std::pair<runner::Kept, std::string>> known;
    for (const auto& item : shown)
        if (item.goes)
            known.emplace(item.kind, item.name);
    for (auto& item : items)
        item.goes = item.goes && known.contains({item.kind, item.name});
}

bool asked_and_confirmed(Context& context)
{
    context.err("remove this? [y/N] ");
    std::string answer;
    std::getline(std::cin, answer);
    const auto word = to_lower(trim(answer));
    return word == "y" || word == "yes";
}

// The engine is asked first, so that the logs of a run stay whose container does. Without one, what lies here can go all the same.
HousekeepingItems look(Context& context, Housekeeper& keeper, const runner::HousekeepingRules& rules)
{
    HousekeepingItems items;
    try {
        context.run([&]() -> awaitable<void> { items = co_await keeper.look(rules); });
    } catch (const Error& error) {
        if (needs_engine(rules) || error.code() != Errc::unavailable)
            throw;
        context.run([&]() -> awaitable<void> { items = co_await keeper.look(rules, runner::AskEngine::no); });
    }
    if (!rules.kinds.empty())
        std::erase_if(items, [&](const auto& item) { return !rules.kinds.contains(item.kind); });
    return items;
}

int tell_end(Context& context, const PruneFlags& flags, const HousekeepingItems& items, const runner::Housekept& done)
{
    context.out(flags.json ? prune_json(items, &done) : removed_text(done));
    for (const auto& failure : done.failures) {
        context.err("gantry: " + terminal_safe(failure.name) + " stays: " + terminal_safe(failure.error) + "\n");
        if (!failure.hint.empty())
            context.err("        " + terminal_safe(failure.hint) + "\n");
    }
    return done.failures.empty() ? k_exit_ok : k_exit_infrastructure;
}

int prune(Context& context, const PruneFlags& flags)
{
    const auto rules = rules_of(flags);
    const bool asks = !flags.dry_run && !flags.yes;
    if (asks && (flags.json || !::isatty(STDIN_FILENO)))
        throw Error(Errc::bad_input, "there is nobody to ask whether it may be removed",
                    "gantry prune --yes removes it; gantry prune --dry-run only tells");
    Housekeeper keeper(context);
    auto items = look(context, keeper, rules);
    if (flags.dry_run && flags.json) {
        context.out(prune_json(items, nullptr));
        return k_exit_ok;
    }
    if (!anything_goes(items) && !flags.json) {
        context.err("gantry: nothing to remove; what there is: gantry df -v\n");
        return k_exit_ok;
    }
    if (!flags.json && flags.verbose)
        context.out(items_table(items, true));
    if (!flags.json && (flags.dry_run || asks))
        context.out(plan_text(items));
    if (flags.dry_run)
        return k_exit_ok;
    if (asks) {
        if (!asked_and_confirmed(context))
            return k_exit_ok;
        // Meanwhile a run may have begun to use some of it.
        auto now = look(context, keeper, rules);
        only_these(now, items);
        items = std::move(now);
    }
    runner::Housekept done;
    context.run([&]() -> awaitable<void> { done = co_await keeper.remove(items); });
    return tell_end(context, flags, items, done);
}

std::string kinds_text()
{
    std::string text;
    for (const auto& row : runner::kept_kinds()) {
        const auto days = std::chrono::duration_cast<std::chrono::hours>(row.limit).count() / 24;
        const auto name = std::string(row.name) + std::string(12 - std::string(row.name).size(), ' ');
        text += "  " + name + std::to_string(days) + "d" + std::string(days < 10 ? 3 : 2, ' ') + row.about + "\n";
    }
    return text;
}

} // namespace

void add_prune(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("prune", "Remove what runs have left that nobody needs any more");
    const auto flags = std::make_shared<PruneFlags>();
    command->add_option("KIND", flags->kinds, "Only these, see below")->type_name("");
    command->add_option("--older-than", flags->older_than, "Instead of each kind's own age")->type_name("TIME");
    command->add_option("--keep", flags->keep, "So many of the newest runs stay, with their images (10)")
        ->type_name("N")
        ->check(CLI::Range(0, 1000000).description(""));
    command->add_flag("-a,--all", flags->all, "Whatever its age");
    command->add_flag("-n,--dry-run", flags->dry_run, "Only tell");
    command->add_flag("-y,--yes", flags->yes, "Do not ask");
    command->add_flag("-v,--verbose", flags->verbose, "Name each, and say why it goes");
    command->add_flag("--json", flags->json, "As data");
    command->footer("Kinds, and how old they get:\n" + kinds_text() +
                    "Only what this installation has made; nothing that a run uses.\n\n"
                    "Examples:\n"
                    "  gantry prune --dry-run -v\n"
                    "  gantry prune images --older-than 2d\n"
                    "  gantry prune --all --keep 0 --yes     all but what runs use now");
    command->callback([&context, flags] { context.action = [flags](Context& inner) { return prune(inner, *flags); }; });
}

} // namespace gantry::app
