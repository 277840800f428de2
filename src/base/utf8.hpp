#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

// UTF-8 (RFC 3629), a character at a time.

namespace gantry {

struct Character {
    std::size_t bytes = 1;
    char32_t code = 0; // its code point
};

// The one at the front of `text`, which is not empty; nothing where these bytes are none.
std::optional<Character> first_character(std::string_view text);

// Whether a byte is one of a character's others, not its first.
constexpr bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xc0u) == 0x80u; }

// The beginning of `text`, of at most `most_bytes`, which ends before a character rather than in it. Of what is no UTF-8,
// less may be left, or nothing.
std::string_view first_bytes(std::string_view text, std::size_t most_bytes);

// Whether all of `text` is UTF-8.
bool is_utf8(std::string_view text);

} // namespace gantry
