// Drives the schedule through random pipelines in virtual time. GANTRY_SIM_SEEDS=n runs n of them instead of the usual number,
// GANTRY_SIM_SEED=n just that one.
#include "runner/simulator_world.hpp"
#include "support/catch.hpp"
#include "support/seeds.hpp"

using namespace gantry;
using namespace gantry::test;
using runner::State;

namespace {

std::string text(State state) { return std::string(to_string(state)); }

// Nobody cancelled, nothing expired, no process died: the outcome is decided by the plan and by how the steps end.
void check_against_oracle(const RandomPlan& plan, const Simulation& simulation, std::uint64_t seed)
{
    const Fate fate(seed);
    const auto expected = Oracle(plan, fate).compute();
    for (std::size_t i = 0; i < expected.stages.size(); ++i) {
        const auto& stage = expected.stages[i];
        const auto& got = simulation.facts().stages[i];
        const auto& name = plan.plan.stages[i].id;
        if (got.state != stage.state)
            throw std::runtime_error(name + " is " + text(got.state) + ", not " + text(stage.state));
        if ((got.life != StageFacts::Life::unopened) != stage.opened)
            throw std::runtime_error(name + ": opened or not");
        for (std::size_t k = 0; k < stage.steps.size(); ++k) {
            const auto& step = plan.plan.stages[i].steps[k].id;
            if (got.steps[k].state != stage.steps[k].state)
                throw std::runtime_error(name + "/" + step + " is " + text(got.steps[k].state) + ", not " +
                                         text(stage.steps[k].state));
            if (got.steps[k].attempts != stage.steps[k].attempts)
                throw std::runtime_error(name + "/" + step + ": number of attempts");
        }
    }
    require(simulation.finish().state == expected.state, "state of the run");
}

// Counted over all seeds: a simulator that has stopped simulating finds nothing either.
struct Tally {
    std::uint64_t attempts = 0, cancelled = 0, expired = 0, lost = 0, crashed = 0, by_oracle = 0;

    void add(const Tally& other)
    {
        attempts += other.attempts;
        cancelled += other.cancelled;
        expired += other.expired;
        lost += other.lost;
        crashed += other.crashed;
        by_oracle += other.by_oracle;
    }
};

void simulate(std::uint64_t seed, Tally& tally)
{
    const auto plan = random_plan(seed, {6, 3});
    Simulation simulation(plan, seed);
    simulation.run();
    const auto& facts = simulation.facts();
    const bool plain = !facts.cancelled && !facts.anything_expired && !facts.anything_lost && simulation.crashes == 0;
    if (plain)
        check_against_oracle(plan, simulation, seed);
    if (seed % 16 == 0) {
        Simulation again(plan, seed);
        again.run();
        require(again.fingerprint == simulation.fingerprint, "equal inputs gave other actions");
    }
    tally.attempts += static_cast<std::uint64_t>(simulation.attempts);
    tally.cancelled += facts.cancelled;
    tally.expired += facts.anything_expired;
    tally.lost += facts.anything_lost;
    tally.crashed += simulation.crashes > 0;
    tally.by_oracle += plain;
}

} // namespace

TEST_CASE("no order of events breaks an invariant of the schedule", "[schedule]")
{
    const auto range = seeds(100'000);
    const auto tally = for_each_seed<Tally>(range, simulate);
    WARN(range.count << " pipelines, " << tally.attempts << " attempts of steps, " << tally.cancelled << " cancelled, "
                     << tally.expired << " with timeouts, " << tally.lost << " that lost a service, " << tally.crashed << " with crashes, " << tally.by_oracle
                     << " compared with the oracle");
    if (range.count >= 1000) {
        CHECK(tally.attempts > 3 * range.count);
        CHECK(tally.cancelled > range.count / 10);
        CHECK(tally.expired > range.count / 10);
        CHECK(tally.lost > range.count / 50);
        CHECK(tally.crashed > range.count / 20);
        CHECK(tally.by_oracle > range.count / 10);
    }
}
