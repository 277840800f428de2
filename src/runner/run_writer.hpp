#pragma once

#include "runner/store.hpp"
#include "runner/store_layout.hpp"

#include <memory>
#include <string>

namespace gantry::runner {

// Writes into a run's folder whose lock is held. `active_mark` is removed once run_finished is on disk.
std::unique_ptr<RunWriter> make_run_writer(std::string id, RunFolder folder, RunLock lock, std::string active_mark);

} // namespace gantry::runner
