// Runs random pipelines through the whole shell on the fake engine. GANTRY_SIM_SEEDS and GANTRY_SIM_SEED: support/seeds.hpp.
#include "base/file.hpp"
#include "runner/run_simulator_world.hpp"
#include "runner/simulator_rules.hpp"
#include "support/catch.hpp"
#include "support/seeds.hpp"

#include <filesystem>

using namespace gantry;
using namespace gantry::test;

namespace {

// In memory where the system has a place for that: a run writes its journal event by event.
std::string state_folder()
{
    namespace fs = std::filesystem;
    std::string path =
        (fs::is_directory("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()) / "gantry-sim-XXXXXX";
    if (!::mkdtemp(path.data()))
        throw std::runtime_error("no temporary folder");
    return path;
}

struct Folder {
    std::string path = state_folder();
    ~Folder() { std::filesystem::remove_all(path); }
};

struct RunTally {
    std::uint64_t containers = 0, cancelled = 0, expired = 0, crashed = 0, faults = 0, by_oracle = 0;

    void add(const RunTally& other)
    {
        containers += other.containers;
        cancelled += other.cancelled;
        expired += other.expired;
        crashed += other.crashed;
        faults += other.faults;
        by_oracle += other.by_oracle;
    }
};

// Nobody cancelled, nothing failed or expired: the outcome is decided by the plan and by how the steps end.
void check_against_oracle(const RandomPlan& plan, const Fate& fate, const runner::RunSummary& summary)
{
    const auto expected = Oracle(plan, fate).compute();
    require(summary.state == expected.state, "state of the run");
    for (std::size_t i = 0; i < expected.stages.size(); ++i) {
        require(summary.stages[i].state == expected.stages[i].state, "state of a stage");
        for (std::size_t k = 0; k < expected.stages[i].steps.size(); ++k) {
            const auto& step = summary.stages[i].steps[k];
            require(step.state == expected.stages[i].steps[k].state, "state of a step");
            require(step.attempt == expected.stages[i].steps[k].attempts, "number of attempts of a step");
        }
    }
}

void simulate_run(std::uint64_t seed, runner::Store& store, RunTally& tally)
{
    const auto plan = random_plan(seed, {5, 3});
    const Scenario scenario(seed);
    RunWorld world(plan, scenario, store);
    try {
        world.run();
        const bool plain = !scenario.has_faults() && !world.cancelled && !world.anything_expired && world.crashes == 0;
        if (plain)
            check_against_oracle(plan, scenario.fate, world.summary);
        tally.by_oracle += plain;
    } catch (const std::exception& error) {
        throw std::runtime_error(error.what() +
                                 std::string(std::getenv("GANTRY_SIM_SEED") ? "\n" + world.describe() : ""));
    }
    tally.containers += world.containers;
    tally.cancelled += world.cancelled;
    tally.expired += world.anything_expired;
    tally.crashed += world.crashes > 0;
    tally.faults += world.lost_calls > 0 || !scenario.outages.empty();
}

} // namespace

TEST_CASE("no failure of the engine, cancel or crash breaks an invariant of a run", "[run]")
{
    const auto range = seeds(100'000);
    const auto tally = for_each_seed<RunTally>(range, [](std::uint64_t seed, RunTally& sum) {
        thread_local const Folder folder;
        thread_local const auto store = runner::open_store(folder.path);
        simulate_run(seed, *store, sum);
    });
    WARN(range.count << " runs, " << tally.containers << " containers, " << tally.cancelled << " cancelled, "
                     << tally.expired << " with timeouts, " << tally.crashed << " with crashes, " << tally.faults
                     << " with faults, " << tally.by_oracle << " compared with the oracle");
    if (range.count >= 1000) { // or the simulator has stopped simulating
        CHECK(tally.containers > 3 * range.count);
        CHECK(tally.cancelled > range.count / 10);
        CHECK(tally.expired > range.count / 20);
        CHECK(tally.crashed > range.count / 20);
        CHECK(tally.faults > range.count / 10);
        CHECK(tally.by_oracle > range.count / 20);
    }
}
