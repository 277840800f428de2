#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gantry::app {

// Lines at the end of a terminal that are drawn over again and again. Each frame is one write; the cursor is hidden only within
// it, so that a killed process leaves the terminal as it should be.
class Frame {
public:
    // The bytes that put `lines` (each of at most `columns`) in the place of the last ones, below `above`: whole lines that
    // stay.
    std::string next(std::string_view above, const std::vector<std::string>& lines, int columns);
    // Whether this would change nothing.
    bool shows(const std::vector<std::string>& lines, int columns) const { return lines == lines_ && columns == columns_; }
    bool empty() const { return widths_.empty(); }

    static constexpr const char* k_show_cursor = "\x1b[?25h";

private:
    std::string to_top(int columns) const;

    std::vector<std::string> lines_; // of the last frame
    std::vector<int> widths_;        // of these
    int columns_ = 0;
};

} // namespace gantry::app
