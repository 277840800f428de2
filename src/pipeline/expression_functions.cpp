#include "pipeline/expression_functions.hpp"

#include "base/format.hpp"
#include "pipeline/expression_tree.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace gantry::pipeline {

namespace {

Evaluated text_result(std::string text)
{
    if (text.size() > k_max_text_bytes)
        return failed("the text gets longer than 1 MiB");
    return {Value(std::move(text)), {}};
}

const std::string* as_text(const Value& value) { return std::get_if<std::string>(&value); }

Evaluated contains(const List& arguments)
{
    if (const auto* list = std::get_if<List>(&arguments[0])) {
        const auto is_it = [&](const Value& element) { return loosely_equal(element, arguments[1]); };
        return {Value(std::any_of(list->begin(), list->end(), is_it)), {}};
    }
    if (const auto* object = std::get_if<Object>(&arguments[0]))
        return {Value(object->contains(to_text(arguments[1]))), {}};
    return {Value(to_text(arguments[0]).find(to_text(arguments[1])) != std::string::npos), {}};
}

Evaluated starts_with(const List& arguments)
{
    return {Value(to_text(arguments[0]).starts_with(to_text(arguments[1]))), {}};
}

Evaluated ends_with(const List& arguments)
{
    return {Value(to_text(arguments[0]).ends_with(to_text(arguments[1]))), {}};
}

// The number between the braces at `text[open]`; sets `close` to the offset of `}`. Empty: not a place.
std::optional<std::size_t> place_number(std::string_view text, std::size_t open, std::size_t& close)
{
    close = text.find('}', open);
    if (close == std::string_view::npos)
        return std::nullopt;
    std::size_t number = 0;
    const auto* last = text.data() + close;
    const auto [end, problem] = std::from_chars(text.data() + open + 1, last, number);
    return problem == std::errc() && end == last ? std::optional(number) : std::nullopt;
}

// format('{0} of {1}', a, b); {{ and }} are braces.
Evaluated format(const List& arguments)
{
    const auto* pattern = as_text(arguments[0]);
    if (!pattern)
        return failed("format() needs text as its first argument");
    std::vector<std::string> values;
    for (std::size_t i = 1; i < arguments.size(); ++i)
        values.push_back(to_text(arguments[i]));
    std::string result;
    for (std::size_t i = 0; i < pattern->size() && result.size() <= k_max_text_bytes; ++i) {
        const char c = (*pattern)[i];
        if ((c == '{' || c == '}') && i + 1 < pattern->size() && (*pattern)[i + 1] == c) {
            result += c;
            ++i;
        } else if (c == '{') {
            std::size_t close = 0;
            const auto number = place_number(*pattern, i, close);
            if (!number)
                return failed("format() has a '{' without a number: write {0}, or {{ for a brace");
            if (*number >= values.size())
                return failed(fmt::format("format() uses {{{}}} but has {}", *number, format_count(values.size(), "value")));
            result += values[*number];
            i = close;
        } else if (c == '}') {
            return failed("format() has a '}' without its '{': write }} for a brace");
        } else {
            result += c;
        }
    }
    return text_result(std::move(result));
}

Evaluated join_list(const List& arguments)
{
    const std::string separator = arguments.size() > 1 ? to_text(arguments[1]) : ",";
    const auto* list = std::get_if<List>(&arguments[0]);
    if (!list)
        return text_result(to_text(arguments[0]));
    std::string result;
    for (std::size_t i = 0; i < list->size() && result.size() <= k_max_text_bytes; ++i) {
        if (i > 0)
            result += separator;
        result += to_text((*list)[i]);
    }
    return text_result(std::move(result));
}

Evaluated default_value(const List& arguments)
{
    const auto* text = as_text(arguments[0]);
    const bool absent = arguments[0].is_null() || (text && text->empty());
    return {arguments[absent ? 1 : 0], {}};
}

constexpr auto k_many = std::numeric_limits<std::size_t>::max();

constexpr std::array k_functions = {
    Function{"always", 0, 0, "always()", nullptr},
    Function{"cancelled", 0, 0, "cancelled()", nullptr},
    Function{"contains", 2, 2, "contains(text or list, part)", contains},
    Function{"default", 2, 2, "default(value, instead)", default_value},
    Function{"endsWith", 2, 2, "endsWith(text, end)", ends_with},
    Function{"failure", 0, 0, "failure()", nullptr},
    Function{"format", 1, k_many, "format('{0} of {1}', first, second)", format},
    Function{"hashFiles", 1, k_many, "hashFiles(glob, …)", nullptr},
    Function{"join", 1, 2, "join(list, separator)", join_list},
    Function{"startsWith", 2, 2, "startsWith(text, start)", starts_with},
    Function{"success", 0, 0, "success()", nullptr},
};

nlohmann::json to_json_value(const Value& value)
{
    if (const auto* flag = std::get_if<bool>(&value))
        return *flag;
    if (const auto* number = std::get_if<double>(&value)) {
        if (*number == std::floor(*number) && std::abs(*number) < 1e15)
            return static_cast<std::int64_t>(*number);
        return *number;
    }
    if (const auto* text = std::get_if<std::string>(&value))
        return *text;
    if (const auto* list = std::get_if<List>(&value)) {
        auto array = nlohmann::json::array();
        for (const auto& element : *list)
            array.push_back(to_json_value(element));
        return array;
    }
    if (const auto* object = std::get_if<Object>(&value)) {
        auto result = nlohmann::json::object();
        for (const auto& [key, element] : *object)
            result[key] = to_json_value(element);
        return result;
    }
    return nullptr;
}

} // namespace

