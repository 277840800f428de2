#pragma once

#include "runner/schedule.hpp"
#include "runner/simulator_oracle.hpp"
#include "runner/simulator_rules.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

// A shell around a Schedule in virtual time: answers late, in any order, sometimes after the fact; it cancels, and its
// process dies and another one goes on. Rules checks each action, and after each input that none is missing.

namespace gantry::test {

class Simulation {
public:
    Simulation(const RandomPlan& plan, std::uint64_t seed);

    // Runs to the end; throws std::runtime_error with what is wrong.
    void run();

    // Facts about a run that has ended.
    const RunFacts& facts() const { return facts_; }
    const runner::action::Finish& finish() const { return *finish_; }
    int attempts = 0; // steps started
    int crashes = 0;
    std::uint64_t fingerprint = 0; // of all actions, in their order

private:
    using Nanoseconds = std::chrono::nanoseconds;
    struct Pending {
        TimePoint at;
        std::uint64_t order; // random: equal times come in any order
        runner::Input input;
        int timer = 0;      // TimerFired of this one
        int generation = 0; // StepEnded: of which plan for its end; StepStarted, StepExited: of which attempt
    };
    struct Later {
        bool operator()(const Pending& a, const Pending& b) const
        {
            return std::pair(a.at, a.order) > std::pair(b.at, b.order);
        }
    };

    void begin_process(runner::ScheduleOptions options);
    void crash();
    bool is_due(const Pending& pending);
    void learn(const runner::Input& input);
    void learn_opened(int index);
    void lose_service(int stage);
    void feed(const Pending& pending);
    void carry_out(const runner::Action& action);
    void open(int stage);
    void start(const runner::action::StartStep& start);
    void stop(const runner::action::StopStep& stop);
    void close(int stage);
    void record(const runner::RunEvent& event);
    void record_end(runner::StepIndex step, const runner::RunEvent& event);
    void record_end(int stage, const runner::RunEvent& event);
    void settle_kept();
    void check_end() const;

    void later(runner::Input input, Nanoseconds delay, int timer = 0, int generation = 0);
    Nanoseconds milliseconds(int most) { return std::chrono::milliseconds(random_.below(most + 1)); }
    void note(std::uint64_t value) { fingerprint = (fingerprint ^ value) * 0x100000001b3; }
    const pipeline::PlanStage& plan_of(int stage) const { return plan_.plan.stages[static_cast<std::size_t>(stage)]; }
    StageFacts& at(int stage) { return facts_.stages[static_cast<std::size_t>(stage)]; }
    StepFacts& at(runner::StepIndex step) { return at(step.stage).steps[static_cast<std::size_t>(step.step)]; }
    runner::StepIndex index_of(const runner::RunEvent& event) const;

    const RandomPlan& plan_;
    Fate fate_;
    Random random_;
    runner::ScheduleOptions options_;
    std::unique_ptr<runner::Schedule> schedule_;
    RunFacts facts_;
    Rules rules_;
    TimePoint now_{std::chrono::hours(1)};
    int crash_after_ = -1; // inputs; < 0: never
    std::priority_queue<Pending, std::vector<Pending>, Later> pending_;
    std::map<int, TimePoint> timers_;
    std::map<runner::StepIndex, int> generation_; // of the planned end of a step
    std::optional<runner::action::Finish> finish_;
};

} // namespace gantry::test
