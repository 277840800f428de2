#pragma once

#include "app/view/lines.hpp"
#include "app/view/output.hpp"
#include "runner/store.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace gantry::app {

struct LogFormat {
    std::string prefix;      // before each line: "build/compile | "
    bool timestamps = false; // before each line: when it began to come
    bool safe = false;       // for a terminal
    bool colours = false;

    // Neither lines nor their text are touched: the log's own bytes.
    bool raw() const { return prefix.empty() && !timestamps && !safe; }
};

// Prints one attempt's log, piece by piece: memory does not grow with it.
class LogPrinter {
public:
    LogPrinter(const runner::Store& store, std::string run, runner::StepKey step, LogFormat format, Output& output)
        : store_(store), run_(std::move(run)), step_(std::move(step)), format_(std::move(format)), output_(output)
    {
    }

    const runner::StepKey& step() const { return step_; }
    // Begins that many lines before the end. Before the first print().
    void begin_at_last(int lines);
    // What has come since the last call. A log that is not there yet is empty.
    void print();
    // The last line, if it has no end.
    void finish();

private:
    void print_raw();
    void print_lines();
    void put(std::string_view line, std::chrono::system_clock::time_point time);

    const runner::Store& store_;
    std::string run_;
    runner::StepKey step_;
    LogFormat format_;
    Output& output_;
    std::uint64_t offset_ = 0;
    LineCutter cutter_;
    std::chrono::system_clock::time_point line_time_{};
    std::string gathered_;
};

} // namespace gantry::app
