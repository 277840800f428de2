#pragma once

#include "runner/report.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace gantry::app {

// Where the time of a run went. Steps overlap, so each moment is counted once: as the commands' if any command ran then, else
// as starting, else as pulling, else as the rest. The four add up to the whole.
class TimeAccount {
public:
    void add(const runner::RunEvent& event);

    struct Parts {
        std::chrono::nanoseconds whole{0}, pull{0}, start{0}, commands{0}, rest{0};
    };
    Parts parts() const;

    // The step whose command took longest; an empty step when none ran.
    struct Longest {
        std::string stage, step;
        std::chrono::nanoseconds command{0};
    };
    const Longest& longest() const { return longest_; }

private:
    using Time = std::chrono::system_clock::time_point;
    enum class Kind { pull, start, command };
    struct Span {
        Kind kind;
        Time begin, end;
    };
    void add_span(Kind kind, Time begin, Time end);
    void add_step(const runner::RunEvent& event);

    Time first_{}, last_{};
    std::vector<Span> spans_;
    Longest longest_;
};

} // namespace gantry::app
