#include "pipeline/frontend/reader.hpp"

#include "pipeline/expression.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace gantry::pipeline::native {

namespace {

std::string_view kind_of(const Node& node)
{
    switch (node.kind) {
    case Node::Kind::null: return "nothing";
    case Node::Kind::list: return "a list";
    case Node::Kind::map: return "a map";
    case Node::Kind::scalar: break;
    }
    if (node.is_plain() && is_core_boolean(node.text))
        return "a boolean";
    return node.is_plain() && is_core_number(node.text) ? "a number" : "text";
}

bool all(std::string_view text, bool (*is)(char)) { return !text.empty() && std::all_of(text.begin(), text.end(), is); }

} // namespace

std::optional<bool> loose_boolean(std::string_view text)
{
    constexpr std::size_t k_longest = 5;
    const auto word = text.size() <= k_longest ? to_lower(text) : std::string();
    if (word == "true" || word == "yes" || word == "on" || word == "y")
        return true;
    if (word == "false" || word == "no" || word == "off" || word == "n")
        return false;
    return std::nullopt;
}

bool is_core_boolean(std::string_view text)
{
    return text == "true" || text == "True" || text == "TRUE" || text == "false" || text == "False" || text == "FALSE";
}

bool is_core_number(std::string_view text)
{
    if (text.substr(0, 2) == "0x")
        return all(text.substr(2), [](char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); });
    if (text.substr(0, 2) == "0o")
        return all(text.substr(2), [](char c) { return c >= '0' && c <= '7'; });
    if (!text.empty() && (text.front() == '-' || text.front() == '+'))
        text.remove_prefix(1);
    if (text == ".inf" || text == ".Inf" || text == ".INF" || text == ".nan" || text == ".NaN" || text == ".NAN")
        return true;
    const auto mantissa = text.substr(0, text.find_first_of("eE"));
    const auto point = mantissa.find('.');
    const auto whole = mantissa.substr(0, point);
    const auto fraction = point == std::string_view::npos ? std::string_view{} : mantissa.substr(point + 1);
    if ((whole.empty() && fraction.empty()) || (!whole.empty() && !all(whole, is_digit)) ||
        (!fraction.empty() && !all(fraction, is_digit)))
        return false;
    if (mantissa.size() == text.size())
        return true;
    auto exponent = text.substr(mantissa.size() + 1);
    if (!exponent.empty() && (exponent.front() == '-' || exponent.front() == '+'))
        exponent.remove_prefix(1);
    return all(exponent, is_digit);
}

std::string Reader::path() const
{
    std::string path;
    for (const auto& segment : path_) {
        if (segment.index >= 0)
            path += fmt::format("[{}]", segment.index);
        else
            path += (path.empty() ? "" : ".") + clip(segment.key);
    }
    return path;
}

bool Reader::count_object(const Node& node)
{
    if (++objects_ <= k_max_objects)
        return true;
    if (objects_ == k_max_objects + 1)
        error(node, "limit", fmt::format("more than {} stages, steps and services", k_max_objects));
    return false;
}

std::string_view Reader::file_text(const Node& node) const
{
    return sources_[static_cast<std::size_t>(node.mark.file)].text;
}

void Reader::add(Diagnostic diagnostic)
{
    // A node that aliases lead to is read more than once; what is wrong with it is said once.
    const auto same = [&](const Diagnostic& other) {
        return other.mark.line == diagnostic.mark.line && other.mark.column == diagnostic.mark.column &&
               other.mark.file == diagnostic.mark.file && other.message == diagnostic.message;
    };
    if (is_full() || std::any_of(diagnostics_.begin(), diagnostics_.end(), same))
        return;
    if (diagnostics_.size() == k_max_diagnostics) {
        diagnostic.code = "limit";
        diagnostic.message = fmt::format("more than {} problems; the rest is not shown", k_max_diagnostics);
        diagnostic.hint.clear();
    }
    diagnostics_.push_back(std::move(diagnostic));
}

void Reader::error(const Node& at, std::string code, std::string message, std::string hint, std::string about)
{
    if (!is_full() && !is_told(at))
        add({Severity::error, std::move(code), std::move(message), at.mark, extent(at, file_text(at)), path(), std::move(hint),
             std::move(about)});
}

void Reader::warning(const Node& at, std::string code, std::string message, std::string hint)
{
    if (!is_full())
        add({Severity::warning, std::move(code), std::move(message), at.mark, extent(at, file_text(at)), path(), std::move(hint)});
}

