#pragma once

#include "pipeline/plan.hpp"
#include "runner/report.hpp"
#include "runner/store.hpp"

#include <string>

// How an end is said, in the same words by every view, by `gantry show` and by JUnit. All texts are safe for a terminal.

namespace gantry::app {

// The fields that a step_finished or step_retry event shares with a summary.
runner::StepSummary step_of(const runner::RunEvent& event);

// "passed", "failed", "was cancelled", "timed out", "was skipped", "broke off" (an error that is ours).
std::string verb_of(runner::State state);
// Why it did not pass: "exit code 2", "killed by SIGSEGV", "out of memory (SIGKILL)", "the step took more than 10m". Empty
// for what passed.
std::string reason_of(const runner::StepSummary& step);
// "passed in 5.0s", "failed: exit code 2 after 3.1s", "skipped: it needs test, which failed", "kept from an earlier run".
std::string outcome_of(const runner::StepSummary& step);

// What it used, as far as that was seen and in short: "peak 412 MB, CPU 9.4s, disk 43 MB, network 3.1 MB". Of disk and
// network only what is worth a look.
std::string short_use_of(const runner::StepSummary& step);
// All of it: "CPU 3.2s · memory up to 412 MB · disk 12 MB read, 3.1 MB written · network 20 kB in, 4 kB out".
std::string use_of(const engine::ResourceUse& use);

inline constexpr int k_tail_lines = 20; // of what failed, wherever its end is shown

// The shortest name that `gantry logs` takes: "unit", or "build/unit" where another stage has a unit; quoted for a shell
// where it needs that.
std::string short_step_name(const runner::RunSummary& summary, const runner::StepSummary& step);

} // namespace gantry::app
