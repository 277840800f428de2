#pragma once

#include "pipeline/container.hpp"

namespace gantry::pipeline {

// Lays what an inner level says over an outer one (defaults < stage < step):
// - a scalar or section that is there replaces the outer one;
// - a list that is there replaces the outer list as a whole, also by nothing (`cap_drop: []`);
// - labels, ulimits and sysctls are merged by key;
// - environment and env_file are left as they are: see VariableMerge.
void overlay(Container& outer, const Container& inner);

} // namespace gantry::pipeline
