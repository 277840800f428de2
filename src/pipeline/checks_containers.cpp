#include "pipeline/checks_internal.hpp"

#include "pipeline/cache_path.hpp"
#include "pipeline/container_path.hpp"
#include "pipeline/container_values.hpp"
#include "pipeline/plan_merge.hpp"

#include "base/format.hpp"

#include <map>
#include <set>
#include <tuple>
#include <utility>

// What the parts of one container say of each other, those that it inherits included.

namespace gantry::pipeline {

namespace {

// One container: what it says itself, over what it inherits.
struct Layers {
    const Container& own;
    const Container& inherited;
    const MakePath& path;
    Mark fallback;

    // As overlay() has it: a list that is there replaces the inherited one.
    template <typename List> const List& list(List Container::*member, const char* key) const
    {
        return (own.*member).empty() && !own.marks.contains(key) ? inherited.*member : own.*member;
    }

    const Container& says_network() const { return own.network_mode || !own.networks.empty() ? own : inherited; }

    Mark mark(const char* key) const { return mark_of(own.marks, key, mark_of(inherited.marks, key, fallback)); }
};

class ContainerParts {
public:
    ContainerParts(const Stage& stage, Diagnostics& out) : out_(out)
    {
        for (const auto& cache : stage.caches)
            if (cache.path.is_literal())
                if (auto target = cache_path(cache.path.literal()).target; !target.empty())
                    caches_.emplace(std::move(target), fmt::format("the cache '{}'", terminal_safe(cache.name)));
    }

    void check_step(const Layers& layers) { check(layers, caches_); }
    void check_service(const Layers& layers) { check(layers, {}); } // caches are the steps'

private:
    using Taken = std::map<std::string, std::string>; // path: by what

    void check(const Layers& layers, Taken taken)
    {
        const auto take = [&](std::string_view written, Mark mark, const char* key, const char* what) {
            const auto path = written.starts_with('/') ? normalised_path(written) : std::string();
            if (path.empty())
                return;
            const auto [place, is_free] = taken.emplace(path, what);
            if (!is_free)
                report(layers, mark.known() ? mark : layers.mark(key), key, fmt::format("{} is mounted at {}, too", place->second, terminal_safe(path)),
                       "choose another path");
        };
        for (const auto& mount : layers.list(&Container::volumes, "volumes"))
            if (mount.target.is_literal())
                take(mount.target.literal(), mount.mark, "volumes", "another volume");
        for (const auto& written : layers.list(&Container::tmpfs, "tmpfs"))
            take(parse_tmpfs(written).target, {}, "tmpfs", "another tmpfs");
        check_network(layers);
    }

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
        const auto& hostname = layers.own.hostname ? layers.own.hostname : layers.inherited.hostname;
        const std::pair<const char*, bool> keys[] = {{"hostname", hostname && !hostname->empty()},
                                                     {"ports", !layers.list(&Container::ports, "ports").empty()},
                                                     {"dns", !layers.list(&Container::dns, "dns").empty()},
                                                     {"extra_hosts", !layers.list(&Container::extra_hosts, "extra_hosts").empty()}};
        for (const auto& [key, is_said] : keys)
            if (is_said)
                report(layers, layers.mark(key), key,
                       fmt::format("'{}' and 'network_mode: service:{}' cannot stand together", key, terminal_safe(service)),
                       fmt::format("the network is that of {}: say it there", terminal_safe(service)));
    }

    // What steps inherit is told once.
    void report(const Layers& layers, Mark mark, const char* key, std::string message, std::string hint)
    {
        if (!mark.known() || told_.emplace(mark.file, mark.line, mark.column).second)
            out_.push_back(error_at(mark, "conflict", std::move(message), layers.path() + "." + key, std::move(hint)));
    }

    Diagnostics& out_;
    Taken caches_;
    std::set<std::tuple<int, int, int>> told_;
};

// Builds and pushes run nothing of their own.
bool has_container(const Step& step) { return !step.build && !step.push; }

} // namespace

void check_container_parts(const Definition& definition, const StageGraph& graph, std::size_t index, Diagnostics& out)
{
    const auto& stage = definition.stages[index];
    ContainerParts parts(stage, out);
    Container inherited = definition.defaults.container;
    overlay(inherited, stage.container);
    for (const auto& placed : graph.steps[index])
        if (has_container(*placed.step)) {
            const MakePath path = [&] { return path_of(index, placed); };
            parts.check_step({placed.step->container, inherited, path, placed.step->mark});
        }
    const Container nothing;
    for (const auto& service : stage.services) {
        const MakePath path = [&] { return fmt::format("stages[{}].services.{}", index, service.name); };
        parts.check_service({service.container, nothing, path, service.mark});
    }
}

} // namespace gantry::pipeline
