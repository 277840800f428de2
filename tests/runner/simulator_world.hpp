#pragma once

#include "runner/schedule.hpp"
#include "runner/simulator_oracle.hpp"
#include "support/random_plan.hpp"

#include <cstdint>
#include <map>
#include <queue>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

// A shell around a Schedule in virtual time: answers late, in any order, sometimes after the fact, and cancels. It checks
// with every action what must hold at any time.

namespace gantry::test {

class Simulation {
public:
    Simulation(const RandomPlan& plan, std::uint64_t seed);

    // Runs to the end; throws std::runtime_error with what is wrong.
    void run();

    // Facts about a run that has ended.
    bool cancelled = false;         // before the last stage was final
    bool run_timed_out = false;     // the same
    bool anything_expired = false;  // any timeout
    int attempts = 0;               // steps started
    std::uint64_t fingerprint = 0;  // of all actions, in their order
    const runner::Schedule& schedule() const { return schedule_; }

    struct StepFacts {
        int attempts = 0;
        bool running = false;
        int ends = 0; // step_finished
        runner::RunEvent end;
        int stops = 0;
        bool killed = false;
        runner::Outcome last;
    };
    struct StageFacts {
        enum class Life { unopened, opening, open, closing, closed } life = Life::unopened;
        int ends = 0; // stage_finished
        runner::RunEvent end;
        bool opened_before_halt = false;
        std::vector<StepFacts> steps;
    };
    const std::vector<StageFacts>& stages() const { return stages_; }
    const runner::action::Finish& finish() const { return *finish_; }

private:
    using Nanoseconds = std::chrono::nanoseconds;
    struct Pending {
        Clock::time_point at;
        std::uint64_t order; // random: equal times come in any order
        runner::Input input;
        int timer = 0;       // TimerFired of this one
        int generation = 0;  // StepEnded: of which plan for its end
    };
    struct Later {
        bool operator()(const Pending& a, const Pending& b) const
        {
            return std::pair(a.at, a.order) > std::pair(b.at, b.order);
        }
    };

    void feed(const Pending& pending);
    void carry_out(const runner::Action& action);
    void open(int stage);
    void start(const runner::action::StartStep& start);
    void stop(const runner::action::StopStep& stop);
    void close(int stage);
    void record(const runner::RunEvent& event);
    void check_end() const;

    void later(runner::Input input, Nanoseconds delay, int timer = 0, int generation = 0);
    void require(bool holds, const char* what) const;
    Nanoseconds milliseconds(int most) { return std::chrono::milliseconds(random_.below(most + 1)); }
    void note(std::uint64_t value) { fingerprint = (fingerprint ^ value) * 0x100000001b3; }
    const pipeline::PlanStage& plan_of(int stage) const { return plan_.plan.stages[static_cast<std::size_t>(stage)]; }
    StageFacts& at(int stage) { return stages_[static_cast<std::size_t>(stage)]; }
    StepFacts& at(runner::StepIndex step) { return at(step.stage).steps[static_cast<std::size_t>(step.step)]; }
    bool is_final(int stage) const { return stages_[static_cast<std::size_t>(stage)].ends > 0; }

    const RandomPlan& plan_;
    Fate fate_;
    Random random_;
    runner::Schedule schedule_;
    int slots_ = 1;
    Clock::time_point now_{std::chrono::hours(1)};
    std::priority_queue<Pending, std::vector<Pending>, Later> pending_;
    std::map<int, Clock::time_point> timers_;
    std::map<runner::StepIndex, int> generation_; // of the planned end of a step
    std::vector<StageFacts> stages_;
    std::map<std::string, int> stage_by_id_;
    int running_ = 0;
    int cancels_ = 0;
    bool hard_ = false;
    std::optional<runner::action::Finish> finish_;
};

} // namespace gantry::test
