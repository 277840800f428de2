#pragma once

#include "base/clock.hpp"
#include "base/file.hpp"
#include "engine/engine.hpp"

#include <string>
#include <vector>

// What `gantry shell` makes at an engine, on record for as long as it is open: what a process leaves that died is found by it.
//
//   <state>/shells/<container>   held by the process (base/lock.hpp)

namespace gantry::runner {

struct ShellRecord {
    std::string run;       // id
    std::string container; // its name
    std::string image;     // its tag; made before the container
    std::string engine_endpoint, engine_id; // as in RunMeta
};

// Ends with the process, and then leaves its record for dead_shells().
class OpenShell {
public:
    // `state` is Store::root(). The record is there when this returns: nothing is made before. Throws denied, no_space, …
    OpenShell(const std::string& state, const ShellRecord& record);
    // To be called before each further thing that the engine is asked for.
    void touch();
    // All that it made is gone.
    void close();

private:
    std::string path_;
    Fd file_;
};

struct DeadShell {
    ShellRecord record;
    std::string path; // of the record
};
// Those whose process died. Costs a look into a folder.
std::vector<DeadShell> dead_shells(const std::string& state);

// Removes what is there of it, and its record once nothing can come any more. Waits some seconds for what the engine was asked for
// last; what it makes only then is for a later call. Returns whether there was anything.
awaitable<bool> remove_dead_shell(engine::Engine& engine, Clock& clock, const DeadShell& shell);

} // namespace gantry::runner
