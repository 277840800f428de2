#pragma once

#include "app/context.hpp"

namespace gantry::app {

// What processes that died have left at the engine.

// Removes volumes of caches that nobody uses any more and says so.
awaitable<void> reap_caches(Context& context);

// Removes what runs of this engine have left whose process died, and says so.
awaitable<void> reap(Context& context);
// The same before any command, which it never stops: costs next to nothing when there is nothing to do.
void reap_first(Context& context);

} // namespace gantry::app
