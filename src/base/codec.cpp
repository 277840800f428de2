// The half of format.hpp about bytes: encodings, digests, and text from outside.
#include "base/error.hpp"
#include "base/format.hpp"

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

// Bytes of the well-formed UTF-8 sequence at the front of `text` (RFC 3629, section 4); 0 if there is none.
std::size_t utf8_sequence(std::string_view text)
{
    const auto first = byte_at(text, 0);
    if (first < 0x80)
        return 1;
    const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (length == 0 || text.size() < length)
        return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte_at(text, i) & 0xc0) != 0x80)
            return 0;
    const auto second = byte_at(text, 1);
    const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool surrogate = first == 0xed && second >= 0xa0;
    const bool above_unicode = first == 0xf4 && second >= 0x90;
    return overlong || surrogate || above_unicode ? 0 : length;
}

// Length of "ESC [ digits ; : m" at the front; 0 if it is anything else.
std::size_t sgr_sequence(std::string_view text)
{
    constexpr std::size_t k_longest = 64;
    if (!text.starts_with("\x1b["))
        return 0;
    const auto end = text.substr(0, k_longest).find_first_not_of("0123456789;:", 2);
    return end != std::string_view::npos && text[end] == 'm' ? end + 1 : 0;
}

// Code points that move the cursor or reorder what is seen: C1 controls, bidirectional overrides and isolates,
// and the separators that some terminals take for a line end.
bool is_dangerous(std::string_view sequence)
{
    if (sequence.size() == 2)
        return byte_at(sequence, 0) == 0xc2 && byte_at(sequence, 1) < 0xa0;
    if (sequence.size() != 3 || byte_at(sequence, 0) != 0xe2)
        return false;
    const auto low = byte_at(sequence, 2);
    return (byte_at(sequence, 1) == 0x80 && low >= 0xa8 && low <= 0xae) || (byte_at(sequence, 1) == 0x81 && low >= 0xa6 && low <= 0xa9);
}

void append_escaped(std::string& out, std::string_view bytes)
{
    for (const unsigned char byte : bytes)
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
}

} // namespace

bool is_utf8(std::string_view text)
{
    while (!text.empty()) {
        const auto length = utf8_sequence(text);
        if (length == 0)
            return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string terminal_safe(std::string_view text, Colours colours)
{
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto first = byte_at(text, 0);
        auto length = std::max<std::size_t>(utf8_sequence(text), 1);
        if (const auto sgr = sgr_sequence(text); sgr != 0) {
            length = sgr;
            if (colours == Colours::keep)
                out += text.substr(0, length);
        } else if ((first < 0x20 && first != '\t') || first == 0x7f) {
            out += '^';
            out += static_cast<char>(first ^ 0x40);
        } else if (utf8_sequence(text) == 0 || is_dangerous(text.substr(0, length))) {
            append_escaped(out, text.substr(0, length));
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length);
    }
    return out;
}

} // namespace gantry
