#include "base/utf8.hpp"

#include <algorithm>

namespace gantry {

std::optional<Character> first_character(std::string_view text)
{
    const auto byte_at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto first = byte_at(0);
    if (first < 0x80)
        return Character{1, first};
    const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (length == 0 || text.size() < length)
        return std::nullopt;
    char32_t code = first & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte_at(i) & 0xc0u) != 0x80)
            return std::nullopt;
        code = code << 6 | (byte_at(i) & 0x3fu);
    }
    const bool overlong = code < (length == 3 ? 0x800u : length == 4 ? 0x10000u : 0x80u);
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    if (overlong || surrogate || code > 0x10ffff)
        return std::nullopt;
    return Character{length, code};
}

std::string_view first_bytes(std::string_view text, std::size_t most_bytes)
{
    auto end = std::min(text.size(), most_bytes);
    while (end > 0 && end < text.size() && continues_character(text[end]))
        --end;
    return text.substr(0, end);
}

bool is_utf8(std::string_view text)
{
    while (!text.empty()) {
        const auto character = first_character(text);
        if (!character)
            return false;
        text.remove_prefix(character->bytes);
    }
    return true;
}

} // namespace gantry
