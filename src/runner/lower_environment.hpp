#pragma once

#include "runner/lower_container.hpp"

#include <string>
#include <utility>
#include <vector>

namespace gantry::runner {

// The whole environment of a step, each name once. Later ones win: CI_*, the file's and --env, CI_ENV of earlier steps,
// settings as PLUGIN_*, secrets; last those that the user cannot change, because the step and its tools rely on them.
std::vector<std::pair<std::string, std::string>> environment_of(const StepContext& context, const Resolve& resolve);

// Computes texts of the step; `context` outlives it.
Resolve resolver_of(const StepContext& context);

// The secret of that name. Throws bad_input when there is none, with how to give it.
const Secret& secret_of(const StepContext& context, const std::string& name);

} // namespace gantry::runner
