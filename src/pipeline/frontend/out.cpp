#include "pipeline/frontend/out.hpp"

#include "base/format.hpp"
#include "pipeline/frontend/reader.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::pipeline::native {

Out::Out(double value) : kind(Kind::number), text(fmt::format("{}", value)) {}

Out Out::list(std::vector<Out> items)
{
    Out out;
    out.kind = Kind::list;
    out.items = std::move(items);
    return out;
}

Out Out::map(std::vector<std::pair<std::string, Out>> pairs)
{
    Out out;
    out.kind = Kind::map;
    out.pairs = std::move(pairs);
    return out;
}

Out& Out::add(Out item)
{
    items.push_back(std::move(item));
    return *this;
}

Out& Out::set(std::string key, Out value)
{
    if (Out* found = find(key))
        *found = std::move(value);
    else
        pairs.emplace_back(std::move(key), std::move(value));
    return *this;
}

Out* Out::find(std::string_view key)
{
    const auto found = std::find_if(pairs.begin(), pairs.end(), [&](const auto& pair) { return pair.first == key; });
    return found == pairs.end() ? nullptr : &found->second;
}

namespace {

// Double quotes as both JSON and YAML read them.
std::string in_quotes(std::string_view text)
{
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            (out += '\\') += c;
        else if (c == '\n')
            out += "\\n";
        else if (c == '\t')
            out += "\\t";
        else if (byte < 0x20 || byte == 0x7f)
            out += fmt::format("\\u{:04x}", byte);
        else
            out += c;
    }
    return out += '"';
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Only what nobody can misread stays without quotes, also readers of YAML 1.1 and within [ ].
bool is_plain_safe(std::string_view text)
{
    constexpr std::string_view k_first = "_/.$";
    constexpr std::string_view k_inner = " _-./+@=:$();<>|&!'*";
    if (text.empty() || text.back() == ' ' || text.back() == ':')
        return false;
    if (is_digit(text.front())) // 30m, but not 12, 1e3 or 0x10
        return is_letter(text.back()) && !is_core_number(text) &&
               std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || is_letter(c); });
    if (!is_letter(text.front()) && k_first.find(text.front()) == std::string_view::npos)
        return false;
    const auto is_safe = [&](char c) { return is_letter(c) || is_digit(c) || k_inner.find(c) != std::string_view::npos; };
    if (!std::all_of(text.begin(), text.end(), is_safe) || text.find(": ") != std::string_view::npos || is_core_number(text))
        return false;
    constexpr std::string_view k_words[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
    return std::none_of(std::begin(k_words), std::end(k_words), [&](std::string_view word) {
        return std::equal(word.begin(), word.end(), text.begin(), text.end(), [](char a, char b) { return a == (b | 0x20); });
    });
}

// A text that a literal block (`|`) gives back exactly and that people want to see line by line.
bool is_block_safe(std::string_view text)
{
    if (text.find('\n') == std::string_view::npos || text.front() == '\n' || text.front() == ' ' || text.front() == '\t')
        return false;
    for (std::size_t start = 0; start < text.size();) { // no line of blanks alone: its blanks would be lost
        const auto line = text.substr(start, text.find('\n', start) - start);
        if (!line.empty() && line.find_first_not_of(' ') == std::string_view::npos)
            return false;
        start += line.size() + 1;
    }
    return std::none_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\n') || byte == 0x7f;
    });
}

void yaml_scalar(const Out& out, int indent, std::string& to)
{
    if (out.kind == Out::Kind::null) {
        to += " null\n";
    } else if (out.kind != Out::Kind::text || is_plain_safe(out.text)) {
        to += ' ' + out.text + '\n';
    } else if (is_block_safe(out.text)) {
        const auto last = out.text.find_last_not_of('\n');
        const auto newlines = out.text.size() - last - 1;
        to += newlines == 0 ? " |-\n" : newlines == 1 ? " |\n" : " |+\n";
        for (std::size_t start = 0; start < out.text.size();) {
            const auto end = std::min(out.text.find('\n', start), out.text.size());
            if (end > start)
                to += std::string(static_cast<std::size_t>(indent), ' ') + out.text.substr(start, end - start);
            to += '\n';
            start = end + 1;
        }
    } else {
        to += ' ' + in_quotes(out.text) + '\n';
    }
}

bool is_flow(const Out& out)
{
    const auto short_scalar = [](const Out& item) {
        return item.kind != Out::Kind::map && item.kind != Out::Kind::list && item.text.size() < 40;
    };
    return out.kind == Out::Kind::list && out.items.size() <= 6 && std::all_of(out.items.begin(), out.items.end(), short_scalar);
}

void yaml_flow(const Out& list, std::string& to)
{
    to += " [";
    for (std::size_t i = 0; i < list.items.size(); ++i) {
        const auto& item = list.items[i];
        const bool bare = item.kind != Out::Kind::text || is_plain_safe(item.text);
        to += (i > 0 ? ", " : "") + (bare ? item.text : in_quotes(item.text));
    }
    to += "]\n";
}

void yaml_map(const Out& map, int indent, std::string& to);

// What stands behind a key or a dash, with its leading blank or newline.
void yaml_value(const Out& out, int indent, std::string& to)
{
    if (out.kind == Out::Kind::map && out.pairs.empty()) {
        to += " {}\n";
    } else if (out.kind == Out::Kind::map) {
        to += '\n';
        yaml_map(out, indent, to);
    } else if (is_flow(out)) {
        yaml_flow(out, to);
    } else if (out.kind == Out::Kind::list) {
        to += '\n';
        for (const auto& item : out.items) {
            to += std::string(static_cast<std::size_t>(indent), ' ') + '-';
            if (item.kind == Out::Kind::map && !item.pairs.empty()) {
                std::string inner;
                yaml_map(item, indent + 2, inner);
                to += ' ' + inner.substr(static_cast<std::size_t>(indent) + 2);
            } else {
                yaml_value(item, indent + 2, to);
            }
        }
    } else {
        yaml_scalar(out, indent, to);
    }
}

void yaml_map(const Out& map, int indent, std::string& to)
{
    for (const auto& [key, value] : map.pairs) {
        to += std::string(static_cast<std::size_t>(indent), ' ') + (is_plain_safe(key) || key == "on" ? key : in_quotes(key)) + ':';
        yaml_value(value, indent + 2, to);
    }
}

void json_value(const Out& out, int indent, std::string& to)
{
    const bool is_map = out.kind == Out::Kind::map;
    if (!is_map && out.kind != Out::Kind::list) {
        to += out.kind == Out::Kind::null ? "null" : out.kind == Out::Kind::text ? in_quotes(out.text) : out.text;
        return;
    }
    const auto count = is_map ? out.pairs.size() : out.items.size();
    const std::string pad(static_cast<std::size_t>(indent) + 2, ' ');
    to += is_map ? '{' : '[';
    for (std::size_t i = 0; i < count; ++i) {
        to += (i > 0 ? ",\n" : "\n") + pad;
        if (is_map)
            to += in_quotes(out.pairs[i].first) + ": ";
        json_value(is_map ? out.pairs[i].second : out.items[i], indent + 2, to);
    }
    if (count > 0)
        to += '\n' + std::string(static_cast<std::size_t>(indent), ' ');
    to += is_map ? '}' : ']';
}

} // namespace

std::string print_json(const Out& tree)
{
    std::string text;
    json_value(tree, 0, text);
    return text += '\n';
}

std::string print_yaml(const Out& map)
{
    std::string text;
    yaml_map(map, 0, text);
    return text;
}

} // namespace gantry::pipeline::native
