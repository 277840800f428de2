#pragma once

#include "engine/spec.hpp"
#include "pipeline/plan.hpp"

// A held container is started ahead of its step's turn and waits for one line on its standard input.

namespace gantry::runner {

// True if the container of this step may be started while earlier steps still run: its shell can wait, and starting it
// changes nothing that they could see. (A runtime makes the working directory where there is none.)
bool can_be_held(const pipeline::PlanStep& step, const engine::ContainerSpec& spec);

// The same command, after a line has come on standard input. The shell replaces itself, so that the step is the same process
// with the same arguments as without; its standard input is at its end by then, as if there were none.
void hold_back(engine::ContainerSpec& spec);

} // namespace gantry::runner
