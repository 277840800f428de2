#pragma once

#include "base/secret.hpp"
#include "engine/engine.hpp"

#include <optional>
#include <string>

namespace gantry::app {

class Context;

// Standard input and output are a terminal.
bool terminal_is_there();

// Joins our standard streams to a container's until its output ends. With `raw` the terminal passes every key on and follows
// its own size; it is put back as it was on every path.
awaitable<void> talk(engine::Attachment& attachment, bool raw);

// Asks for the value of a secret.
struct Answer {
    std::optional<Secret> value; // none where there is no terminal, or nothing was typed
    int signal = 0;              // that ended the question; the terminal is as it was
};
Answer ask_for_secret(Context& context, const std::string& name);

} // namespace gantry::app
