#pragma once

#include "base/clock.hpp"
#include "engine/engine.hpp"
#include "runner/masker.hpp"
#include "runner/readiness.hpp"

#include <string>
#include <vector>

namespace gantry::runner {

// Asks a service that runs whether it is ready: a command inside of it, or a look at its port, straight from here where a way
// leads there and from inside otherwise. When to ask is Readiness'.
class ServiceProbe {
public:
    struct Answer {
        bool succeeded = false;
        std::string said; // why not, in one line
        bool is_its_own = true; // not what an engine says, or a shell, when it could not run the probe or the container went away
    };
    // `container` need not be there yet. `near`: the engine's networks may be reached from here. The others outlive it.
    ServiceProbe(engine::Engine& engine, Clock& clock, const MaskSet& masks, std::string container, bool near)
        : engine_(engine), clock_(clock), masks_(masks), container_(std::move(container)), near_(near)
    {
    }

    // For a check of a command, tcp or http. Takes as long as the check's timeout at most, and up to 2 s more to kill a command that
    // has not ended by then, which needs a shell in the container. An engine that fails is an answer, too. One at a time.
    awaitable<Answer> ask(const ReadyCheck& check);
    // An exit code and what a probe printed, or its first 4 KiB, in one line; without secrets.
    std::string said_with(int exit_code, std::string_view printed) const;
    // What a command that has not ended has printed so far, its last line; empty when none runs.
    std::string printed_so_far() const;

private:
    awaitable<Answer> run_command(const ReadyCheck& check, std::vector<std::string> command);
    awaitable<void> end_command(std::string mark);
    awaitable<Answer> look_at_port(const ReadyCheck& check);
    std::string last_line(std::string_view printed) const;
    std::string after_colon(std::string_view printed) const;

    engine::Engine& engine_;
    Clock& clock_;
    const MaskSet& masks_;
    std::string container_, address_;
    std::string printed_; // by the command that runs, or ran last; its first bytes
    bool near_, running_ = false;
};

} // namespace gantry::runner
