#include "app/commands/commands.hpp"

#include "app/commands/cache_table.hpp"
#include "app/context.hpp"
#include "app/exit_code.hpp"
#include "app/interrupt.hpp"
#include "app/pipeline_source.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "base/new_file.hpp"
#include "base/paths.hpp"
#include "runner/cache_transfer.hpp"
#include "runner/spool.hpp"
#include "runner/stage_caches.hpp"

#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

namespace gantry::app {

namespace {

struct CacheFlags {
    std::string name, key, of, branch, file, keep;
    bool all = false, json = false;
};

constexpr mode_t k_private_file_mode = 0600;
constexpr std::size_t k_input_piece_bytes = 256 * 1024;

// A branch or a tag; of private caches only.
bool is_of_branch(const cache::Whose& whose, const std::string& name)
{
    return whose.branch == "branch " + name || whose.branch == "tag " + name;
}

// Entries by name, key, repository and branch, where those are given.
std::vector<cache::Used> chosen(Context& context, const CacheFlags& flags)
{
    std::vector<cache::Used> entries;
    const auto repository = flags.of.empty() ? std::string() : folder_of_runs(flags.of);
    auto session = context.caches().open();
    for (auto& used : session.entries()) {
        const auto& entry = used.entry;
        const auto whose = cache::whose(entry.place);
        if ((flags.name.empty() || entry.place.name == flags.name) && (flags.key.empty() || entry.key == flags.key) &&
            (flags.of.empty() || whose.repository == repository) && (flags.branch.empty() || is_of_branch(whose, flags.branch)))
            entries.push_back(std::move(used));
    }
    return entries;
}

std::string what_was_asked_for(const CacheFlags& flags)
{
    return "cache " + flags.name + (flags.key.empty() ? "" : ", key " + flags.key);
}

std::vector<cache::Used> chosen_or_throw(Context& context, const CacheFlags& flags)
{
    auto entries = chosen(context, flags);
    if (!entries.empty())
        return entries;
    std::vector<std::string> names;
    for (const auto& used : chosen(context, {}))
        names.push_back(used.entry.place.name);
    const auto meant = nearest(flags.name, names);
    throw Error(Errc::not_found, "there is no " + what_was_asked_for(flags),
                meant && *meant != flags.name ? "did you mean " + *meant + "?" : "gantry cache ls");
}

int list(Context& context, const CacheFlags& flags)
{
    const auto entries = chosen(context, flags);
    if (flags.json)
        context.out(caches_json(entries));
    else if (entries.empty())
        context.err("gantry: nothing is kept yet: stages with 'caches' that pass keep theirs\n");
    else
        context.out(caches_table(entries, context.caches().limits()));
    return k_exit_ok;
}

int show(Context& context, const CacheFlags& flags)
{
    const auto entries = chosen_or_throw(context, flags);
    context.out(flags.json ? caches_json(entries) : caches_details(entries));
    return k_exit_ok;
}

// ---- rm

std::vector<cache::Used> to_remove(Context& context, const CacheFlags& flags)
{
    if (!flags.keep.empty()) {
        const auto size = parse_size(flags.keep);
        if (!size)
            throw Error(Errc::bad_input, "--keep " + flags.keep + " is not a size", "write it as 500m or 20g");
        auto entries = chosen(context, flags);
        const auto over = cache::over_limit(entries, {*size, *size});
        std::erase_if(entries, [&](const cache::Used& used) {
            return std::find(over.begin(), over.end(), used.entry) == over.end();
        });
        return entries;
    }
    if (flags.name.empty() && !flags.all)
        throw Error(Errc::bad_input, "which cache?", "gantry cache rm NAME, or --all, or --keep SIZE");
    return flags.all ? chosen(context, flags) : chosen_or_throw(context, flags);
}

awaitable<void> remove_entries(Context& context, std::vector<cache::Used> entries)
{
    const auto info = co_await context.engine().probe();
    for (const auto& used : entries)
        if (used.entry.place.engine != info.id)
            context.err("gantry: " + terminal_safe(used.entry.place.name) + ", key " + terminal_safe(used.entry.key) +
                        " is at another engine and stays\n");
    co_await runner::remove_cache_entries(context.engine(), context.caches(), std::move(entries));
}

int remove(Context& context, const CacheFlags& flags)
{
    const auto entries = to_remove(context, flags);
    if (entries.empty())
        return k_exit_ok;
    context.run([&context, &entries] { return remove_entries(context, entries); });
    return k_exit_ok;
}

// ---- export and import

runner::CacheTransfer transfer(Context& context)
{
    return {context.engine(), context.caches(), context.store().instance()};
}

awaitable<void> write_archive(Context& context, const cache::Entry& entry, const engine::WritePiece& write)
{
    const auto with = transfer(context);
    co_await runner::export_cache(with, entry, write);
}

awaitable<void> write_to_file(Context& context, const cache::Entry& entry, const std::string& path)
{
    NewFile file(path, k_private_file_mode); // a step may have kept what is not for everybody
    const engine::WritePiece write = [&file](std::string_view piece) -> awaitable<void> {
        file.write(piece);
        co_return;
    };
    co_await write_archive(context, entry, write);
    file.commit();
}

awaitable<void> write_to_pipe(Context& context, const cache::Entry& entry)
{
    const Fd out(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
    const auto write = runner::write_to(out, "standard output");
    co_await write_archive(context, entry, write);
}

int export_one(Context& context, const CacheFlags& flags)
{
    const auto entries = chosen_or_throw(context, flags);
    if (entries.size() > 1)
        throw Error(Errc::bad_input, "there are " + std::to_string(entries.size()) + " of " + what_was_asked_for(flags),
                    "name its repository with --of, and its branch with --branch; gantry cache show " + flags.name);
    const auto& entry = entries[0].entry;
    if (flags.file == "-" && ::isatty(STDOUT_FILENO))
        throw Error(Errc::bad_input, "an archive is nothing for a terminal", "name a file, or pass it on: … - | gzip > FILE");
    int signal = 0;
    context.run([&]() -> awaitable<void> {
        auto written = flags.file == "-" ? write_to_pipe(context, entry) : write_to_file(context, entry, flags.file);
        signal = co_await until_interrupted(std::move(written));
    });
    return signal == 0 ? k_exit_ok : 128 + signal;
}

// The archive is read twice, which a pipe cannot be.
Fd all_of_input(const std::string& name)
{
    if (::isatty(STDIN_FILENO))
        throw Error(Errc::bad_input, "there is no archive on a terminal", "name a file: gantry cache import FILE");
    make_directories(cache_dir(), 0700);
    auto file = runner::spool_file(cache_dir());
    std::string piece(k_input_piece_bytes, '\0');
    while (const auto count = ::read(STDIN_FILENO, piece.data(), piece.size())) {
        if (count > 0)
            write_all(file, std::string_view(piece).substr(0, static_cast<std::size_t>(count)), name);
        else if (errno != EINTR)
            throw errno_error(errno, name);
    }
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

int import_one(Context& context, const CacheFlags& flags)
{
    const auto repository = folder_of_runs(flags.of.empty() ? "." : flags.of);
    const bool from_pipe = flags.file == "-";
    const std::string name = from_pipe ? "standard input" : flags.file;
    const Fd archive = from_pipe ? all_of_input(name) : Fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
    if (!archive)
        throw errno_error(errno, name);
    runner::ImportedCache imported;
    context.run([&]() -> awaitable<void> {
        const auto with = transfer(context);
        imported = co_await runner::import_cache(with, archive, name, repository);
    });
    const auto& entry = imported.entry;
    context.err("gantry: " + terminal_safe(entry.place.name) + ", key " + terminal_safe(entry.key) + ", " +
                format_size(cache::size_bytes_of(entry)) + ", for " + owner_text(entry) + "\n");
    for (const auto& dropped : imported.dropped)
        context.err("gantry: " + terminal_safe(dropped.place.name) + ": dropped, key " + terminal_safe(dropped.key) +
                    ": the limit is reached and it was used least recently\n");
    return k_exit_ok;
}

} // namespace

void add_cache(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("cache", "What runs keep for later runs");
    command->require_subcommand(1);
    const auto flags = std::make_shared<CacheFlags>();
    const auto add = [&](const char* verb, const char* about, int (*act)(Context&, const CacheFlags&)) {
        auto* sub = command->add_subcommand(verb, about);
        sub->add_option("--of", flags->of, "Of this repository only")->type_name("FOLDER");
        sub->callback([&context, flags, act] { context.action = [flags, act](Context& inner) { return act(inner, *flags); }; });
        return sub;
    };
    const auto add_name = [&](CLI::App* sub, bool required) {
        sub->add_option("NAME", flags->name, "Of the cache")->type_name("")->required(required);
        sub->add_option("KEY", flags->key, "One entry of it")->type_name("");
    };
    auto* ls = add("ls", "List what is kept, the last used first", list);
    ls->add_flag("--json", flags->json, "As a JSON array");
    ls->footer("Examples:\n"
               "  gantry cache ls --of .\n"
               "  gantry cache ls --json | jq '.[] | {name, key, size_bytes}'");
    auto* details = add("show", "Layers, sizes and origin of a cache", show);
    add_name(details, true);
    details->add_flag("--json", flags->json, "As a JSON array");
    details->footer("Example:\n  gantry cache show npm");
    auto* rm = add("rm", "Remove a cache, or one entry of it", remove);
    add_name(rm, false);
    rm->add_flag("--all", flags->all, "All caches");
    rm->add_option("--keep", flags->keep, "Only what was used least recently, until the rest has this size")->type_name("SIZE");
    rm->footer("Examples:\n"
               "  gantry cache rm npm             all its entries\n"
               "  gantry cache rm npm main        one of them\n"
               "  gantry cache rm --all --of .    those of this repository\n"
               "  gantry cache rm --keep 5g       down to 5 GiB");
    auto* exported = add("export", "Write an entry to a tar archive", export_one);
    exported->add_option("NAME", flags->name, "Of the cache")->type_name("")->required();
    exported->add_option("KEY", flags->key, "Of the entry")->type_name("")->required();
    exported->add_option("--branch", flags->branch, "Of this branch or tag: of a private cache")->type_name("NAME");
    exported->add_option("FILE", flags->file, "The archive; - is standard output")->type_name("")->required();
    exported->footer("Examples:\n"
                     "  gantry cache export npm main npm.tar\n"
                     "  gantry cache export npm main - | ssh other gantry cache import - --of shop");
    auto* imported = add("import", "Take an entry from such an archive, for the repository here or --of", import_one);
    imported->add_option("FILE", flags->file, "The archive; - is standard input")->type_name("")->required();
    imported->footer("Name and key are those that it was exported with.\n\n"
                     "Example:\n  gantry cache import npm.tar");

    command->footer("Sizes are limited by GANTRY_CACHE_MAX (30g, in all) and GANTRY_CACHE_MAX_EACH\n"
                    "(10g, for each cache of a repository); what was used least recently goes first.\n\n"
                    "Examples:\n"
                    "  gantry cache ls\n"
                    "  gantry cache rm npm              all its entries\n"
                    "  gantry cache rm --keep 5g        down to 5 GiB, by when they were last used\n"
                    "  gantry cache export npm main npm.tar\n"
                    "  gantry cache import npm.tar      on another machine");
}

} // namespace gantry::app
