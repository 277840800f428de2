// Drives the schedule through random pipelines in virtual time. GANTRY_SIM_SEEDS=n runs n of them instead of the usual number,
// GANTRY_SIM_SEED=n just that one.
#include "runner/simulator_world.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>

using namespace gantry;
using namespace gantry::test;
using runner::Cause;
using runner::State;

namespace {

constexpr std::uint64_t k_seeds = 100'000;

std::optional<std::uint64_t> number_from(const char* name)
{
    const char* text = std::getenv(name);
    return text && *text ? std::optional<std::uint64_t>(std::strtoull(text, nullptr, 10)) : std::nullopt;
}

void require(bool holds, const std::string& what)
{
    if (!holds)
        throw std::runtime_error(what);
}

int rank(State state)
{
    switch (state) {
    case State::cancelled: return 4;
    case State::timed_out: return 3;
    case State::error: return 2;
    case State::failure: return 1;
    default: return 0;
    }
}

// Nobody cancelled and nothing expired: the outcome is decided by the plan and by how the steps end.
void check_against_oracle(const RandomPlan& plan, const Simulation& simulation, std::uint64_t seed)
{
    const Fate fate(seed);
    const auto expected = Oracle(plan, fate).compute();
    for (std::size_t i = 0; i < expected.stages.size(); ++i) {
        const auto& stage = expected.stages[i];
        const auto& got = simulation.stages()[i];
        const auto name = plan.plan.stages[i].id;
        require(got.end.state == stage.state, name + " is " + std::string(to_string(got.end.state)) + ", not " + std::string(to_string(stage.state)));
        require((got.life != Simulation::StageFacts::Life::unopened) == stage.opened, name + ": opened or not");
        for (std::size_t k = 0; k < stage.steps.size(); ++k) {
            const auto step = name + "/" + plan.plan.stages[i].steps[k].id;
            require(got.steps[k].end.state == stage.steps[k].state,
                    step + " is " + std::string(to_string(got.steps[k].end.state)) + ", not " + std::string(to_string(stage.steps[k].state)));
            require(got.steps[k].attempts == stage.steps[k].attempts, step + ": number of attempts");
        }
    }
    require(simulation.finish().state == expected.state, "state of the run");
}

// In every run: states follow from those below them.
void check_states(const RandomPlan& plan, const Simulation& simulation)
{
    State worst = State::success;
    for (std::size_t i = 0; i < plan.plan.stages.size(); ++i) {
        const auto& stage = plan.plan.stages[i];
        const auto& got = simulation.stages()[i];
        State worst_step = State::success;
        for (std::size_t k = 0; k < stage.steps.size(); ++k) {
            const auto& end = got.steps[k].end;
            if (!end.allowed_failure && rank(end.state) > rank(worst_step))
                worst_step = end.state;
            const bool must_run = stage.steps[k].in_finally && !stage.steps[k].skip_reason &&
                                  plan.step_conditions[i][k].kind == MeantCondition::Kind::none;
            const bool opened = got.life == Simulation::StageFacts::Life::closed && got.end.cause != Cause::checkout_error;
            if (must_run && opened && !simulation.cancelled && !simulation.anything_expired)
                require(got.steps[k].attempts > 0, "a finally-step of an opened stage did not run");
        }
        require(rank(got.end.state) >= rank(worst_step), "a stage is better than its steps");
        if (!simulation.cancelled && !simulation.anything_expired && got.end.state != State::skipped &&
            got.end.cause != Cause::checkout_error)
            require(rank(got.end.state) == rank(worst_step), "a stage is worse than its steps");
        if (!got.end.allowed_failure && rank(got.end.state) > rank(worst))
            worst = got.end.state;
    }
    if (simulation.cancelled)
        require(simulation.finish().state == State::cancelled, "a cancelled run is not cancelled");
    else
        require(rank(simulation.finish().state) >= rank(worst), "a run is better than its stages");
    if (!simulation.cancelled && !simulation.anything_expired)
        require(rank(simulation.finish().state) == rank(worst), "a run is worse than its stages");
}

struct Tally {
    std::uint64_t attempts = 0, cancelled = 0, expired = 0, by_oracle = 0;
};

void simulate(std::uint64_t seed, Tally& tally)
{
    const auto plan = random_plan(seed, {6, 3});
    Simulation simulation(plan, seed);
    simulation.run();
    check_states(plan, simulation);
    if (!simulation.cancelled && !simulation.anything_expired) {
        check_against_oracle(plan, simulation, seed);
        ++tally.by_oracle;
    }
    if (seed % 16 == 0) {
        Simulation again(plan, seed);
        again.run();
        require(again.fingerprint == simulation.fingerprint, "equal inputs gave other actions");
    }
    tally.attempts += static_cast<std::uint64_t>(simulation.attempts);
    tally.cancelled += simulation.cancelled;
    tally.expired += simulation.anything_expired;
}

} // namespace

TEST_CASE("no order of events breaks an invariant of the schedule", "[simulator]")
{
    const auto only = number_from("GANTRY_SIM_SEED");
    const auto count = only ? 1 : number_from("GANTRY_SIM_SEEDS").value_or(k_seeds);
    const auto first = only.value_or(1);
    Tally tally;
    for (std::uint64_t seed = first; seed < first + count; ++seed)
        try {
            simulate(seed, tally);
        } catch (const std::exception& error) {
            FAIL(error.what() << "\n  again: GANTRY_SIM_SEED=" << seed << " runner_tests \"[simulator]\"");
        }
    WARN(count << " pipelines, " << tally.attempts << " attempts of steps, " << tally.cancelled << " cancelled, "
               << tally.expired << " with timeouts, " << tally.by_oracle << " compared with the oracle");
    if (count >= 1000) { // or the simulator has stopped simulating
        CHECK(tally.attempts > 3 * count);
        CHECK(tally.cancelled > count / 10);
        CHECK(tally.expired > count / 10);
        CHECK(tally.by_oracle > count / 10);
    }
}
