#include "runner/housekeeping_facts.hpp"

#include "base/disk.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "runner/source_copies.hpp"
#include "runner/store_layout.hpp"

namespace gantry::runner {

namespace {

// One whose journal cannot be read has used none that we could know of.
std::set<std::string> images_of(const Store& store, const std::string& id)
{
    std::set<std::string> images;
    try {
        for (const auto& event : store.events(id)) {
            if (!event.image.empty())
                images.insert(event.image);
            if (event.kind == RunEvent::Kind::image_ready)
                images.insert(event.message);
        }
    } catch (const Error&) {
    }
    return images;
}

KnownRun::State state_of(const RunFolder& run)
{
    // The lock first: a run that ends in between is living, not interrupted.
    if (RunLock::owner(run.lock()))
        return KnownRun::State::living;
    return is_known_to_be_final(run.journal()) ? KnownRun::State::ended : KnownRun::State::interrupted;
}

} // namespace

std::vector<KnownRun> known_runs(const Store& store, std::size_t keep)
{
    std::vector<KnownRun> runs;
    for (const auto& id : store.run_ids()) {
        const RunFolder folder{store.root() + "/runs/" + id};
        KnownRun run;
        run.id = id;
        run.state = state_of(folder);
        run.last = modified_at(folder.journal());
        run.size_bytes = disk_usage(folder.path);
        if (runs.size() < keep || run.state == KnownRun::State::living)
            run.images = images_of(store, id);
        runs.push_back(std::move(run));
    }
    return runs;
}

awaitable<HousekeepingFacts> collect_facts(const HousekeepingSources& from, std::size_t keep, AskEngine ask)
{
    HousekeepingFacts facts;
    facts.now = from.clock.wall();
    facts.cache_store = from.caches.id();
    if (ask == AskEngine::yes) {
        // Objects first: what is made and told of in between is in a record, a pin or a run by the time that those are read.
        const engine::Labels ours{{"gantry.instance", from.runs.instance()}};
        const auto info = co_await from.engine.probe();
        facts.objects = co_await from.engine.list_stored(ours);
        auto session = from.caches.open();
        facts.caches = session.entries();
        std::erase_if(facts.caches, [&](const cache::Used& used) { return used.entry.place.engine != info.id; });
        facts.pinned = session.pinned(info.id, nullptr);
    }
    facts.sources = known_sources(from.cache_folder);
    facts.artifacts = from.artifacts.list();
    facts.runs = known_runs(from.runs, keep);
    co_return facts;
}

} // namespace gantry::runner
