#include "runner/source_copies.hpp"

#include "base/disk.hpp"
#include "base/file.hpp"
#include "runner/source_cache.hpp"
#include "runner/source_files.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

namespace gantry::runner {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> entries_of(const std::string& folder)
{
    std::vector<std::string> paths;
    std::error_code failure;
    for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure))
        paths.push_back(entry->path().string());
    std::sort(paths.begin(), paths.end());
    return paths;
}

// The folder's lock, where nobody works on it and no run uses a stack of it. A stack is only looked at under that lock: whoever
// pins one counts on getting it.
std::optional<Fd> lock_unused(const std::string& folder)
{
    auto lock = try_lock(folder + "/lock", LockKind::exclusive);
    if (!lock)
        return std::nullopt;
    for (const auto& stack : entries_of(folder + "/stacks"))
        if (!try_lock(stack, LockKind::exclusive))
            return std::nullopt;
    return lock;
}

} // namespace

std::vector<KnownSource> known_sources(const std::string& cache_folder)
{
    std::vector<KnownSource> sources;
    for (const auto& folder : entries_of(cache_folder + "/workspaces")) {
        if (!fs::is_directory(folder + "/layers"))
            continue;
        KnownSource source;
        source.folder = folder;
        source.size_bytes = disk_usage(folder + "/layers");
        if (entries_of(folder + "/layers").empty())
            continue;
        for (const auto& stack : entries_of(folder + "/stacks"))
            source.used = std::max(source.used, modified_at(stack));
        if (source.used == WallTime())
            source.used = modified_at(folder + "/layers");
        source.in_use = !lock_unused(folder);
        sources.push_back(std::move(source));
    }
    return sources;
}

// The folder and its lock stay: somebody may be about to wait for it.
bool clear_source(const std::string& folder)
{
    const auto lock = lock_unused(folder);
    if (!lock)
        return false;
    // What names a layer goes before it.
    for (const auto& path : entries_of(folder))
        if (path.ends_with(".manifest"))
            remove_tree(path);
    for (const auto& stack : entries_of(folder + "/stacks"))
        remove_tree(stack);
    for (const auto& layer : entries_of(folder + "/layers"))
        remove_layer(layer);
    return true;
}

} // namespace gantry::runner
