#include "app/view/frame.hpp"

#include "base/columns.hpp"
#include "base/format.hpp"

#include <algorithm>

namespace gantry::app {

namespace {

// CSI sequences of ECMA-48 (and DEC's for the cursor) that every terminal since the VT220 knows.
constexpr const char* k_hide_cursor = "\x1b[?25l";
constexpr const char* k_clear_to_line_end = "\x1b[K";
constexpr const char* k_clear_below = "\x1b[J";

} // namespace

std::string Frame::next(std::string_view above, const std::vector<std::string>& lines, int columns)
{
    auto text = k_hide_cursor + to_top(columns);
    const auto put = [&text](std::string_view line) {
        text += line;
        text += k_clear_to_line_end;
        text += '\n';
    };
    for (const auto& line : split(above, '\n'))
        if (!line.empty())
            put(line);
    widths_.clear();
    for (const auto& line : lines) {
        put(line);
        widths_.push_back(columns_of(line));
    }
    lines_ = lines;
    columns_ = columns;
    return text + k_clear_below + k_show_cursor;
}

// To where the last frame's lines begin. A terminal that has become narrower has broken them.
std::string Frame::to_top(int columns) const
{
    int rows = 0;
    for (const int width : widths_)
        rows += columns < columns_ ? std::max((width + columns - 1) / columns, 1) : 1;
    return rows > 0 ? "\r\x1b[" + std::to_string(rows) + "A" : "\r";
}

} // namespace gantry::app
