#pragma once

#include "runner/declared.hpp"
#include "runner/lower_build.hpp"
#include "runner/run.hpp"
#include "runner/services.hpp"
#include "runner/stage_artifacts.hpp"
#include "runner/stage_caches.hpp"
#include "runner/stage_host.hpp"
#include "runner/stage_layers.hpp"
#include "runner/timers.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

// What a run is made of while it goes on. Its functions are defined by subject: run.cpp (the loop, the journal, beginning and end),
// run_stage.cpp, run_step.cpp.

namespace gantry::runner {

// When its image is pulled; `otherwise` where it does not say.
engine::PullPolicy policy_of(const pipeline::Container& container, engine::PullPolicy otherwise);

struct Run::Impl {
    struct StageRuntime {
        std::unique_ptr<StageHost> host;
        std::map<int, std::shared_ptr<Attempt>> ahead;   // prepared, by position of the step
        std::map<int, std::shared_ptr<Attempt>> running;
        std::vector<std::shared_ptr<Attempt>> stale;     // prepared in vain
        std::vector<std::shared_ptr<Attempt>> ended;     // whose containers may still be there
        std::map<std::string, std::string> exported;        // CI_ENV
        ConcurrencyGroups::Place place;                     // in its group
        std::unique_ptr<Services> services;                 // none: it has none
    };

    Impl(const pipeline::Plan& plan_in, RunDeps deps_in, RunOptions options_in)
        : plan(plan_in), deps(std::move(deps_in)), options(std::move(options_in)),
          schedule(plan, ScheduleOptions{options.slots, options.kept, options.attempts, options.resumed}),
          masks(std::vector<std::pair<std::string, Secret>>(options.secrets.begin(), options.secrets.end())),
          made(made_images(plan)), stages(plan.stages.size()), layers(plan, [this](int stage) { return owner_of(stage); })
    {
    }

    // ---- the loop

    awaitable<RunResult> execute();
    void post(Input input);
    void carry_out(const Action& action);
    // The schedule waits for the answer of `task`: it gets `otherwise` where the task throws.
    void spawn_owing(std::function<awaitable<void>()> task, std::function<Input(const Error&)> otherwise);
    void report(RunEvent event);
    // All that observers get but the output of steps, which has its own masks: without secrets.
    void journal(RunEvent event);
    void tell_pull(engine::PullProgress progress);
    void tell_waiting(std::string what);
    std::string masked(std::string text) const;
    void warn(std::string message, std::string hint);
    // Each of an engine's sentences once a run: it says the same of every container.
    void tell_left_out(const std::string& where, const std::vector<std::string>& what);
    void cancel(const std::string& by, bool hard);
    awaitable<void> watch_disks();
    awaitable<void> make_room();

    // ---- carrying out

    void begin_images();
    awaitable<void> enter_group(const pipeline::Concurrency& concurrency, std::string group, int stage,
                                ConcurrencyGroups::Place& place, const std::function<bool()>& given_up);
    awaitable<void> open_stage(int stage);
    awaitable<void> start_services(int stage);
    awaitable<void> collect_stage(int stage, State state);
    awaitable<void> remove_containers(int stage);
    awaitable<void> close_stage(int stage);
    awaitable<void> run_step(StepIndex index, std::shared_ptr<Attempt> runner);
    void prepare_step(StepIndex index);
    void prepare_first(int stage);
    StepContext context_of(int stage, const Owner& owner);
    Attempt::Parts parts_for(const std::vector<RunObserver*>& observers);
    std::shared_ptr<Attempt> make_runner(StepIndex index, int attempt, bool ahead);
    std::shared_ptr<Attempt> take_runner(StepIndex index, int attempt);
    bool is_for_shell(StepIndex index, const Attempt::Result& ended) const;
    void keep_for_shell(Attempt& runner);

    Owner owner_of(int stage) const;
    std::unique_ptr<StageCaches> make_caches(asio::any_io_executor executor);
    std::unique_ptr<StageArtifacts> make_artifacts();
    awaitable<void> restore_kept();
    awaitable<void> save_passed_layers();
    awaitable<void> prepare_workspaces();
    awaitable<void> write_back();
    Intend on_the_books();
    LayerAccess layer_access();

    const pipeline::Plan& plan;
    RunDeps deps;
    const std::vector<RunObserver*> nobody; // watches services: their words go to logs alone
    RunOptions options;
    Schedule schedule;
    MaskSet masks;
    const std::set<std::string> made; // images that are not there before the run has made them, by full_name()
    std::vector<StageRuntime> stages;
    StageLayers layers;
    std::set<std::string> told_left_out;
    Waits waits{deps.clock, [this](std::string what) { tell_waiting(std::move(what)); }};

    int cancels = 0;
    bool in_haste = false; // cancelled twice, or hard
    std::unique_ptr<TaskGroup> tasks;
    std::unique_ptr<Signal> arrived;
    std::unique_ptr<Signal> moved;  // the schedule has taken inputs in
    ConcurrencyGroups::Place place; // of the run in its group
    std::unique_ptr<TaskGroup> pulls; // of images: what nobody waits for any more is given up
    std::unique_ptr<Images> images;
    std::unique_ptr<Objects> objects;
    std::unique_ptr<Declared> declared;
    std::unique_ptr<StageCaches> caches;
    std::unique_ptr<DiskWatch> disk_watch; // none: nobody has to
    std::unique_ptr<StageArtifacts> artifacts;
    std::deque<Input> inputs;
    std::unique_ptr<Timers> timers;
    bool has_begun = false; // the journal says so
    std::optional<RunEvent> last_event; // run_finished, held back until everything is removed
    std::optional<RunResult> result;
    std::exception_ptr fatal;           // the journal cannot be written
    Clock::time_point begun{};
};

} // namespace gantry::runner
