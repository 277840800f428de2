#include "base/columns.hpp"

#include "support/catch.hpp"

using namespace gantry;

TEST_CASE("columns count what a terminal shows, not bytes", "[base]")
{
    CHECK(columns_of("") == 0);
    CHECK(columns_of("abc") == 3);
    CHECK(columns_of("h\xc3\xa9llo") == 5);
    CHECK(columns_of("e\xcc\x81") == 1);             // e and a combining acute
    CHECK(columns_of("\xe4\xb8\xad\xe6\x96\x87") == 4); // two ideographs
    CHECK(columns_of("\xf0\x9f\x98\x80") == 2);      // an emoji
    CHECK(columns_of("\x1b[31mred\x1b[0m") == 3);
}

TEST_CASE("what does not fit is cut at a character, with an ellipsis and without its colour", "[base]")
{
    CHECK(fit("abcdef", 6) == "abcdef");
    CHECK(fit("abcdef", 4) == "abc…");
    CHECK(fit("\xe4\xb8\xad\xe6\x96\x87x", 4) == "\xe4\xb8\xad…"); // the second ideograph has no room
    CHECK(fit("\x1b[31mabcdef\x1b[0m", 4) == "\x1b[31mabc\x1b[0m…");
    CHECK(fit("abc", 0) == "");
}

TEST_CASE("the right part stands at the edge, and the left gives way", "[base]")
{
    CHECK(spread("left", "1.0s", 20) == "left            1.0s");
    CHECK(spread("a long left part", "1.0s", 16) == "a long lef… 1.0s");
    CHECK(columns_of(spread("anything", "1.0s", 5)) <= 5);
}

TEST_CASE("columns of a table are as wide as what people see in them", "[base]")
{
    CHECK(aligned({{"A", "NAME"}, {"12", "é"}, {"日", ""}}) == "A   NAME\n12  é\n日\n");
}
