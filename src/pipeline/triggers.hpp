#pragma once

#include "pipeline/definition.hpp"
#include "pipeline/event.hpp"

#include <string>

namespace gantry::pipeline {

struct TriggerMatch {
    bool runs = true;
    std::string reason; // for people, when it does not run: "push to 'dev': on.push.branches is main, release/*"
};

// Whether `on:` lets the event start the pipeline. Without `on:` that is every push, tag and pull request, and by hand.
// A push filter with only branches leaves tags out and the other way round; paths do not apply to tags, and let
// everything pass while the changed files are not known. "[skip ci]" or "[ci skip]" in the message of a push, tag or
// pull request skips it.
TriggerMatch match_triggers(const Triggers& triggers, const Event& event);

// Fills in defaults and refuses unknown inputs and values of the wrong type; required ones are asked of manual events
// only. Problems have the position of the input's declaration, or none.
Diagnostics complete_inputs(const Triggers& triggers, Event& event);

// Why `value` is none of the input; empty when it is.
std::string input_problem(const Input& input, const std::string& value);

} // namespace gantry::pipeline
