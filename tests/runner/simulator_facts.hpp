#pragma once

#include "base/clock.hpp"
#include "runner/report.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

// What a simulated run has shown so far, seen from outside of the schedule.

namespace gantry::test {

using TimePoint = Clock::time_point;

// Timers of the simulated shell fire late by up to this.
constexpr std::chrono::milliseconds k_lateness{50};

// Something that happens at a time, or a little later.
struct Moment {
    std::optional<TimePoint> earliest, latest;

    static Moment at(TimePoint time) { return {time, time}; }
    static Moment by_timer(TimePoint due) { return {due, due + k_lateness}; }
    bool may_be_over(TimePoint now) const { return earliest && now >= *earliest; }
    bool is_over(TimePoint now) const { return latest && now > *latest; }
};

// The first of several.
inline Moment first_of(const Moment& a, const Moment& b)
{
    if (!a.earliest || !b.earliest)
        return a.earliest ? a : b;
    return {std::min(*a.earliest, *b.earliest), std::min(*a.latest, *b.latest)};
}

struct StepFacts {
    int attempts = 0;    // in this process
    int last_number = 0; // of an attempt, in any process
    bool running = false;
    bool over = false;
    bool just_ended = false;  // an attempt did, by the input that is being handled
    bool was_stopped = false; // the last attempt that ended
    bool may_still_run = false; // that attempt
    int stops = 0;            // of this attempt
    bool killed = false;
    std::optional<TimePoint> process_since; // while it runs
    bool exited = false;                    // the process of this attempt has ended, the attempt not yet
    bool exited_before_loss = false;        // of a service
    TimePoint last_output{};
    std::optional<TimePoint> backing_off_until;
    runner::Outcome outcome; // of the last attempt that ended
    runner::State state = runner::State::pending;
    runner::Cause cause = runner::Cause::ok;
    bool allowed = false;
};

struct StageFacts {
    enum class Life { unopened, opening, open, closing, closed } life = Life::unopened;
    bool over = false;
    bool kept = false;                                   // from an earlier process
    bool silent = false;                                 // and no event tells of it again
    bool opened = false;                                 // it has not failed to
    bool halted_unopened = false, may_have_been = false; // halted before it was open: for certain, perhaps
    bool cut = false;                                    // a cancel came before its finally-steps
    int body_left = 0;                                   // steps that are not over, finally aside
    std::optional<TimePoint> in_finally_since;
    Moment timeout;
    bool lost_unopened = false; // a service of it, before it was open
    bool lost = false;          // a service of it, while its body ran or before
    Moment lost_at;
    bool passed = false; // those who need it may run
    runner::State state = runner::State::pending;
    bool allowed = false;
    std::vector<StepFacts> steps;
};

struct RunFacts {
    bool begun = false;
    bool cancelled = false, hard = false; // before the last stage was final
    Moment cancel, timeout;
    std::optional<TimePoint> all_final_since;
    bool anything_expired = false;
    bool anything_lost = false; // a service, or how a step ended
    int running = 0; // steps
    std::vector<StageFacts> stages;
};

} // namespace gantry::test
