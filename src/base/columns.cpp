#include "base/columns.hpp"

#include "base/utf8.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace gantry {

namespace {

struct Range {
    char32_t first, last;
};

// Unicode 15: general categories Mn, Me and the zero-width ones of Cf, by blocks that hold little else.
constexpr Range k_combining[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f}, {0x06d6, 0x06dc},
    {0x0900, 0x0902}, {0x093c, 0x093c}, {0x0941, 0x0948}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200d}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
    {0xfeff, 0xfeff}, {0xe0100, 0xe01ef},
};
// East Asian Width W and F (UAX #11), emoji among them.
constexpr Range k_wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},   {0x23f0, 0x23f0},   {0x23f3, 0x23f3},
    {0x25fd, 0x25fe},   {0x2614, 0x2615},   {0x2648, 0x2653},   {0x267f, 0x267f},   {0x2693, 0x2693},   {0x26a1, 0x26a1},
    {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},   {0x26ce, 0x26ce},   {0x26d4, 0x26d4},   {0x26ea, 0x26ea},
    {0x26f2, 0x26f3},   {0x26f5, 0x26f5},   {0x26fa, 0x26fa},   {0x26fd, 0x26fd},   {0x2705, 0x2705},   {0x270a, 0x270b},
    {0x2728, 0x2728},   {0x274c, 0x274c},   {0x274e, 0x274e},   {0x2753, 0x2755},   {0x2757, 0x2757},   {0x2795, 0x2797},
    {0x27b0, 0x27b0},   {0x27bf, 0x27bf},   {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2b55, 0x2b55},   {0x2e80, 0x303e},
    {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe10, 0xfe19},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x18aff},
    {0x1b000, 0x1b2ff}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a}, {0x1f200, 0x1f320},
    {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3}, {0x1f3e0, 0x1f3f0},
    {0x1f3f4, 0x1f3f4}, {0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d}, {0x1f54b, 0x1f54e},
    {0x1f550, 0x1f567}, {0x1f57a, 0x1f57a}, {0x1f595, 0x1f596}, {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5},
    {0x1f6cc, 0x1f6cc}, {0x1f6d0, 0x1f6d2}, {0x1f6d5, 0x1f6d7}, {0x1f6dc, 0x1f6df}, {0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc},
    {0x1f7e0, 0x1f7eb}, {0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

template <std::size_t N>
bool is_in(const Range (&ranges)[N], char32_t code)
{
    const auto* range = std::lower_bound(std::begin(ranges), std::end(ranges), code, [](const Range& r, char32_t c) { return r.last < c; });
    return range != std::end(ranges) && range->first <= code;
}

// One character, or one SGR sequence, at the front.
struct Cell {
    std::size_t bytes = 1;
    int columns = 1;
    bool is_sgr = false;
};

Cell first_cell(std::string_view text)
{
    if (text[0] == '\x1b') {
        const auto end = text.find('m');
        return {end == std::string_view::npos ? text.size() : end + 1, 0, true};
    }
    const auto character = first_character(text);
    return character ? Cell{character->bytes, columns_of(character->code), false} : Cell();
}

} // namespace

int columns_of(char32_t code)
{
    if (code < 0x300)
        return 1;
    return is_in(k_combining, code) ? 0 : is_in(k_wide, code) ? 2 : 1;
}

int columns_of(std::string_view text)
{
    int columns = 0;
    while (!text.empty()) {
        const auto cell = first_cell(text);
        columns += cell.columns;
        text.remove_prefix(cell.bytes);
    }
    return columns;
}

std::string fit(std::string_view text, int columns, std::string_view ellipsis)
{
    if (columns_of(text) <= columns)
        return std::string(text);
    const int room = std::max(columns - columns_of(ellipsis), 0);
    std::string out;
    bool coloured = false;
    for (int used = 0; !text.empty();) {
        const auto cell = first_cell(text);
        if (used + cell.columns > room)
            break;
        used += cell.columns;
        coloured |= cell.is_sgr;
        out += text.substr(0, cell.bytes);
        text.remove_prefix(cell.bytes);
    }
    if (coloured)
        out += "\x1b[0m";
    return columns >= columns_of(ellipsis) ? out.append(ellipsis) : out;
}

std::string spread(std::string_view left, std::string_view right, int columns, std::string_view ellipsis)
{
    const int room = columns - columns_of(right) - (right.empty() ? 0 : 1);
    if (room < 8 || right.empty())
        return fit(left, columns, ellipsis);
    auto line = fit(left, room, ellipsis);
    line.append(static_cast<std::size_t>(std::max(columns - columns_of(line) - columns_of(right), 1)), ' ');
    return line.append(right);
}

std::string aligned(const std::vector<std::vector<std::string>>& rows)
{
    std::vector<int> widths(rows[0].size(), 0);
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], columns_of(row[i]));
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line += row[i] + std::string(static_cast<std::size_t>(widths[i] - columns_of(row[i]) + 2), ' ');
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

} // namespace gantry
