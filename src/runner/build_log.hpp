#pragma once

#include "base/clock.hpp"
#include "engine/engine.hpp"

#include <string>
#include <utility>
#include <vector>

namespace gantry::runner {

// A builder's events as the lines of a step's log; pure:
//
//     [2/4] Dockerfile:5 RUN make
//     cc -o app main.c
//     [2/4] 1.2s
class BuildLog {
public:
    // `lines` of its instructions, as far as they are known; up to `added` labels, which a builder may count as its last
    // instructions, stand in no file.
    BuildLog(std::string dockerfile, std::vector<int> lines, int added);
    // Those of a Dockerfile that was found later than this was made.
    void know_lines(std::vector<int> lines) { lines_ = std::move(lines); }

    // What to write to the log, before the event's own output.
    std::string on(const engine::BuildEvent& event, Clock::time_point now);
    // The last instruction has ended.
    std::string end(Clock::time_point now);

    // "Dockerfile:5: RUN make": where the builder is, or was when it failed.
    std::string place(int step) const;
    // The same of the instruction that began last; empty before the first, and behind those of the file.
    std::string last_place() const;

private:
    bool is_added(int step) const;
    std::string place_of(int step) const;
    std::string close_step(Clock::time_point now);

    std::string dockerfile_;
    std::vector<int> lines_;
    int added_ = 0, steps_ = 0;
    std::vector<std::string> instructions_; // of the steps that have begun
    std::string counter_;                   // "[2/4]"
    Clock::time_point began_{};
    bool open_ = false, in_line_ = false;
};

} // namespace gantry::runner
