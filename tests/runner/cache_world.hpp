#pragma once

#include "base/scratch.hpp"
#include "cache/store.hpp"
#include "engine/fake/fake.hpp"
#include "runner/concurrency_groups.hpp"
#include "runner/run.hpp"
#include "runner/stage_caches.hpp"
#include "runner/workspaces.hpp"
#include "support/catch.hpp"
#include "support/manual_clock.hpp"
#include "support/mortal_executor.hpp"
#include "support/plan_builder.hpp"
#include "support/run_to_end.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

// Runs with caches on the fake engine: what a step finds at /c, and what it leaves there.

namespace gantry::test {

// As on an engine of this machine, but without files of ours.
class MountingWorkspaces final : public runner::WorkspaceProvider {
public:
    MountingWorkspaces(engine::Engine& engine, bool mounts) : empty_(runner::make_empty_workspaces(engine)), mounts_(mounts) {}
    bool sees_our_disk() const override { return mounts_; }
    awaitable<void> prepare(runner::Intend intend) override { return empty_->prepare(std::move(intend)); }
    void give_up() override { empty_->give_up(); }
    awaitable<std::unique_ptr<runner::StageWorkspace>> open(const runner::WorkspaceRequest& request, runner::Intend intend) override
    {
        return empty_->open(request, std::move(intend));
    }

private:
    std::unique_ptr<runner::WorkspaceProvider> empty_;
    bool mounts_;
};

inline pipeline::Cache cache_of(const std::string& name, const std::string& key, const std::string& path = "/c")
{
    pipeline::Cache cache;
    cache.name = name;
    cache.path = pipeline::Text(path);
    cache.key = pipeline::Text(key);
    return cache;
}

inline pipeline::PlanStage with_caches(pipeline::PlanStage stage, std::vector<pipeline::Cache> caches)
{
    stage.caches = std::move(caches);
    return stage;
}

class CacheWorld : public runner::RunObserver {
public:
    explicit CacheWorld(bool engine_mounts = true) : mounts(engine_mounts)
    {
        engine.require_labels({"gantry.instance"});
        engine.on_start([this](const engine::ContainerSpec& spec) {
            engine::FakeBehaviour behaviour;
            const auto step = spec.labels.find("gantry.step");
            if (step == spec.labels.end()) {
                behaviour.never_ends = true;
                return behaviour;
            }
            for (const auto& mount : spec.mounts)
                for (const auto& [name, contents] : engine.files_of(mount.source))
                    if (!name.empty())
                        found[step->second + " " + mount.target + "/" + name] = contents;
            behaviour.files = writes[step->second];
            behaviour.exit_code = exit_codes[step->second];
            behaviour.runs_for = std::chrono::seconds(1);
            return behaviour;
        });
        engine.on_call([this](const engine::FakeCall& call) {
            if (on_call)
                on_call(call);
        });
    }
    ~CacheWorld()
    {
        for (const auto& executor : executors)
            executor.die();
    }

    cache::Store& caches()
    {
        if (!store)
            store = std::make_unique<cache::Store>(folder / "caches", limits);
        return *store;
    }

    // One `gantry run` to its end.
    runner::RunResult run(const pipeline::Plan& plan)
    {
        begin(plan);
        drive(loop, clock, [this] { return result.has_value(); });
        finish();
        return *result;
    }
    void begin(const pipeline::Plan& plan)
    {
        told.clear();
        shown.clear();
        events.clear();
        found.clear();
        result.reset();
        plans.push_back(std::make_unique<pipeline::Plan>(plan));
        writer = runs->create_run(*plans.back(), {});
        workspaces = std::make_unique<MountingWorkspaces>(engine, mounts);
        runner::RunDeps deps{engine, clock, nullptr, *writer, *workspaces, {}, {this}, &groups, &caches()};
        deps.artifacts = &artifacts;
        deps.disks = disks;
        runner::RunOptions options;
        options.instance = runs->instance();
        options.scope = "/src/shop";
        options.keep_failed = keep_failed;
        options.secrets = secrets;
        options.artifact_limits = artifact_limits;
        execution = std::make_unique<runner::Run>(*plans.back(), std::move(deps), std::move(options));
        executors.emplace_back(loop);
        asio::co_spawn(asio::any_io_executor(executors.back()), execution->execute(),
                       [this](std::exception_ptr error, runner::RunResult ended) {
                           REQUIRE(!error);
                           result = ended;
                       });
    }
    // kill -9
    void die()
    {
        executors.back().die();
        finish();
    }
    void finish()
    {
        execution.reset();
        writer.reset();
    }
    void reap()
    {
        for (const auto& id : runs->interrupted_runs())
            run_to_end(loop, clock, runner::remove_leftovers(engine, runs->instance(), id));
        run_to_end(loop, clock, runner::remove_cache_leftovers(engine, caches(), runs->instance()));
    }

    void on_event(const runner::RunEvent& event) override
    {
        events.push_back(event);
        if (event.kind == runner::RunEvent::Kind::cache || event.kind == runner::RunEvent::Kind::warning)
            told.push_back(event.message);
    }

    void on_pull(const engine::PullProgress& progress) override { shown.push_back(progress.image); }
    void on_waiting(const std::string& what) override { shown.push_back(what); }

    // What that step found at `path` in this run, "" for nothing.
    std::string seen(const std::string& step, const std::string& path) { return found[step + " " + path]; }
    std::vector<cache::Used> entries()
    {
        auto session = caches().open();
        return session.entries();
    }
    std::vector<std::string> volumes() const
    {
        std::vector<std::string> names;
        for (const auto& object : engine.objects())
            names.push_back(object.name);
        return names;
    }

    bool mounts;
    bool keep_failed = false;
    std::map<std::string, Secret> secrets;
    const runner::DiskBudget* disks = nullptr;
    cache::Limits limits;
    cache::ArtifactLimits artifact_limits;
    Scratch folder;
    asio::io_context loop;
    ManualClock clock;
    engine::FakeEngine engine{loop.get_executor(), clock};
    std::unique_ptr<runner::Store> runs = runner::open_store(folder / "state");
    runner::ConcurrencyGroups groups{folder / "groups", clock, [](const std::string&) {}};
    std::unique_ptr<cache::Store> store;
    cache::ArtifactStore artifacts{folder / "artifacts"};

    std::map<std::string, std::map<std::string, std::string>> writes; // by step: path, contents
    std::map<std::string, int> exit_codes;
    std::function<void(const engine::FakeCall&)> on_call;

    std::vector<std::string> told;
    std::vector<std::string> shown; // of pulls and of what the run waits for
    std::vector<runner::RunEvent> events;
    std::map<std::string, std::string> found;
    std::optional<runner::RunResult> result;
    std::vector<std::unique_ptr<pipeline::Plan>> plans;
    std::unique_ptr<runner::RunWriter> writer;
    std::unique_ptr<runner::WorkspaceProvider> workspaces;
    std::unique_ptr<runner::Run> execution;
    std::vector<MortalExecutor> executors;
};

} // namespace gantry::test
