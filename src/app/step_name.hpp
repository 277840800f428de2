#pragma once

#include "runner/store.hpp"

#include <string>

namespace gantry::app {

// The step that a person means: "unit" where it is unique, "build/unit", "test[gcc=13]/unit"; its last attempt. Throws
// not_found with the nearest name, bad_input with the candidates where several fit.
// The step, or else the service ("services/db", "db", "test/services/db"), whose log a person means. Throws as find_step().
runner::StepKey find_log(const runner::RunSummary& summary, const std::string& name);
runner::StepKey find_step(const runner::RunSummary& summary, const std::string& name);

} // namespace gantry::app
