#pragma once

#include "engine/spec.hpp"
#include "runner/report.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

// What runs now, with what it uses: the table of `gantry top`. Pure.

namespace gantry::app {

// A step or service that runs now.
struct RunningStep {
    std::string run; // id
    runner::StepKey key;
    std::chrono::system_clock::time_point since{};
};
// Those that the journal of a run leaves running, in the order in which they began.
std::vector<RunningStep> running_steps(const std::string& run, const std::vector<runner::RunEvent>& events);

// What the engine has told of one container, by when.
class UseTrack {
public:
    using Time = std::chrono::steady_clock::time_point;

    void add(const engine::ResourceUse& use, Time now);
    void end() { ended_ = true; }
    const std::optional<engine::ResourceUse>& last() const { return last_; }
    // Percent of one processor between the last two words; nothing before the second.
    std::optional<double> cpu_percent() const { return cpu_percent_; }
    // There is more to come.
    bool is_waiting() const { return !cpu_percent_ && !ended_; }

private:
    std::optional<engine::ResourceUse> last_;
    std::optional<double> cpu_percent_;
    Time at_{};
    bool ended_ = false;
};

struct TopRow {
    RunningStep step;
    UseTrack use;
};

// Lines under each other, the first with the titles. What is not known is "-".
std::string top_table(const std::vector<TopRow>& rows, std::chrono::system_clock::time_point now);
// A JSON array; what is not known is left out.
std::string top_json(const std::vector<TopRow>& rows, std::chrono::system_clock::time_point now);

} // namespace gantry::app
