#pragma once

#include "app/view/output.hpp"
#include "pipeline/plan.hpp"
#include "runner/report.hpp"
#include "runner/store.hpp"

#include <functional>
#include <memory>
#include <string>

namespace gantry::app {

// How a run is shown. Made for one run; a RunObserver that also draws the end.
class View : public runner::RunObserver {
public:
    // Before the first event. `header` is "gantry 0.1 · shop @ 4f2a9c1 (main, 3 files changed) · docker 20.10 · run 17".
    virtual void begin(const pipeline::Plan& plan, const std::string& run_id, const std::string& header) = 0;
    // After the last event: what failed and why, its last lines, what to do now, where the time went.
    // `tail` gives the last n lines of a step's log.
    using Tail = std::function<std::string(const runner::StepKey&, int lines)>;
    virtual void end(const runner::RunSummary& summary, const Tail& tail) = 0;
    // The terminal was resized, or time has passed: redraw or write out what has gathered. Called about ten times a second
    // for a view that wants it (is_live()).
    virtual void tick() {}
    virtual bool is_live() const { return false; }
};

struct ViewOptions {
    bool json = false;        // one event a line on standard output and nothing else
    bool quiet = false;       // only failures and the last line
    bool timestamps = false;
    bool live = false;        // a terminal that can be redrawn
    bool colours = false;
    bool unicode = true;      // else ASCII stand-ins
    bool safe = false;        // what steps print goes to a terminal: control characters are made visible
};
// From the flags, isatty, TERM, NO_COLOR, CLICOLOR_FORCE, LANG/LC_ALL, CI.
ViewOptions detect_view(bool json, bool quiet, bool timestamps);

// A text of ours as what writes it out can show it: with ASCII stand-ins where the locale is not UTF-8.
std::string as_locale_shows(std::string text);

// This process's own.
struct StandardStreams {
    std::unique_ptr<Output> out, err;
    StandardStreams();
};

// Live picture on a terminal, prefixed lines elsewhere (steps' output to standard output, what we say to standard
// error), JSON lines. One row for each in view.cpp. The streams outlive the view.
std::unique_ptr<View> make_view(const ViewOptions& options, const StandardStreams& streams);

} // namespace gantry::app
