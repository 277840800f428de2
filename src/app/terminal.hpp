#pragma once

#include "engine/engine.hpp"

namespace gantry::app {

// Standard input and output are a terminal.
bool terminal_is_there();

// Joins our standard streams to a container's until its output ends. With `raw` the terminal passes every key on and follows
// its own size; it is put back as it was on every path.
awaitable<void> talk(engine::Attachment& attachment, bool raw);

} // namespace gantry::app
