#include "runner/placing.hpp"

#include "runner/tar.hpp"

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

// By the folder that an archive is unpacked in.
std::map<std::string, std::vector<PlacedEntry>> by_place(std::vector<PlacedEntry> entries, bool only_volumes)
{
    std::map<std::string, std::vector<PlacedEntry>> places;
    for (auto& entry : entries) {
        const auto place = !only_volumes ? "/" : entry.is_folder ? entry.path : place_of(entry.path);
        places[place].push_back(std::move(entry));
    }
    return places;
}

} // namespace

std::string place_of(const std::string& path)
{
    const auto slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? path : path.substr(0, slash);
}

void make_places(engine::ContainerSpec& spec, const std::vector<std::string>& paths)
{
    if (!spec.security.read_only_root)
        return;
    for (const auto& path : paths) {
        const auto place = place_of(path);
        const auto covers = [&](const engine::Mount& mount) { return is_below(place, mount.target); };
        if (std::any_of(spec.mounts.begin(), spec.mounts.end(), covers))
            continue;
        engine::Mount mount;
        mount.target = place;
        spec.mounts.push_back(std::move(mount));
    }
}

awaitable<void> place_entries(engine::Engine& engine, const engine::ContainerSpec& spec,
                              std::vector<PlacedEntry> entries)
{
    const auto places = by_place(std::move(entries), spec.security.read_only_root);
    for (const auto& [place, all] : places) {
        TarBuilder tar;
        for (const auto& entry : all) {
            const auto rest = entry.path == place ? std::string(".") : entry.path.substr(place.size());
            add(tar, entry, rest.substr(rest.find_first_not_of('/')));
        }
        ReadOnce source(tar.finish());
        engine::ReadPiece read = source;
        co_await engine.upload(spec.name, place, read);
    }
}

} // namespace gantry::runner
