#pragma once

#include <string>
#include <string_view>
#include <vector>

// Widths on a terminal. Texts are terminal_safe: UTF-8, no control characters but SGR sequences, which take no room.

namespace gantry {

// How many columns a character takes: two for wide ones (East Asian, emoji), none for combining ones.
int columns_of(char32_t code);

// How many columns `text` takes. A tab counts as one.
int columns_of(std::string_view text);

// `text` in at most `columns` columns: what does not fit is cut, and ends in `ellipsis`. Colours are ended.
std::string fit(std::string_view text, int columns, std::string_view ellipsis = "…");

// `left`, filled with blanks, and `right` at the end of `columns`; `left` is cut if both do not fit.
std::string spread(std::string_view left, std::string_view right, int columns, std::string_view ellipsis = "…");

// Rows of a table under each other, two blanks between the columns, each row with its line end. The first has all columns.
std::string aligned(const std::vector<std::vector<std::string>>& rows);

} // namespace gantry
