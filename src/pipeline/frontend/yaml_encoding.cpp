#include "pipeline/frontend/yaml_problems.hpp"
#include "pipeline/frontend/yaml_tree.hpp"

#include "base/utf8.hpp"
#include "pipeline/line_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace gantry::pipeline::native {

namespace {

bool is_forbidden(unsigned char c) { return c == 0x7f || (c < 0x20 && c != '\t' && c != '\n' && c != '\r'); }

// Characters beyond ASCII that YAML has no place for: the controls U+0080 to U+009F but NEL, U+FFFE and U+FFFF.
std::size_t first_forbidden_character(std::string_view text)
{
    for (std::size_t at = 0; (at = text.find_first_of("\xc2\xef", at)) != std::string_view::npos; ++at) {
        const auto two = text.substr(at + 1, 2);
        const auto second = static_cast<unsigned char>(two.substr(0, 1).empty() ? '\0' : two[0]);
        if (text[at] == '\xc2' ? second < 0xa0 && second != 0x85 : two == "\xbf\xbe" || two == "\xbf\xbf")
            return at;
    }
    return std::string_view::npos;
}

std::size_t first_invalid_utf8(std::string_view text)
{
    // Lines are checked one by one, so the answer is exact to the line's first bad byte at a linear price.
    for (std::size_t start = 0; start < text.size();) {
        const auto end = std::min(text.find('\n', start), text.size() - 1) + 1;
        const auto line = text.substr(start, end - start);
        if (!is_utf8(line)) {
            auto rest = line;
            while (const auto character = first_character(rest))
                rest.remove_prefix(character->bytes);
            return end - rest.size();
        }
        start = end;
    }
    return std::string_view::npos;
}

std::size_t first_long_line(std::string_view text)
{
    for (std::size_t start = 0; start < text.size();) {
        const auto end = std::min(text.find('\n', start), text.size());
        if (end - start > k_max_line_bytes)
            return start;
        start = end + 1;
    }
    return std::string_view::npos;
}

// libyaml compares each of these directives with all before it.
constexpr std::size_t k_max_tag_directives = 16;

// The first %TAG beyond them. It stands at the start of a line, and lines end with whatever YAML 1.1 has for that.
std::size_t first_surplus_tag_directive(std::string_view text)
{
    constexpr std::string_view k_breaks[] = {"\n", "\r", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find("%TAG", at)) != std::string_view::npos; ++at) {
        const auto before = text.substr(0, at);
        const bool starts_line = at == 0 || std::any_of(std::begin(k_breaks), std::end(k_breaks),
                                                        [&](std::string_view end) { return before.ends_with(end); });
        if (starts_line && ++count > k_max_tag_directives)
            return at;
    }
    return std::string_view::npos;
}

bool looks_like_utf16(std::string_view text)
{
    if (text.size() < 2)
        return false;
    const auto is_zero = [&](std::size_t at) { return at < text.size() && text[at] == '\0'; };
    const auto starts = text.substr(0, 2);
    return starts == "\xff\xfe" || starts == "\xfe\xff" || (is_zero(0) && is_zero(2) && !is_zero(1)) ||
           (is_zero(1) && is_zero(3) && !is_zero(0));
}

} // namespace

bool check_encoding(const SourceFile& file, int file_index, Diagnostics& diagnostics)
{
    const std::string_view text = file.text;
    const auto refuse = [&](std::string code, std::size_t offset, std::string message, std::string hint) {
        diagnostics.push_back({Severity::error, std::move(code), std::move(message),
                               LineIndex(text).mark(file_index, offset), 1, "", std::move(hint)});
        return false;
    };
    if (text.size() > k_max_text_bytes)
        return refuse("limit", 0, fmt::format("the file has {} bytes; at most {} are read", text.size(), k_max_text_bytes),
                      "move scripts into files of their own");
    if (const auto line = first_long_line(text); line != std::string_view::npos)
        return refuse("limit", line, fmt::format("this line is longer than {} bytes", k_max_line_bytes),
                      "put it into a file of its own, or break the line");
    if (looks_like_utf16(text))
        return refuse("encoding", 0, "the file is UTF-16", "save it as UTF-8");
    const auto control = std::find_if(text.begin(), text.end(), is_forbidden);
    if (control != text.end()) {
        const auto code = static_cast<unsigned>(static_cast<unsigned char>(*control));
        return refuse("encoding", static_cast<std::size_t>(control - text.begin()),
                      fmt::format("the control character 0x{:02x} cannot stand here", code),
                      code == 0 ? "this looks like a binary file" : "in double quotes, write it as \\x" + fmt::format("{:02x}", code));
    }
    if (const auto bad = first_invalid_utf8(text); bad != std::string_view::npos)
        return refuse("encoding", bad, fmt::format("the byte 0x{:02x} is not UTF-8", static_cast<unsigned char>(text[bad])),
                      "save the file as UTF-8");
    if (const auto at = first_forbidden_character(text); at != std::string_view::npos) {
        const unsigned code = text[at] == '\xc2' ? static_cast<unsigned char>(text[at + 1])
                                                 : 0xff00U + static_cast<unsigned char>(text[at + 2]) + 0x40U;
        return refuse("encoding", at, fmt::format("the character U+{:04X} cannot stand here", code),
                      fmt::format("in double quotes, write it as \\u{:04x}", code));
    }
    if (const auto at = first_surplus_tag_directive(text); at != std::string_view::npos)
        return refuse("limit", at, fmt::format("the file has more than {} lines of %TAG", k_max_tag_directives),
                      "remove them: nothing here has a tag that would need one");
    return true;
}

} // namespace gantry::pipeline::native
