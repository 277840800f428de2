#include "pipeline/checks_internal.hpp"

#include "pipeline/cache_path.hpp"
#include "pipeline/container_path.hpp"
#include "pipeline/container_values.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

// What the parts of one container say of each other, those that it inherits included.

namespace gantry::pipeline {

namespace {

constexpr std::size_t k_levels = 3;

// One container: what it says itself, over what it inherits.
struct Layers {
    std::array<const Container*, k_levels> levels; // the innermost first
    const MakePath& path;
    Mark fallback;

    // As overlay() has it: the innermost list that is there counts.
    template <typename List> std::size_t level_of(List Container::*member, const char* key) const
    {
        std::size_t level = 0;
        while (level + 1 < k_levels && (levels[level]->*member).empty() && !levels[level]->marks.contains(key))
            ++level;
        return level;
    }
    template <typename List> const List& list(List Container::*member, const char* key) const { return levels[level_of(member, key)]->*member; }

    const Container& says_network() const
    {
        const auto says = [](const Container* level) { return level->network_mode || !level->networks.empty(); };
        const auto found = std::ranges::find_if(levels, says);
        return found == levels.end() ? *levels.back() : **found;
    }

    bool has_hostname() const
    {
        const auto found = std::ranges::find_if(levels, [](const Container* level) { return level->hostname.has_value(); });
        return found != levels.end() && !(*found)->hostname->empty();
    }

    Mark mark(const char* key) const
    {
        for (const auto* level : levels)
            if (const auto mark = mark_of(level->marks, key, {}); mark.known())
                return mark;
        return fallback;
    }
};

// The paths at which a list mounts something, for many containers that inherit it.
struct MountList {
    struct Mount {
        std::string path;
        Mark mark;
    };
    std::vector<Mount> mounts;
    std::unordered_map<std::string, std::size_t> first; // by path
    std::vector<std::size_t> repeated;                  // whose path another one above has
    bool is_told = false;                               // of those

    void add(std::string_view written, Mark mark)
    {
        auto path = written.starts_with('/') ? normalised_path(written) : std::string();
        if (path.empty())
            return;
        if (!first.emplace(path, mounts.size()).second)
            repeated.push_back(mounts.size());
        mounts.push_back({std::move(path), mark});
    }
};

// Of one level.
struct Mounts {
    MountList volumes, tmpfs;
    std::vector<std::size_t> tmpfs_on_volumes;
};

// Which mounts have a path of `taken`; of those that have one path the first is enough. Takes as long as the shorter of both.
template <typename Map> std::vector<std::size_t> crossing(const Map& taken, const MountList& list)
{
    std::vector<std::size_t> found;
    if (taken.size() < list.mounts.size()) {
        for (const auto& [path, by] : taken)
            if (const auto same = list.first.find(path); same != list.first.end())
                found.push_back(same->second);
        return found;
    }
    for (std::size_t i = 0; i < list.mounts.size(); ++i)
        if (taken.contains(list.mounts[i].path))
            found.push_back(i);
    return found;
}

Mounts mounts_of(const Container& container)
{
    Mounts mounts;
    for (const auto& mount : container.volumes)
        if (mount.target.is_literal())
            mounts.volumes.add(mount.target.literal(), mount.mark);
    for (const auto& written : container.tmpfs)
        mounts.tmpfs.add(parse_tmpfs(written).target, {});
    mounts.tmpfs_on_volumes = crossing(mounts.volumes.first, mounts.tmpfs);
    return mounts;
}

// Builds and pushes run nothing of their own.
bool has_container(const Step& step) { return !step.build && !step.push; }

class ContainerParts {
public:
    ContainerParts(const Definition& definition, const StageGraph& graph, Diagnostics& out) : definition_(definition), graph_(graph), out_(out) {}

    void check_all()
    {
        for (std::size_t i = 0; i < definition_.stages.size(); ++i)
            check_stage(i);
    }

private:
    using Taken = std::unordered_map<std::string, std::string>; // path: by what

    void check_stage(std::size_t index)
    {
        const auto& stage = definition_.stages[index];
        Taken caches;
        for (const auto& cache : stage.caches)
            if (cache.path.is_literal())
                if (auto target = cache_path(cache.path.literal()).target; !target.empty())
                    caches.emplace(std::move(target), fmt::format("the cache '{}'", terminal_safe(cache.name)));
        inherited_[1].reset();
        seen_ = {};
        for (const auto& placed : graph_.steps[index])
            if (has_container(*placed.step)) {
                const MakePath path = [&] { return path_of(index, placed); };
                const Layers layers{{&placed.step->container, &stage.container, &definition_.defaults.container}, path, placed.step->mark};
                check_mounts(layers, caches);
                check_network(layers);
            }
        for (const auto& service : stage.services) {
            const MakePath path = [&] { return fmt::format("stages[{}].services.{}", index, service.name); };
            const Layers layers{{&service.container, &service.container, &service.container}, path, service.mark}; // it inherits nothing
            auto own = mounts_of(service.container);
            check_volumes(layers, {}, own.volumes); // caches are the steps'
            check_tmpfs(layers, {}, own.volumes, own.tmpfs, own.tmpfs_on_volumes);
            check_network(layers);
        }
    }

    // ---- mounts

