#include "runner/housekeeping_apply.hpp"

#include "base/error.hpp"
#include "runner/run.hpp"
#include "runner/source_copies.hpp"
#include "runner/stage_caches.hpp"

#include <algorithm>
#include <memory>
#include <set>

namespace gantry::runner {

namespace {

using Items = std::vector<HousekeepingItem>;

class Removal {
public:
    Removal(const HousekeepingSources& from, const Items& items) : from_(from), items_(items) {}

    awaitable<Housekept> all()
    {
        for (const auto& row : kept_kinds()) {
            Items going;
            for (const auto& item : items_)
                if (item.kind == row.kind && item.goes)
                    going.push_back(item);
            if (!going.empty())
                co_await remove(row.kind, going);
        }
        co_return std::move(done_);
    }

private:
    awaitable<void> remove(Kept kind, const Items& going)
    {
        switch (kind) {
        case Kept::containers: co_await objects(engine::ObjectKind::container, going); break;
        case Kept::networks: co_await objects(engine::ObjectKind::network, going); break;
        case Kept::volumes: co_await objects(engine::ObjectKind::volume, going); break;
        case Kept::images: co_await objects(engine::ObjectKind::image, going); break;
        case Kept::caches: co_await caches(going); break;
        case Kept::artifacts: artifacts(going); break;
        case Kept::logs: logs(going); break;
        }
    }

    void count(const HousekeepingItem& item)
    {
        ++done_.removed[item.kind].count;
        done_.removed[item.kind].size_bytes += item.size_bytes;
    }

    void failed(const HousekeepingItem& item, const Error& error)
    {
        if (error.code() == Errc::unavailable || error.code() == Errc::cancelled)
            throw error;
        done_.failures.push_back({item.kind, item.name, error.what(), error.hint()});
    }

    // Whether the run's process lives; else nobody takes the run over while `held` does. A run that is not known has no process.
    bool goes_on(const std::string& run, std::unique_ptr<HeldRun>& held) const
    {
        if (run.empty())
            return false;
        try {
            held = from_.runs.hold_run(run);
        } catch (const Error& error) {
            if (error.code() != Errc::conflict && error.code() != Errc::not_found)
                throw;
            return error.code() == Errc::conflict;
        }
        return false;
    }

    awaitable<void> objects(engine::ObjectKind kind, const Items& going)
    {
        for (const auto& item : going) {
            std::exception_ptr failure;
            try {
                std::unique_ptr<HeldRun> held;
                if (goes_on(item.run, held))
                    continue;
                const bool is_gone = co_await remove_object(kind, item);
                if (is_gone)
                    count(item);
            } catch (...) {
                failure = std::current_exception();
            }
            if (failure)
                failed(item, to_error(failure));
        }
    }

    // False where it is somebody else's by now.
    awaitable<bool> remove_object(engine::ObjectKind kind, const HousekeepingItem& item)
    {
        if (kind != engine::ObjectKind::image) {
            co_await from_.engine.remove(kind, item.name);
            co_return true;
        }
        // By its id it could not go where another image is built on it.
        const auto names = item.tags.empty() ? std::vector<std::string>{item.name} : item.tags;
        bool is_gone = false;
        for (const auto& name : names) {
            const bool is_taken = co_await from_.engine.remove_image(name, item.id);
            is_gone = is_gone || is_taken;
        }
        co_return is_gone;
    }

    bool lives(const std::string& run) const
    {
        try {
            return from_.runs.is_alive(run);
        } catch (const Error& error) {
            if (error.code() != Errc::not_found)
                throw;
            return false;
        }
    }

    awaitable<void> caches(const Items& going)
    {
        std::vector<cache::Used> entries;
        for (const auto& item : going) {
            if (item.cache)
                entries.push_back(*item.cache);
            else if (clear_source(item.name))
                count(item);
        }
        if (entries.empty())
            co_return;
        std::exception_ptr failure;
        try {
            const auto removed = co_await remove_cache_entries(from_.engine, from_.caches, entries);
            done_.removed[Kept::caches].count += removed.entries;
            done_.removed[Kept::caches].size_bytes += removed.size_bytes;
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure)
            for (const auto& item : going)
                if (item.cache)
                    failed(item, to_error(failure));
    }

    void artifacts(const Items& going)
    {
        std::set<std::string> paths;
        for (const auto& item : going)
            paths.insert(item.name);
        // While it asks, nobody publishes: the stage of a run that lives may have kept other files under this path since.
        const auto goes = [&](const cache::StoredArtifacts& stored) { return paths.contains(stored.path) && !lives(stored.manifest.run); };
        try {
            const auto removed = from_.artifacts.remove(goes);
            done_.removed[Kept::artifacts].count += removed.stages;
            done_.removed[Kept::artifacts].size_bytes += removed.size_bytes;
        } catch (const Error& error) {
            failed(going.front(), error);
        }
    }

    void logs(const Items& going)
    {
        for (const auto& item : going) {
            try {
                std::unique_ptr<HeldRun> held;
                if (goes_on(item.name, held) || !held)
                    continue;
                held->remove();
                count(item);
            } catch (const Error& error) {
                if (error.code() != Errc::not_found) // somebody was faster
                    failed(item, error);
            }
        }
    }

    const HousekeepingSources& from_;
    const Items& items_;
    Housekept done_;
};

} // namespace

awaitable<Housekept> remove_items(const HousekeepingSources& from, std::vector<HousekeepingItem> items)
{
    Removal removal(from, items);
    co_return co_await removal.all();
}

awaitable<void> remove_run(engine::Engine& engine, Store& runs, std::string id)
{
    const auto held = runs.hold_run(id);
    const auto leftovers = co_await remove_leftovers(engine, runs.instance(), id);
    if (leftovers.in_use)
        std::rethrow_exception(leftovers.in_use);
    held->remove();
}

} // namespace gantry::runner
