#include "base/utf8.hpp"
#include "support/catch.hpp"

#include <string>

using namespace gantry;

TEST_CASE("UTF-8 is checked as RFC 3629 says", "[base]")
{
    CHECK(is_utf8(""));
    CHECK(is_utf8("aé€😀"));
    CHECK(is_utf8("\xf4\x8f\xbf\xbf"));
    for (const std::string bad : {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", // overlong
                                  "\xed\xa0\x80", "\xed\xbf\xbf",                                                     // surrogates
                                  "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",                                     // beyond U+10FFFF
                                  "\xe2\x82", "\xc3", "\xf0\x9f\x98", "\xe2\x28\xa1"}) {                              // cut off
        CAPTURE(bad);
        CHECK_FALSE(is_utf8("a" + bad));
        CHECK_FALSE(first_character(bad + "a"));
    }
}

TEST_CASE("the first character is told with its length", "[base]")
{
    const auto is = [](std::string_view text, std::size_t bytes, char32_t code) {
        const auto character = first_character(text);
        return character && character->bytes == bytes && character->code == code;
    };
    CHECK(is("ab", 1, 'a'));
    CHECK(is(std::string_view("\0", 1), 1, 0));
    CHECK(is("éa", 2, 0xe9));
    CHECK(is("€a", 3, 0x20ac));
    CHECK(is("😀a", 4, 0x1f600));
    CHECK(is("\xed\x9f\xbf", 3, 0xd7ff));
    CHECK(is("\xf4\x8f\xbf\xbf", 4, 0x10ffff));
}

TEST_CASE("a text is cut before a character, never in it", "[base]")
{
    CHECK(first_bytes("abc", 3) == "abc");
    CHECK(first_bytes("abc", 2) == "ab");
    CHECK(first_bytes("aé€", 6) == "aé€");
    CHECK(first_bytes("aé€", 5) == "aé");
    CHECK(first_bytes("aé€", 3) == "aé");
    CHECK(first_bytes("aé€", 2) == "a");
    CHECK(first_bytes("€", 2).empty());
    CHECK(first_bytes("", 2).empty());
}
