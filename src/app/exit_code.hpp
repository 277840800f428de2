#pragma once

#include "base/error.hpp"
#include "runner/report.hpp"

namespace gantry::app {

// docs/exit-codes.md. The only place that makes them.
inline constexpr int k_exit_ok = 0;
inline constexpr int k_exit_failed = 1;         // a step failed
inline constexpr int k_exit_usage = 2;          // bad definition or usage
inline constexpr int k_exit_infrastructure = 3;
inline constexpr int k_exit_timed_out = 4;

int exit_code_of(const Error& error);
// `signal`: the one that cancelled the run, 0 for none (then `gantry cancel` did: as SIGTERM).
int exit_code_of(runner::State state, runner::Cause cause, int signal);

} // namespace gantry::app
