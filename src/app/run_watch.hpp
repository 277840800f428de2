#pragma once

#include "base/file.hpp"
#include "runner/store.hpp"

#include <map>
#include <string>

namespace gantry::app {

// Wakes when a run writes or its process ends: by inotify on its journal and logs and by a descriptor of its process, so
// that nothing is polled.
class RunWatch {
public:
    RunWatch(const runner::Store& store, const std::string& run);

    struct Woken {
        bool journal = false; // it has grown
        bool owner = false;   // the process is gone
    };
    // Blocks until something happened since the last call (or since the watch was made).
    Woken wait();

private:
    void watch_logs();

    Fd notify_;
    Fd process_;
    std::string logs_folder_;
    int journal_ = -1, logs_ = -1;
    std::map<std::string, int> stages_; // folders of logs/
};

} // namespace gantry::app