Evaluated failed(std::string error) { return {std::nullopt, std::move(error)}; }

const Function* find_function(std::string_view name)
{
    const auto found = std::find_if(k_functions.begin(), k_functions.end(),
                                    [&](const Function& function) { return function.name == name; });
    return found == k_functions.end() ? nullptr : &*found;
}

const std::vector<std::string>& function_names()
{
    static const auto names = [] {
        std::vector<std::string> result;
        for (const auto& function : k_functions)
            result.emplace_back(function.name);
        return result;
    }();
    return names;
}

std::optional<double> as_number(const Value& value)
{
    if (const auto* number = std::get_if<double>(&value))
        return *number;
    const auto* text = as_text(value);
    if (!text || text->empty())
        return std::nullopt;
    double number = 0;
    const auto* last = text->data() + text->size();
    const auto [end, problem] = std::from_chars(text->data(), last, number);
    if (problem != std::errc() || end != last || !std::isfinite(number))
        return std::nullopt;
    return number;
}

bool loosely_equal(const Value& left, const Value& right)
{
    if (left.index() == right.index())
        return left == right;
    if (left.is_null() || right.is_null()) {
        const auto* text = as_text(left.is_null() ? right : left);
        return text && text->empty();
    }
    const auto* flag = std::get_if<bool>(&left) ? std::get_if<bool>(&left) : std::get_if<bool>(&right);
    if (flag) {
        const auto* text = as_text(left) ? as_text(left) : as_text(right);
        return text && *text == (*flag ? "true" : "false");
    }
    const auto left_number = as_number(left);
    const auto right_number = as_number(right);
    return left_number && right_number && *left_number == *right_number;
}

std::string_view type_name(const Value& value)
{
    constexpr std::array<std::string_view, 6> k_names = {"null", "a boolean", "a number", "text", "a list", "an object"};
    return k_names[value.index()];
}

bool truthy(const Value& value)
{
    if (value.is_null())
        return false;
    if (const auto* flag = std::get_if<bool>(&value))
        return *flag;
    if (const auto* number = std::get_if<double>(&value))
        return *number != 0;
    const auto* text = as_text(value);
    return !text || !text->empty();
}

std::string to_text(const Value& value)
{
    if (value.is_null())
        return {};
    if (const auto* flag = std::get_if<bool>(&value))
        return *flag ? "true" : "false";
    if (const auto* number = std::get_if<double>(&value)) {
        if (*number == std::floor(*number) && std::abs(*number) < 1e15)
            return fmt::format("{}", static_cast<std::int64_t>(*number));
        return fmt::format("{}", *number);
    }
    if (const auto* text = as_text(value))
        return *text;
    return to_json_value(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace gantry::pipeline
