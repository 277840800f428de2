#include "runner/housekeeping.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "runner/cache_volumes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

namespace gantry::runner {

namespace {

using std::chrono::hours;

constexpr std::array k_stored_kinds{
    KeptKind{Kept::containers, "containers", "of steps that failed, for gantry shell", true, hours(24 * 3)},
    KeptKind{Kept::networks, "networks", "of the same runs", true, hours(24 * 3)},
    KeptKind{Kept::volumes, "volumes", "workspaces of the same runs; lost layers of caches", true, hours(24 * 3)},
    KeptKind{Kept::images, "images", "that runs have built", true, hours(24 * 7)},
    KeptKind{Kept::caches, "caches", "entries, and copies of repositories for workspaces", true, hours(24 * 30)},
    KeptKind{Kept::artifacts, "artifacts", "that stages have kept", false, hours(24 * 30)},
    KeptKind{Kept::logs, "logs", "runs: their journals and logs", false, hours(24 * 30)},
};

std::string label_of(const engine::Object& object, const char* key)
{
    const auto found = object.labels.find(key);
    return found == object.labels.end() ? std::string() : found->second;
}

Kept kind_of(engine::ObjectKind kind)
{
    switch (kind) {
    case engine::ObjectKind::container: return Kept::containers;
    case engine::ObjectKind::network: return Kept::networks;
    case engine::ObjectKind::volume: return Kept::volumes;
    case engine::ObjectKind::image: return Kept::images;
    }
    return Kept::containers;
}

class Judge {
public:
    Judge(const HousekeepingFacts& facts, const HousekeepingRules& rules) : facts_(facts), rules_(rules)
    {
        for (std::size_t i = 0; i < facts.runs.size(); ++i) {
            const auto& run = facts.runs[i];
            runs_[run.id] = &run;
            if (i < rules.keep)
                newest_.insert(run.id);
        }
        for (const auto& used : facts.caches)
            for (const auto& layer : used.entry.layers)
                layers_.insert(layer.volume);
    }

    std::vector<HousekeepingItem> all()
    {
        for (const auto& stored : facts_.objects)
            if (stored.object.kind == engine::ObjectKind::container)
                object(stored);
        for (const auto& stored : facts_.objects)
            if (stored.object.kind == engine::ObjectKind::network || stored.object.kind == engine::ObjectKind::volume)
                object(stored);
        for (const auto& stored : facts_.objects)
            if (stored.object.kind == engine::ObjectKind::image)
                image(stored);
        for (const auto& used : facts_.caches)
            entry(used);
        for (const auto& source : facts_.sources)
            source_copy(source);
        for (const auto& run : facts_.runs)
            log(run);
        for (const auto& artifacts : facts_.artifacts)
            kept_files(artifacts);
        std::stable_sort(items_.begin(), items_.end(), [](const auto& a, const auto& b) { return a.kind < b.kind; });
        return std::move(items_);
    }

private:
    // ---- words

    HousekeepingItem& add(Kept kind, const std::string& name, std::uint64_t size_bytes, WallTime since)
    {
        HousekeepingItem item;
        item.kind = kind;
        item.name = name;
        item.size_bytes = size_bytes;
        item.since = since;
        return items_.emplace_back(std::move(item));
    }

    std::string age_text(WallTime since) const
    {
        const auto age = std::max(facts_.now - since, WallTime::duration(0));
        if (age >= hours(48))
            return fmt::format("{} days", std::chrono::duration_cast<hours>(age).count() / 24);
        return format_duration(age);
    }

    static void stays(HousekeepingItem& item, std::string why) { item.why = std::move(why); }
    void goes(HousekeepingItem& item, std::string why) const
    {
        item.why = std::move(why);
        item.goes = rules_.kinds.empty() || rules_.kinds.contains(item.kind);
    }

    // The last question of all: `why` it has no use any more, once it is old enough.
    void by_age(HousekeepingItem& item, const std::string& why) const
    {
        if (rules_.all)
            return goes(item, why);
        by_age_alone(item, why);
    }

    void by_age_alone(HousekeepingItem& item, const std::string& why) const
    {
        if (item.since == WallTime())
            return stays(item, "its age is not known");
        const auto limit = rules_.older_than.value_or(kept_kind(item.kind).limit);
        const auto age = facts_.now - item.since;
        if (age < std::chrono::duration_cast<WallTime::duration>(limit))
            return stays(item, why + ", for only " + age_text(item.since));
        goes(item, why + ", for " + age_text(item.since));
    }

    const KnownRun* find_run(const std::string& id) const
    {
        const auto found = runs_.find(id);
        return found == runs_.end() ? nullptr : found->second;
    }

