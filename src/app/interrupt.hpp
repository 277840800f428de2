#pragma once

#include "base/async.hpp"

namespace gantry::app {

// Runs `body` until it ends or SIGINT, SIGTERM or SIGHUP comes: then cancels it and waits until it has cleaned up. Returns the
// signal; 0 when it ended by itself. What it throws by itself comes out.
awaitable<int> until_interrupted(awaitable<void> body);

} // namespace gantry::app
