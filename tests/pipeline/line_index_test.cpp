#include "pipeline/line_index.hpp"

#include "support/catch.hpp"

using namespace gantry::pipeline;

TEST_CASE("line index: a byte's line and column", "[line_index]")
{
    const LineIndex lines("ab\n\ncd");
    const auto at = [&](std::size_t offset) {
        const auto mark = lines.mark(3, offset);
        return std::pair(mark.line, mark.column);
    };
    CHECK(at(0) == std::pair(1, 1));
    CHECK(at(2) == std::pair(1, 3)); // the newline ends its line
    CHECK(at(3) == std::pair(2, 1));
    CHECK(at(4) == std::pair(3, 1));
    CHECK(at(6) == std::pair(3, 3)); // the text's end
    CHECK(lines.mark(3, 0).file == 3);
}

TEST_CASE("line index: a line without its end", "[line_index]")
{
    const LineIndex lines("ab\r\n\ncd");
    CHECK(lines.line(1) == "ab");
    CHECK(lines.line(2).empty());
    CHECK(lines.line(3) == "cd");
    CHECK(lines.line(4).empty());
    CHECK(lines.line(0).empty());
    CHECK(lines.line(-1).empty());
    CHECK(LineIndex("").line(1).empty());
    CHECK(LineIndex("a\n").line(2).empty());
}