    // ---- containers, networks, volumes

    void object(const engine::StoredObject& stored)
    {
        const auto& object = stored.object;
        const auto run_id = label_of(object, "gantry.run");
        const auto* run = find_run(run_id);
        auto& item = add(kind_of(object.kind), object.name, stored.size_bytes, run ? run->last : stored.created);
        item.run = run_id;
        if (!label_of(object, k_cache_store_label).empty())
            return of_cache(item, stored);
        item.about = run_id.empty() ? "" : "run " + run_id;
        if (run && run->state == KnownRun::State::living)
            return stay_with_run(item, run_id, "run " + run_id + " goes on");
        if (object.kind == engine::ObjectKind::volume && runs_with_containers_.contains(run_id))
            return stays(item, "a container of run " + run_id + " stays");
        if (object.kind == engine::ObjectKind::volume && stored.in_use && !going_runs_.contains(run_id))
            return stays(item, "a container has it");
        if (object.kind == engine::ObjectKind::container && stored.in_use)
            by_age_alone(item, "it runs"); // somebody may be in it: gantry shell
        else if (run && run->state == KnownRun::State::interrupted)
            by_age(item, "run " + run_id + " was interrupted");
        else if (run)
            by_age(item, "run " + run_id + " has ended");
        else
            by_age(item, run_id.empty() ? "no run has it" : "run " + run_id + " is not known any more");
        if (object.kind == engine::ObjectKind::container)
            (item.goes ? going_runs_ : runs_with_containers_).insert(run_id);
    }

    void stay_with_run(HousekeepingItem& item, const std::string& run_id, std::string why)
    {
        if (item.kind == Kept::containers)
            runs_with_containers_.insert(run_id);
        stays(item, std::move(why));
    }

    // A layer that a record names is the record's business; what no record names and nobody has pinned was lost.
    void of_cache(HousekeepingItem& item, const engine::StoredObject& stored)
    {
        const auto& object = stored.object;
        item.since = stored.created;
        item.about = "cache " + label_of(object, k_cache_label);
        if (label_of(object, k_cache_store_label) != facts_.cache_store)
            return stays(item, "it is of another cache folder");
        if (layers_.contains(object.name)) {
            items_.pop_back(); // counted as its entry
            return;
        }
        if (facts_.pinned.contains(object.name))
            return stays(item, "a run uses it");
        if (stored.in_use || runs_with_containers_.contains(label_of(object, k_cache_run_label)))
            return stays(item, "a container has it");
        by_age(item, "no cache has it any more");
    }

    // ---- images

    bool is_used_by(const KnownRun& run, const engine::StoredObject& stored) const
    {
        return run.images.contains(stored.object.id) ||
               std::any_of(stored.tags.begin(), stored.tags.end(), [&](const std::string& tag) {
                   const bool is_latest = tag.ends_with(":latest");
                   return run.images.contains(tag) || (is_latest && run.images.contains(tag.substr(0, tag.rfind(':'))));
               });
    }

    void image(const engine::StoredObject& stored)
    {
        const auto run_id = label_of(stored.object, "gantry.run");
        const auto* run = find_run(run_id);
        auto& item = add(Kept::images, stored.object.name, stored.size_bytes, stored.created);
        item.about = run_id.empty() ? "" : "run " + run_id;
        item.run = run_id;
        item.id = stored.object.id;
        item.tags = stored.tags;
        for (const auto& tag : stored.tags)
            if (tag != item.name)
                item.about += (item.about.empty() ? "also " : ", also ") + tag;
        if (stored.in_use)
            return stays(item, "a container has it");
        if (run && run->state == KnownRun::State::living)
            return stays(item, "run " + run_id + " goes on");
        if (newest_.contains(run_id))
            return stays(item, fmt::format("one of the newest {} runs has built it", rules_.keep));
        for (const auto& user : facts_.runs)
            if ((newest_.contains(user.id) || user.state == KnownRun::State::living) && is_used_by(user, stored))
                return stays(item, "run " + user.id + " has used it");
        by_age(item, stored.tags.empty() ? "nothing names it" : "no recent run has used it");
    }

    // ---- caches

    void entry(const cache::Used& used)
    {
        auto& item = add(Kept::caches, used.entry.place.name, cache::size_bytes_of(used.entry), used.used);
        item.about = "key " + used.entry.key;
        item.cache = used;
        const auto& layers = used.entry.layers;
        if (std::any_of(layers.begin(), layers.end(), [&](const auto& layer) { return facts_.pinned.contains(layer.volume); }))
            return stays(item, "a run uses it");
        by_age(item, "not used");
    }

