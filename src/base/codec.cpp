// The half of format.hpp about bytes: encodings, digests, and text from outside.
#include "base/error.hpp"
#include "base/format.hpp"
#include "base/utf8.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

#include <sys/random.h>

namespace gantry {

namespace {

constexpr std::string_view k_base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view k_base64_url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

unsigned byte_at(std::string_view text, std::size_t index)
{
    return static_cast<unsigned char>(text[index]);
}

std::string encode(std::string_view bytes, std::string_view alphabet)
{
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto count = std::min<std::size_t>(3, bytes.size() - i);
        unsigned group = 0;
        for (std::size_t k = 0; k < 3; ++k)
            group = group << 8 | (k < count ? byte_at(bytes, i + k) : 0);
        for (std::size_t k = 0; k < 4; ++k)
            text += k <= count ? alphabet[group >> (18 - 6 * k) & 63] : '=';
    }
    return text;
}

// 0 to 63, or 64 for a character that is in neither alphabet.
unsigned base64_value(char c)
{
    auto index = k_base64.find(c);
    if (index == std::string_view::npos)
        index = k_base64_url.find(c);
    return index == std::string_view::npos ? 64 : static_cast<unsigned>(index);
}

std::string hex(const unsigned char* bytes, std::size_t count)
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * count);
    for (std::size_t i = 0; i < count; ++i) {
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 15];
    }
    return text;
}

} // namespace

std::string base64_encode(std::string_view bytes)
{
    return encode(bytes, k_base64);
}

std::string base64url_encode(std::string_view bytes)
{
    return encode(bytes, k_base64_url);
}

std::optional<std::string> base64_decode(std::string_view text)
{
    const bool padded = !text.empty() && text.back() == '=';
    if (padded && text.size() % 4 != 0)
        return std::nullopt;
    for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i)
        text.remove_suffix(1);
    if (text.size() % 4 == 1)
        return std::nullopt;

    std::string bytes;
    bytes.reserve(text.size() / 4 * 3 + 2);
    unsigned pending = 0;
    unsigned pending_bits = 0;
    for (const char c : text) {
        const auto value = base64_value(c);
        if (value > 63)
            return std::nullopt;
        pending = pending << 6 | value;
        pending_bits += 6;
        if (pending_bits >= 8) {
            pending_bits -= 8;
            bytes += static_cast<char>(pending >> pending_bits & 0xff);
            pending &= (1U << pending_bits) - 1;
        }
    }
    if (pending != 0)
        return std::nullopt; // bits that belong to no byte: not an encoder's output
    return bytes;
}

std::string sha256_hex(std::string_view bytes)
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    GANTRY_ASSERT(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
    return hex(digest.data(), size);
}

std::string random_hex(std::size_t count)
{
    std::vector<unsigned char> bytes(count);
    for (std::size_t filled = 0; filled < count;) {
        const auto got = getrandom(bytes.data() + filled, count - filled, 0);
        if (got < 0 && errno != EINTR)
            throw errno_error(errno, "random bytes");
        filled += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    }
    return hex(bytes.data(), count);
}

namespace {

// Length of "ESC [ digits ; : m" at the front; 0 if it is anything else.
std::size_t sgr_sequence(std::string_view text)
{
    constexpr std::size_t k_longest = 64;
    if (!text.starts_with("\x1b["))
        return 0;
    const auto end = text.substr(0, k_longest).find_first_not_of("0123456789;:", 2);
    return end != std::string_view::npos && text[end] == 'm' ? end + 1 : 0;
}

// Code points that move the cursor or reorder what is seen: C1 controls, line and paragraph separators, bidirectional overrides
// and isolates.
bool is_dangerous(char32_t code)
{
    return (code >= 0x80 && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

void append_escaped(std::string& out, std::string_view bytes)
{
    for (const unsigned char byte : bytes)
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
}

} // namespace

std::string terminal_safe(std::string_view text, Colours colours)
{
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto first = byte_at(text, 0);
        const auto character = first_character(text);
        auto length = character ? character->bytes : 1;
        if (const auto sgr = sgr_sequence(text); sgr != 0) {
            length = sgr;
            if (colours == Colours::keep)
                out += text.substr(0, length);
        } else if ((first < 0x20 && first != '\t') || first == 0x7f) {
            out += '^';
            out += static_cast<char>(first ^ 0x40);
        } else if (!character || is_dangerous(character->code)) {
            append_escaped(out, text.substr(0, length));
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length);
    }
    return out;
}

} // namespace gantry
