#include "runner/masker_patterns.hpp"

#include "base/format.hpp"
#include "base/utf8.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <set>

namespace gantry::runner {

namespace {

using Patterns = std::set<std::string>;

std::string replaced(std::string_view text, std::string_view what, std::string_view by)
{
    std::string out;
    std::size_t begin = 0;
    for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, begin)) {
        out += text.substr(begin, at - begin);
        out += by;
        begin = at + what.size();
    }
    return out += text.substr(begin);
}

std::string each_byte(std::string_view text, const std::function<std::string(unsigned char)>& encode)
{
    std::string out;
    for (const char c : text)
        out += encode(static_cast<unsigned char>(c));
    return out;
}

std::string format_byte(const char* format, unsigned value)
{
    char text[16];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

bool is_alphanumeric(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

void add_lines(Patterns& patterns, std::string_view value, std::size_t shortest)
{
    if (value.find('\n') == std::string_view::npos)
        return;
    for (const auto& line : split(value, '\n')) {
        const std::string_view text = trim(line);
        if (text.size() >= shortest)
            patterns.insert(std::string(text));
    }
}

// ---- base64 (RFC 4648). What stands before the secret shifts it by 0, 1 or 2 bytes; characters that hold bits of its
// neighbours are left out, and those of the end come once more with the padding of an encoding that ends here.

void add_wrapped(Patterns& patterns, const std::string& encoded, std::size_t columns)
{
    if (encoded.size() <= columns)
        return;
    for (std::size_t at = 0; at < encoded.size(); at += columns) {
        const std::string line = encoded.substr(at, columns);
        if (line.size() >= k_shortest_masked_line_bytes)
            patterns.insert(line);
    }
}

void add_base64(Patterns& patterns, std::string_view value)
{
    for (std::size_t shift = 0; shift < 3; ++shift) {
        const std::string shifted = std::string(shift, '\0') + std::string(value);
        const std::size_t begin = shift == 0 ? 0 : shift + 1;
        const std::size_t end = shifted.size() * 8 / 6; // characters of which every bit is ours
        if (end < begin + k_shortest_masked_bytes)
            continue;
        for (const std::string& encoded : {base64_encode(shifted), base64url_encode(shifted)}) {
            patterns.insert(encoded.substr(begin, end - begin));
            patterns.insert(encoded.substr(begin));
            const std::size_t padding = encoded.find('=');
            patterns.insert(encoded.substr(begin, padding == std::string::npos ? padding : padding - begin));
            if (shift != 0)
                continue;
            add_wrapped(patterns, encoded, 76);
            add_wrapped(patterns, encoded, 64);
        }
    }
}

// ---- URLs (RFC 3986)

void add_percent(Patterns& patterns, std::string_view value)
{
    const auto encode = [&](std::string_view kept, const char* format) {
        return each_byte(value, [&](unsigned char c) {
            const bool plain = is_alphanumeric(c) || kept.find(static_cast<char>(c)) != std::string_view::npos;
            return plain ? std::string(1, static_cast<char>(c)) : format_byte(format, c);
        });
    };
    constexpr std::string_view k_unreserved = "-_.~";
    constexpr std::string_view k_component = "-_.~!*'()";         // JavaScript's encodeURIComponent
    constexpr std::string_view k_address = "-_.~!*'();/?:@&=+$,#"; // its encodeURI
    constexpr std::string_view k_path = "-_.~/";                  // Python's quote
    constexpr std::string_view k_form = "-_.*";                   // application/x-www-form-urlencoded
    for (const std::string_view kept : {k_unreserved, k_component, k_address, k_path, k_form}) {
        for (const char* format : {"%%%02X", "%%%02x"}) {
            const std::string encoded = encode(kept, format);
            patterns.insert(encoded);
            patterns.insert(replaced(encoded, "%20", "+"));
        }
    }
}

// ---- JSON strings (RFC 8259)

// The code point that begins at `at`, which moves behind it; a byte that is no UTF-8 stands for itself.
unsigned next_code_point(std::string_view text, std::size_t& at)
{
    const auto character = first_character(text.substr(at)).value_or(Character{1, static_cast<unsigned char>(text[at])});
    at += character.bytes;
    return character.code;
}

std::string escape_units(unsigned point, const char* format)
{
    if (point < 0x10000)
        return format_byte(format, point);
    point -= 0x10000;
    return format_byte(format, 0xD800 + (point >> 10)) + format_byte(format, 0xDC00 + (point & 0x3FF));
}

constexpr const char* k_small_units = "\\u%04x";
constexpr const char* k_big_units = "\\u%04X";

struct JsonStyle {
    std::string_view harmful; // ASCII characters that are written as \uXXXX, for the sake of HTML pages around the text
    bool ascii_only = false;  // the others that are not ASCII as well
    bool slash = false;       // \/
    const char* harmful_units = k_small_units;
    const char* units = harmful_units; // of all but those
};

std::string json_escaped(std::string_view value, const JsonStyle& style)
{
    constexpr std::string_view k_short_from = "\"\\\b\f\n\r\t";
    constexpr std::string_view k_short_to = "\"\\bfnrt";
    std::string out;
    for (std::size_t at = 0; at < value.size();) {
        const std::size_t begin = at;
        const unsigned point = next_code_point(value, at);
        const std::size_t known = point < 128 ? k_short_from.find(static_cast<char>(point)) : std::string_view::npos;
        if (point < 128 && style.harmful.find(static_cast<char>(point)) != std::string_view::npos)
            out += escape_units(point, style.harmful_units);
        else if (known != std::string_view::npos)
            out += {'\\', k_short_to[known]};
        else if (point < 0x20 || (style.ascii_only && point >= 0x7F))
            out += escape_units(point, style.units);
        else if (style.slash && point == '/')
            out += "\\/";
        else
            out += value.substr(begin, at - begin);
    }
    return out;
}

void add_json_style(Patterns& patterns, std::string_view value, const JsonStyle& style)
{
    const std::string once = json_escaped(value, style);
    patterns.insert(once);
    patterns.insert(json_escaped(once, {})); // a document within a document
}

void add_json(Patterns& patterns, std::string_view value)
{
    for (const bool ascii_only : {false, true})
        for (const std::string_view harmful : {"", "<>&"})
            for (const bool slash : {false, true})
                for (const char* units : {k_small_units, k_big_units})
                    add_json_style(patterns, value, {harmful, ascii_only, slash, units});
    for (const bool ascii_only : {false, true}) {
        add_json_style(patterns, value, {"<>&'", ascii_only});   // Flask
        add_json_style(patterns, value, {"<>&'\"", ascii_only}); // Newtonsoft's EscapeHtml
        for (const bool slash : {false, true})                   // PHP's JSON_HEX_TAG and its like
            add_json_style(patterns, value, {"<>&'\"", ascii_only, slash, k_big_units, k_small_units});
        for (const char* units : {k_small_units, k_big_units}) { // .NET, in big letters and without the slash
            add_json_style(patterns, value, {"<>&'\"+`", ascii_only, false, units});
            add_json_style(patterns, value, {"<>&'\"+/`", ascii_only, false, units});
        }
    }
    add_json_style(patterns, value, {"<>&'="}); // Gson
}

// ---- shells: 'it'\''s', $'a\nb', it\'s; as `set -x` and printf %q show them

void add_shell(Patterns& patterns, std::string_view value)
{
    patterns.insert(replaced(value, "'", "'\\''"));
    patterns.insert(replaced(value, "'", "'\"'\"'"));
    patterns.insert(each_byte(value, [](unsigned char c) -> std::string {
        switch (c) {
        case '\n': return "\\n";
        case '\t': return "\\t";
        case '\r': return "\\r";
        case '\'': return "\\'";
        case '\\': return "\\\\";
        default: return std::string(1, static_cast<char>(c));
        }
    }));
    constexpr std::string_view k_special = " \t!\"#$&'()*,;<>?[\\]^`{|}~";
    patterns.insert(each_byte(value, [&](unsigned char c) {
        return (k_special.find(static_cast<char>(c)) != std::string_view::npos ? "\\" : "") + std::string(1, static_cast<char>(c));
    }));
    patterns.insert(each_byte(value, [](unsigned char c) { // inside of "…"
        return (std::string_view("\"$`\\").find(static_cast<char>(c)) != std::string_view::npos ? "\\" : "") + std::string(1, static_cast<char>(c));
    }));
}

// ---- all of them

// Shells drop the line ends at the end, so what they print has none.
std::string_view without_line_ends(std::string_view value)
{
    return value.substr(0, value.find_last_not_of("\r\n") + 1);
}

struct LineEnds {
    std::string lf, crlf;
};

LineEnds both_line_ends(std::string_view value)
{
    const std::string lf = replaced(value, "\r\n", "\n");
    return {lf, replaced(lf, "\n", "\r\n")};
}

void add_all_base64(Patterns& patterns, std::string_view value)
{
    const LineEnds lines = both_line_ends(value);
    for (const std::string& text : {std::string(value), lines.lf, lines.crlf})
        if (text.size() <= k_longest_encoded_bytes)
            add_base64(patterns, text);
    // With the line end that files and here-documents leave.
    if (value.size() <= k_longest_encoded_bytes)
        add_base64(patterns, lines.lf + "\n");
}

std::vector<std::string> long_enough(const Patterns& patterns)
{
    std::vector<std::string> list;
    for (const auto& pattern : patterns)
        if (pattern.size() >= k_shortest_masked_bytes)
            list.push_back(pattern);
    return list;
}

} // namespace

std::vector<std::string> mask_patterns(std::string_view value)
{
    value = without_line_ends(value);
    if (value.size() < k_shortest_masked_bytes)
        return {};
    Patterns patterns;
    const LineEnds lines = both_line_ends(value);
    for (const std::string& text : {std::string(value), lines.lf, lines.crlf}) {
        patterns.insert(text);
        if (text.size() > k_longest_encoded_bytes)
            continue;
        add_percent(patterns, text);
        add_json(patterns, text);
        add_shell(patterns, text);
    }
    add_all_base64(patterns, value);
    add_lines(patterns, lines.lf, k_shortest_masked_line_bytes);
    return long_enough(patterns);
}

std::vector<std::string> foldable_patterns(std::string_view value)
{
    value = without_line_ends(value);
    if (value.size() < k_shortest_masked_bytes)
        return {};
    Patterns patterns;
    add_all_base64(patterns, value);
    return long_enough(patterns);
}

} // namespace gantry::runner