    void source_copy(const KnownSource& source)
    {
        auto& item = add(Kept::caches, source.folder, source.size_bytes, source.used);
        item.about = "copy of a repository";
        if (source.in_use)
            return stays(item, "a run uses it");
        by_age(item, "not used");
    }

    // ---- runs

    void log(const KnownRun& run)
    {
        auto& item = add(Kept::logs, run.id, run.size_bytes, run.last);
        if (run.state == KnownRun::State::living)
            stays(item, "it goes on");
        else if (newest_.contains(run.id))
            stays(item, fmt::format("one of the newest {}", rules_.keep));
        else if (runs_with_containers_.contains(run.id))
            stays(item, "a container of it stays");
        else
            by_age(item, run.state == KnownRun::State::interrupted ? "interrupted" : "it has ended");
        if (item.goes)
            forgotten_.insert(run.id);
    }

    void kept_files(const cache::StoredArtifacts& stored)
    {
        const auto& manifest = stored.manifest;
        auto& item = add(Kept::artifacts, stored.path, stored.sum.size_bytes, manifest.saved);
        item.about = fmt::format("run {}, stage {}", manifest.run, manifest.stage);
        const auto* run = find_run(manifest.run);
        if (run && run->state == KnownRun::State::living)
            return stays(item, "run " + manifest.run + " goes on");
        if (manifest.expires && *manifest.expires <= facts_.now)
            return goes(item, "it has expired");
        if (!run || forgotten_.contains(manifest.run))
            return goes(item, "its run is gone");
        if (newest_.contains(manifest.run))
            return stays(item, fmt::format("of one of the newest {} runs", rules_.keep));
        if (manifest.expires && !rules_.older_than && !rules_.all)
            return stays(item, "it expires later");
        by_age(item, "kept");
    }

    const HousekeepingFacts& facts_;
    const HousekeepingRules& rules_;
    std::map<std::string, const KnownRun*> runs_;
    std::set<std::string> newest_;
    std::set<std::string> layers_; // that records of caches name
    std::set<std::string> runs_with_containers_, going_runs_; // one that stays; one that goes
    std::set<std::string> forgotten_; // whose logs go
    std::vector<HousekeepingItem> items_;
};

} // namespace

std::span<const KeptKind> kept_kinds()
{
    return k_stored_kinds;
}

const KeptKind& kept_kind(Kept kind)
{
    return k_stored_kinds[static_cast<std::size_t>(kind)];
}

Kept parse_kept(const std::string& name)
{
    std::vector<std::string> names;
    for (const auto& row : k_stored_kinds) {
        if (name == row.name || name + "s" == row.name)
            return row.kind;
        names.emplace_back(row.name);
    }
    const auto meant = nearest(name, names);
    throw Error(Errc::bad_input, "there is no kind '" + terminal_safe(name) + "'",
                meant ? "did you mean '" + *meant + "'?" : "one of " + join(names, ", "));
}

std::vector<HousekeepingItem> judge(const HousekeepingFacts& facts, const HousekeepingRules& rules)
{
    return Judge(facts, rules).all();
}

namespace {

// A layer that several entries have becomes free with the last of them.
std::uint64_t caches_size(const std::vector<HousekeepingItem>& items, bool staying_only)
{
    std::vector<cache::Used> entries;
    std::uint64_t others = 0;
    for (const auto& item : items) {
        if (item.kind != Kept::caches || (staying_only && item.goes))
            continue;
        if (item.cache)
            entries.push_back(*item.cache);
        else
            others += item.size_bytes;
    }
    return cache::size_bytes_of(entries) + others;
}

} // namespace

HousekeepingSum sum_of(const std::vector<HousekeepingItem>& items, Kept kind)
{
    HousekeepingSum sum;
    for (const auto& item : items) {
        if (item.kind != kind)
            continue;
        ++sum.count;
        sum.size_bytes += item.size_bytes;
        sum.going += item.goes ? 1 : 0;
        sum.frees_bytes += item.goes ? item.size_bytes : 0;
    }
    if (kind == Kept::caches) {
        sum.size_bytes = caches_size(items, false);
        sum.frees_bytes = sum.size_bytes - caches_size(items, true);
    }
    return sum;
}

std::uint64_t frees_bytes_of(const std::vector<HousekeepingItem>& items)
{
    std::uint64_t bytes = 0;
    for (const auto& row : k_stored_kinds)
        bytes += sum_of(items, row.kind).frees_bytes;
    return bytes;
}

} // namespace gantry::runner
