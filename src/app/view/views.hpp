#pragma once

#include "app/view/output.hpp"
#include "app/view/style.hpp"
#include "app/view/view.hpp"
#include "base/clock.hpp"

#include <functional>
#include <memory>

namespace gantry::app {

struct TerminalSize {
    int columns = 80;
    int rows = 24;
};

// Of standard output; the defaults where that is no terminal.
TerminalSize terminal_size();

// What a view stands in; tests give it strings and a clock that they move. The outputs outlive the view.
struct ViewWorld {
    Output& out;
    Output& err;
    Clock& clock;
    std::function<TerminalSize()> size;
};

// Gathers output and writes it within 100 ms of ticks: is_live() is true for it, too.
std::unique_ptr<View> make_plain_view(const ViewOptions& options, const ViewWorld& world);
std::unique_ptr<View> make_json_view(const ViewOptions& options, const ViewWorld& world);
std::unique_ptr<View> make_live_view(const ViewOptions& options, const ViewWorld& world);

} // namespace gantry::app
