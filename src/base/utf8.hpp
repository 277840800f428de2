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

// Whether all of `text` is UTF-8.
bool is_utf8(std::string_view text);

} // namespace gantry
