#pragma once

#include "engine/fake/fake.hpp"
#include "runner/run.hpp"
#include "runner/simulator_oracle.hpp"
#include "runner/workspaces.hpp"
#include "support/manual_clock.hpp"
#include "support/random_plan.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

// The whole shell of a run on the fake engine, in virtual time: calls that fail or whose answers get lost, an engine that goes
// away, cancels, a process that dies at any moment and another one that cleans up and goes on.

namespace gantry::test {

// What will happen in one simulated run.
struct Scenario {
    explicit Scenario(std::uint64_t seed);

    std::uint64_t seed = 0;
    Fate fate;
    int slots = 1;
    int failing_calls = 0; // of a thousand
    int lost_answers = 0;  // of a thousand
    std::chrono::milliseconds longest_call{0};
    struct Outage {
        std::chrono::milliseconds after{0}, lasts{0};
        bool containers_survive = false;
    };
    std::vector<Outage> outages;
    struct Cancel {
        std::chrono::milliseconds after{0};
        bool hard = false;
    };
    std::vector<Cancel> cancels;
    std::vector<int> crash_after; // handlers that each process may run; the last process is not killed
    int full_disk_after = -1;     // events that fit into the journal

    bool has_faults() const { return failing_calls + lost_answers > 0 || !outages.empty() || full_disk_after >= 0; }
};

class Process;

class RunWorld {
public:
    RunWorld(const RandomPlan& plan, const Scenario& scenario, runner::Store& store);
    ~RunWorld();

    // Runs to the end; throws std::runtime_error with what is wrong.
    void run();

    runner::RunSummary summary;
    bool cancelled = false, anything_expired = false;
    int crashes = 0;
    std::size_t containers = 0; // started
    std::uint64_t lost_calls = 0;
    std::string describe() const;

private:
    void script_engine();
    void fail_calls(const engine::FakeCall& call);
    bool is_stopped_some_time(const std::string& stage, const std::string& step) const;
    engine::FakeBehaviour behave(const engine::ContainerSpec& spec);
    void play_outside(Process& process);
    bool drive_to_end(Process& process, int handlers);
    void move();
    Process& add_process(std::unique_ptr<runner::RunWriter> writer, runner::RunOptions options);
    bool remove_leftovers(const std::string& id);
    void clean_up(const std::string& id);

    void remember(const std::function<void()>& check);
    void check_call(const engine::FakeCall& call);
    void check_alone(const engine::ContainerSpec& begins) const;
    void check_process(const Process& process, bool ended);
    void check_journal(const std::string& id);
    void check_logs(const std::string& id);
    void check_engine();
    const pipeline::PlanStep& step_of(const std::string& stage, const std::string& step) const;

    const RandomPlan& plan_;
    const Scenario& scenario_;
    runner::Store& store_;
    Random random_;
    asio::io_context loop_;
    ManualClock clock_;
    std::unique_ptr<engine::FakeEngine> engine_;
    std::vector<std::unique_ptr<Process>> processes_;
    Process* living_ = nullptr;
    std::vector<runner::RunEvent> told_;         // by all processes
    std::map<std::string, std::string> outputs_; // "stage/step/attempt": what it printed
    std::set<std::string> began_;                // the same
    std::optional<runner::RunResult> result_;
    bool calm_ = false;  // no more faults
    std::string broken_; // what a call of the engine has shown to be wrong
};

} // namespace gantry::test