    void check_mounts(const Layers& layers, const Taken& caches)
    {
        const auto volumes_level = layers.level_of(&Container::volumes, "volumes");
        const auto tmpfs_level = layers.level_of(&Container::tmpfs, "tmpfs");
        const bool inherits_all = volumes_level > 0 && tmpfs_level > 0;
        // What one step of a stage inherits is what the next does.
        const bool has_new_volumes = volumes_level == 0 || !std::exchange(seen_.volumes, true);
        const bool has_new_tmpfs = tmpfs_level == 0 || !std::exchange(seen_.tmpfs, true);
        if (inherits_all && std::exchange(seen_.both, true))
            return;
        auto own = inherits_all ? Mounts() : mounts_of(*layers.levels[0]);
        auto& of_volumes = volumes_level == 0 ? own : inherited(layers, volumes_level);
        auto& of_tmpfs = tmpfs_level == 0 ? own : inherited(layers, tmpfs_level);
        const Taken none;
        if (has_new_volumes)
            check_volumes(layers, caches, of_volumes.volumes);
        check_tmpfs(layers, has_new_tmpfs ? caches : none, of_volumes.volumes, of_tmpfs.tmpfs,
                    volumes_level == tmpfs_level ? of_tmpfs.tmpfs_on_volumes : crossing(of_volumes.volumes.first, of_tmpfs.tmpfs));
    }

    Mounts& inherited(const Layers& layers, std::size_t level)
    {
        if (!inherited_[level])
            inherited_[level] = mounts_of(*layers.levels[level]);
        return *inherited_[level];
    }

    void check_volumes(const Layers& layers, const Taken& caches, MountList& volumes)
    {
        const auto in_caches = crossing(caches, volumes);
        std::set<std::size_t> refused(in_caches.begin(), in_caches.end());
        if (!volumes.is_told)
            refused.insert(volumes.repeated.begin(), volumes.repeated.end());
        volumes.is_told = true;
        for (const auto i : refused) {
            const auto& [path, mark] = volumes.mounts[i];
            const auto cache = caches.find(path);
            report_mount(layers, mark.known() ? mark : layers.mark("volumes"), "volumes", path, cache == caches.end() ? "another volume" : cache->second);
        }
    }

    void check_tmpfs(const Layers& layers, const Taken& caches, const MountList& volumes, const MountList& tmpfs,
                     const std::vector<std::size_t>& on_volumes)
    {
        if (is_told(layers.mark("tmpfs")))
            return;
        const auto in_caches = crossing(caches, tmpfs);
        std::set<std::size_t> refused(on_volumes.begin(), on_volumes.end());
        refused.insert(tmpfs.repeated.begin(), tmpfs.repeated.end());
        refused.insert(in_caches.begin(), in_caches.end());
        for (const auto i : refused) {
            const auto& path = tmpfs.mounts[i].path;
            const auto cache = caches.find(path);
            report_mount(layers, layers.mark("tmpfs"), "tmpfs", path,
                         cache != caches.end()          ? cache->second
                         : volumes.first.contains(path) ? "another volume"
                                                        : "another tmpfs");
        }
    }

    void report_mount(const Layers& layers, Mark mark, const char* key, const std::string& path, const std::string& by)
    {
        report(layers, mark, key, fmt::format("{} is mounted at {}, too", by, terminal_safe(path)), "choose another path");
    }

    // ---- networks

    void check_network(const Layers& layers)
    {
        const auto& network = layers.says_network();
        if (const auto service = network_service(network))
            check_shared(layers, *service);
        else if (network.network_mode)
            check_ports(layers, *network.network_mode);
    }

    // Engines publish nothing of a container that has no network of the stage, and say nothing.
    void check_ports(const Layers& layers, const std::string& mode)
    {
        if ((mode != "none" && mode != "host") || layers.list(&Container::ports, "ports").empty())
            return;
        report(layers, layers.mark("ports"), "ports", fmt::format("'ports' and 'network_mode: {}' cannot stand together", mode),
               mode == "none" ? "without a network there is nothing to publish: take one of them out"
                              : "the host's ports are the container's: leave 'ports' out");
    }

    // Who has the network of another container has its name, its ports and its files of addresses.
    void check_shared(const Layers& layers, std::string_view service)
    {
        const std::pair<const char*, bool> keys[] = {{"hostname", layers.has_hostname()},
                                                     {"ports", !layers.list(&Container::ports, "ports").empty()},
                                                     {"dns", !layers.list(&Container::dns, "dns").empty()},
                                                     {"extra_hosts", !layers.list(&Container::extra_hosts, "extra_hosts").empty()}};
        for (const auto& [key, is_said] : keys)
            if (is_said)
                report(layers, layers.mark(key), key,
                       fmt::format("'{}' and 'network_mode: service:{}' cannot stand together", key, terminal_safe(service)),
                       fmt::format("the network is that of {}: say it there", terminal_safe(service)));
    }

    bool is_told(Mark mark) const { return told_.contains({mark.file, mark.line, mark.column}); }

    // What steps inherit is told once.
    void report(const Layers& layers, Mark mark, const char* key, std::string message, std::string hint)
    {
        if (!mark.known() || told_.emplace(mark.file, mark.line, mark.column).second)
            out_.push_back(error_at(mark, "conflict", std::move(message), layers.path() + "." + key, std::move(hint)));
    }

    const Definition& definition_;
    const StageGraph& graph_;
    Diagnostics& out_;
    std::array<std::optional<Mounts>, k_levels> inherited_; // by level; made when first asked for
    struct {
        bool volumes = false, tmpfs = false, both = false;
    } seen_; // which lists a step of the stage has inherited
    std::set<std::tuple<int, int, int>> told_;
};

} // namespace

void check_container_parts(const Definition& definition, const StageGraph& graph, Diagnostics& out)
{
    ContainerParts(definition, graph, out).check_all();
}

} // namespace gantry::pipeline
