#include "runner/placing.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "runner/tar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace gantry::runner {

namespace {

bool is_below(const std::string& path, const std::string& folder)
{
    return path == folder || path.starts_with(folder.ends_with('/') ? folder : folder + "/");
}

void add(TarBuilder& tar, const PlacedEntry& entry, const std::string& name)
{
    if (entry.is_folder)
        tar.add_folder(name, entry.mode);
    else
        tar.add_file(name, entry.mode, entry.contents);
}

// The innermost mount that `path` lies in; null pointer for the container's own layer.
const engine::Mount* cover_of(const engine::ContainerSpec& spec, const std::string& path)
{
    const engine::Mount* cover = nullptr;
    for (const auto& mount : spec.mounts)
        if (is_below(path, mount.target) && (!cover || mount.target.size() > cover->target.size()))
            cover = &mount;
    return cover;
}

std::map<std::string, std::vector<PlacedEntry>> by_folder(const engine::ContainerSpec& spec, std::vector<PlacedEntry> entries)
{
    std::map<std::string, std::vector<PlacedEntry>> folders;
    for (auto& entry : entries)
        folders[folder_to_unpack_in(spec, entry.is_folder ? entry.path : place_of(entry.path))].push_back(std::move(entry));
    return folders;
}

} // namespace

std::string place_of(const std::string& path)
{
    const auto slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? path : path.substr(0, slash);
}

void make_places(engine::ContainerSpec& spec, const std::vector<std::string>& paths)
{
    for (const auto& path : paths) {
        const auto place = place_of(path);
        const auto* cover = cover_of(spec, place);
        const bool in_memory = cover && cover->type == engine::Mount::Type::tmpfs;
        if (in_memory && cover->target == place)
            throw Error(Errc::bad_input, fmt::format("{} would be hidden: a tmpfs is mounted over {}", terminal_safe(path), terminal_safe(place)),
                        "put it into a folder of its own, or leave this tmpfs out");
        if (cover && !in_memory && cover->read_only)
            throw Error(Errc::bad_input, fmt::format("{} cannot be put into {}, which is read-only", terminal_safe(path), terminal_safe(cover->target)),
                        "leave its read_only out, or choose another place");
        if (cover ? !in_memory : !spec.security.read_only_root)
            continue;
        engine::Mount mount;
        mount.target = place;
        spec.mounts.push_back(std::move(mount));
    }
}

std::string folder_to_unpack_in(const engine::ContainerSpec& spec, const std::string& place)
{
    const auto* cover = spec.security.read_only_root ? cover_of(spec, place) : nullptr;
    return cover ? cover->target : "/";
}

awaitable<void> place_entries(engine::Engine& engine, const engine::ContainerSpec& spec,
                              std::vector<PlacedEntry> entries)
{
    const auto folders = by_folder(spec, std::move(entries));
    for (const auto& [folder, all] : folders) {
        TarBuilder tar;
        for (const auto& entry : all) {
            const auto rest = entry.path.substr(folder.size());
            const auto begin = rest.find_first_not_of('/');
            add(tar, entry, begin == std::string::npos ? "." : rest.substr(begin));
        }
        ReadOnce source(tar.finish());
        engine::ReadPiece read = source;
        co_await engine.upload(spec.name, folder, read);
    }
}

} // namespace gantry::runner
