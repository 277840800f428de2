#include "runner/stage_conflicts.hpp"

#include "runner/carrier.hpp"
#include "runner/layer_merge.hpp"
#include "runner/opaque_folders.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace gantry::runner {

namespace {

class Search {
public:
    Search(engine::Engine& engine, asio::thread_pool& pool, const ConflictSearch& search)
        : engine_(engine), pool_(pool), search_(search), stack_(search.request.stack)
    {
    }

    awaitable<void> run()
    {
        for (std::size_t upper = 0; upper < stack_.size(); ++upper)
            for (std::size_t lower = 0; lower < upper; ++lower)
                if (!is_stacked_on(stack_[upper], stack_[lower]))
                    pairs_.emplace_back(lower, upper);
        if (pairs_.empty())
            co_return;
        co_await read_layers();
        refuse_any(); // most are found without a further look
        if (search_.mounts_overlays && co_await look_for_opaque())
            refuse_any();
    }

private:
    awaitable<void> read_layers()
    {
        for (const auto& [lower, upper] : pairs_)
            for (const auto layer : {lower, upper})
                changes_[layer];
        std::vector<engine::Mount> mounts;
        for (const auto& [layer, changes] : changes_)
            mounts.push_back(volume_mount(stack_[layer].volume, place_of(layer)));
        const auto carrier = object_name(search_.request.owner, "merge");
        search_.intend(engine::ObjectKind::container, carrier);
        auto labels = labels_of(search_.request.owner);
        co_await create_carrier(engine_, carrier, std::move(labels), std::move(mounts));
        for (auto& [layer, changes] : changes_) {
            const auto place = place_of(layer);
            changes = co_await read_changes(engine_, pool_, carrier, place, search_.cache_folder);
        }
        co_await engine_.remove(engine::ObjectKind::container, carrier);
    }

    static std::string place_of(std::size_t layer) { return "/layers/" + std::to_string(layer); }

    // Whether there is any.
    awaitable<bool> look_for_opaque()
    {
        std::map<std::size_t, std::set<std::string>> in_doubt;
        for (const auto& [lower, upper] : pairs_) {
            in_doubt[lower].merge(folders_in_doubt(changes_[lower], changes_[upper]));
            in_doubt[upper].merge(folders_in_doubt(changes_[upper], changes_[lower]));
        }
        bool is_any = false;
        for (const auto& [layer, folders] : in_doubt) {
            if (folders.empty())
                continue;
            LayerView view;
            view.owner = search_.request.owner;
            view.layer = stack_[layer].path;
            view.shared_folder = search_.cache_folder;
            view.intend = search_.intend;
            auto& changes = changes_[layer];
            const auto opaque = co_await opaque_folders(engine_, pool_, view, changes, folders);
            for (const auto& folder : opaque)
                changes.at(folder).is_opaque = true;
            is_any = is_any || !opaque.empty();
        }
        co_return is_any;
    }

    void refuse_any() const
    {
        for (const auto& [lower, upper] : pairs_)
            if (const auto path = first_conflict(changes_.at(lower), changes_.at(upper)))
                throw Error(Errc::conflict,
                            "stages " + stack_[lower].stage + " and " + stack_[upper].stage + " both changed " + *path +
                                ", each in its own way",
                            "let one of them write elsewhere, or set workspace: { on_conflict: last }");
    }

    engine::Engine& engine_;
    asio::thread_pool& pool_;
    const ConflictSearch& search_;
    const std::vector<StageLayer>& stack_;
    std::vector<std::pair<std::size_t, std::size_t>> pairs_; // the lower one first
    std::map<std::size_t, LayerChanges> changes_;
};

} // namespace

awaitable<void> refuse_conflicts(engine::Engine& engine, asio::thread_pool& pool, const ConflictSearch& search)
{
    Search one(engine, pool, search);
    co_await one.run();
}

bool is_stacked_on(const StageLayer& upper, const StageLayer& lower)
{
    return std::find(upper.below.begin(), upper.below.end(), lower.stage) != upper.below.end();
}

} // namespace gantry::runner