void Reader::error_inside(const Node& scalar, std::size_t offset, std::string code, std::string message, std::string hint)
{
    if (!is_full() && !is_told(scalar))
        add({Severity::error, std::move(code), std::move(message), mark_inside(scalar, offset), 1, path(), std::move(hint)});
}

void Reader::warn_inside(const Node& scalar, std::size_t offset, std::string code, std::string message, std::string hint)
{
    if (!is_full())
        add({Severity::warning, std::move(code), std::move(message), mark_inside(scalar, offset), 1, path(), std::move(hint)});
}

void Reader::wrong_type(const Node& node, std::string_view expected, std::string hint)
{
    const auto subject = path_.empty()              ? std::string("this")
                         : path_.back().index >= 0 ? std::string("an item of this list")
                                                   : "'" + clip(path_.back().key) + "'";
    error(node, "wrong-type", fmt::format("{} must be {}, not {}", subject, expected, kind_of(node)), std::move(hint));
}

bool Reader::has_no_nul(const Node& node)
{
    if (node.text.find('\0') == std::string::npos)
        return true;
    error(node, "bad-value", "a NUL character cannot be part of a value");
    return false;
}

std::optional<std::string> Reader::scalar(const Node& node)
{
    if (!node.is_scalar()) {
        const bool is_secret = node.is_map() && node.find("from_secret"); // as Woodpecker and Drone have it
        wrong_type(node, "text", node.is_null() ? "write \"\" for empty text" : is_secret ? "write secrets: { VARIABLE: NAME } in the step" : "");
        return std::nullopt;
    }
    return has_no_nul(node) ? std::optional(node.text) : std::nullopt;
}

std::optional<std::string> Reader::string(const Node& node)
{
    if (scalars_ == Scalars::strict && node.is_plain() && is_core_boolean(node.text)) {
        wrong_type(node, "text", fmt::format("write \"{}\" if the word is meant", node.text));
        return std::nullopt;
    }
    return scalar(node);
}

std::optional<bool> Reader::boolean(const Node& node)
{
    if (node.is_plain() && is_core_boolean(node.text))
        return (node.text.front() | 0x20) == 't';
    const auto meant = node.is_scalar() ? loose_boolean(node.text) : std::nullopt;
    if (scalars_ == Scalars::loose && meant)
        return meant;
    std::string hint = "write true or false";
    if (meant)
        hint = fmt::format("write {}{}", *meant, is_core_boolean(node.text) ? ", without quotes" : "");
    else if (node.text == "1" || node.text == "0")
        hint = node.text == "1" ? "write true" : "write false";
    if (node.is_scalar())
        error(node, "wrong-type", fmt::format("'{}' is not a boolean", clip(node.text)), hint);
    else
        wrong_type(node, "true or false");
    return std::nullopt;
}

std::optional<std::int64_t> Reader::integer(const Node& node, Range range)
{
    if (!node.is_scalar()) {
        wrong_type(node, "a whole number");
        return std::nullopt;
    }
    std::string_view digits = node.text;
    const int base = digits.substr(0, 2) == "0x" ? 16 : digits.substr(0, 2) == "0o" ? 8 : 10;
    digits.remove_prefix(base != 10 ? 2 : digits.substr(0, 1) == "+" ? 1 : 0);
    std::int64_t value = 0;
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    const bool is_number = is_core_number(node.text) && end == digits.data() + digits.size();
    if (!is_number || !(node.is_plain() || scalars_ == Scalars::loose)) {
        error(node, "wrong-type", fmt::format("'{}' is not a whole number", clip(node.text)),
              is_number ? "write it without quotes" : "");
        return std::nullopt;
    }
    if (status != std::errc() || value < range.least || value > range.most) {
        error(node, "bad-value", fmt::format("{} is out of range", clip(node.text)),
              range.most == INT64_MAX ? fmt::format("at least {}", range.least)
                                      : fmt::format("from {} to {}", range.least, range.most));
        return std::nullopt;
    }
    return value;
}

bool Reader::is_fixed(const Node& node, std::string_view text)
{
    const auto at = text.find("${{");
    if (at == std::string_view::npos)
        return true;
    error(node, "expression", "'${{ }}' is not computed here", "write the value itself");
    return false;
}

} // namespace gantry::pipeline::native
