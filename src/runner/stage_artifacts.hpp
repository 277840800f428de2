#pragma once

#include "base/clock.hpp"
#include "cache/artifact_store.hpp"
#include "engine/engine.hpp"
#include "pipeline/plan.hpp"
#include "pipeline/scope.hpp"
#include "runner/artifact_collector.hpp"
#include "runner/artifact_patterns.hpp"
#include "runner/objects.hpp"
#include "runner/report.hpp"
#include "runner/stage_reports.hpp"
#include "runner/workspace.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

// The artifacts of a run's stages: what is kept of a workspace when its stage is over, and what of it the stages that need it
// get. Stages are named by their position in the plan. All of it goes through the engine's archives, so that it works for one on
// another machine as well.

namespace gantry::runner {

class StageArtifacts {
public:
    struct Parts {
        const pipeline::Plan& plan;
        engine::Engine& engine;
        Clock& clock;
        Objects& objects;
        cache::ArtifactStore* store = nullptr; // none: nothing is kept
        cache::ArtifactLimits limits;
        asio::thread_pool* pool = nullptr;     // for work on our disk; none: it is done on the loop
        std::function<Owner(int stage)> owner_of;
        std::function<void(RunEvent event, int stage)> tell;
        std::function<std::unique_ptr<StageReports>(int stage)> make_reports; // of a stage with `artifacts.reports`
    };
    // What `parts` refers to outlives it.
    explicit StageArtifacts(Parts parts);

    // A stage whose steps are over and whose workspace is still there.
    struct Ended {
        int stage = 0;
        State state = State::success;
        engine::Mount workspace;
        std::optional<StageLayer> layer; // what it changed
        pipeline::RuntimeFacts facts;
        bool is_needed = false;          // other stages get files of it
    };
    struct Result {
        Outcome outcome; // what went wrong, if it is to be the stage's; else ok
        // In place of its layer, for the stages that need it; nothing: it hands on all that it changed.
        std::optional<StageLayer> handed_on;
    };
    // Keeps what its `artifacts` say and reads their reports, then makes the layer that is handed on. What it makes at the engine is on the books. Throws
    // when it is cancelled, and nothing else.
    awaitable<Result> collect(Ended ended);

private:
    struct Work;

    awaitable<void> do_work(Work& work);
    awaitable<std::string> make_carrier(const Work& work, std::string role, std::vector<engine::Mount> mounts);
    awaitable<void> keep(Work& work);
    awaitable<bool> fits(Work& work, ArtifactCollector& collector, std::set<std::string> starts);
    awaitable<void> collect_all(Work& work, ArtifactCollector& collector, std::set<std::string> starts);
    std::set<std::string> report_places(const Work& work) const;
    awaitable<void> finish_reports(Work& work, std::unique_ptr<StageReports> reports);
    awaitable<void> read_place(const Work& work, std::string folder, std::string place, TarReader& reader);
    awaitable<void> publish(Work& work, cache::ArtifactDraft draft, ArtifactCollector& collector);
    awaitable<void> hand_on(Work& work);
    awaitable<std::optional<std::vector<TarEntry>>> folders_above(const Work& work, std::string folder, std::string place);

    template <typename Do>
    awaitable<void> on_disk(Do work);
    void warn(const Work& work, const std::string& what, const std::string& hint) const;
    void warn_of_rest(const Work& work, ArtifactPatterns& patterns, const ArtifactCollector& collector) const;

    Parts parts_;
};

} // namespace gantry::runner
