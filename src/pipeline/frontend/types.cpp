#include "pipeline/frontend/types.hpp"

#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace gantry::pipeline::native {

namespace {

Out types_schema(std::vector<Out> types) { return Out::map({{"type", Out::list(std::move(types))}}); }

constexpr std::size_t k_max_name_bytes = 128;

} // namespace

// ---- text

bool StringType::read(Reader& reader, const Node& node, Value& value)
{
    auto text = reader.string(node);
    if (!text || !reader.is_fixed(node, *text))
        return false;
    value = std::move(*text);
    return true;
}

Out StringType::schema(SchemaBuilder&) { return types_schema({"string", "number"}); }

bool ScalarType::read(Reader& reader, const Node& node, Value& value)
{
    auto text = reader.scalar(node);
    if (!text || !reader.is_fixed(node, *text))
        return false;
    value = std::move(*text);
    return true;
}

Out ScalarType::schema(SchemaBuilder&) { return types_schema({"string", "number", "boolean"}); }

bool NameType::read(Reader& reader, const Node& node, Value& value)
{
    if (!StringType::read(reader, node, value))
        return false;
    const bool is_plain = terminal_safe(value) == value;
    if (!value.empty() && is_plain && value.size() <= k_max_name_bytes)
        return true;
    reader.error(node, "bad-value", value.empty() ? "a name cannot be empty"
                 : !is_plain ? std::string("a name is one line of text, without control characters")
                             : fmt::format("a name has at most {} bytes", k_max_name_bytes));
    return false;
}

Out NameType::schema(SchemaBuilder&)
{
    return Out::map({{"type", Out::list({"string", "number"})}, {"minLength", Out(1)}, {"maxLength", Out(static_cast<int>(k_max_name_bytes))}});
}

bool TextType::read(Reader& reader, const Node& node, Value& value)
{
    auto text = reader.text(node);
    if (text)
        value = std::move(*text);
    return text.has_value();
}

Out TextType::schema(SchemaBuilder&) { return types_schema({"string", "number"}); }

bool FilledTextType::read(Reader& reader, const Node& node, Value& value)
{
    if (!TextType::read(reader, node, value))
        return false;
    if (!value.empty())
        return true;
    reader.error(node, "bad-value", "this cannot be empty");
    return false;
}

Out FilledTextType::schema(SchemaBuilder&)
{
    return Out::map({{"type", Out::list({"string", "number"})}, {"minLength", Out(1)}});
}

bool AnyTextType::read(Reader& reader, const Node& node, Value& value)
{
    auto text = reader.text(node, true);
    if (text)
        value = std::move(*text);
    return text.has_value();
}

Out AnyTextType::schema(SchemaBuilder&) { return types_schema({"string", "number", "boolean"}); }

bool ConditionType::read(Reader& reader, const Node& node, Value& value)
{
    auto text = reader.condition(node);
    if (text)
        value = std::move(*text);
    return text.has_value();
}

Out ConditionType::schema(SchemaBuilder&)
{
    return Out::map({{"type", Out::list({"string", "number", "boolean"})}, {"minLength", Out(1)}, {"examples", Out::list({"${{ branch == 'main' }}"})}});
}

// ---- numbers and their like

bool BooleanType::read(Reader& reader, const Node& node, Value& value)
{
    const auto read = reader.boolean(node);
    value = read.value_or(false);
    return read.has_value();
}

Out BooleanType::schema(SchemaBuilder&) { return Out::map({{"type", Out("boolean")}}); }

Out integer_schema(std::int64_t least, std::int64_t most)
{
    Out schema = Out::map({{"type", Out("integer")}, {"minimum", Out(least)}});
    if (most != INT64_MAX)
        schema.set("maximum", Out(most));
    return schema;
}

bool DurationType::read(Reader& reader, const Node& node, Value& value)
{
    if (!node.is_scalar()) {
        reader.wrong_type(node, "a duration", "write 90s, 10m or 1h30m");
        return false;
    }
    const auto duration = parse_duration(node.text);
    value = duration.value_or(Duration{0});
    if (!duration)
        reader.error(node, "bad-value", fmt::format("'{}' is not a duration", clip(node.text)), "write 90s, 10m or 1h30m");
    return duration.has_value();
}

Out DurationType::write(Value value) { return print_duration(value); }

Out DurationType::schema(SchemaBuilder&)
{
    return Out::map({{"type", Out("string")}, {"pattern", Out(R"(^(([0-9]+(\.[0-9]+)?|\.[0-9]+)(ns|us|µs|ms|s|m|h|d))+$)")},
                     {"examples", Out::list({"90s", "10m", "1h30m"})}});
}

bool TimeLimitType::read(Reader& reader, const Node& node, Value& value)
{
    if (!DurationType::read(reader, node, value))
        return false;
    const bool lasts = value > Duration{0};
    if (!lasts)
        reader.error(node, "bad-value", fmt::format("'{}' leaves no time at all", clip(node.text)), "for no limit, leave it out; else write 90s, 10m or 1h30m");
    return lasts;
}

bool SizeType::read(Reader& reader, const Node& node, Value& value)
{
    if (!node.is_scalar()) {
        reader.wrong_type(node, "a size", "write 512m or 1g");
        return false;
    }
    const auto size = parse_size(node.text);
    value = size.value_or(0);
    if (!size)
        reader.error(node, "bad-value", fmt::format("'{}' is not a size", clip(node.text)), "write 512m or 1g");
    return size.has_value();
}

Out SizeType::write(Value value)
{
    for (const auto& [unit, shift] : {std::pair{'g', 30}, std::pair{'m', 20}, std::pair{'k', 10}})
        if (value > 0 && value % (1ull << shift) == 0)
            return fmt::format("{}{}", value >> shift, unit);
    return fmt::format("{}b", value);
}

Out SizeType::schema(SchemaBuilder&)
{
    return either_schema({Out::map({{"type", Out("integer")}, {"minimum", Out(0)}}),
                          Out::map({{"type", Out("string")}, {"pattern", Out(R"(^([0-9]+(\.[0-9]+)?|\.[0-9]+)([bB]|[kKmMgGtTpP]([iI]?[bB])?)?$)")},
                                    {"examples", Out::list({"512m", "1g"})}})});
}

bool FileModeType::read(Reader& reader, const Node& node, Value& value)
{
    constexpr std::int64_t k_most = 07777;
    const bool octal = node.is_scalar() && !node.text.empty() && node.text.find_first_not_of("01234567") == std::string::npos &&
                       (!node.is_plain() || node.text[0] == '0');
    if (!octal) {
        const auto number = reader.integer(node, {0, k_most});
        value = static_cast<Value>(number.value_or(0));
        return number.has_value();
    }
    const auto [end, status] = std::from_chars(node.text.data(), node.text.data() + node.text.size(), value, 8);
    const bool fits = status == std::errc() && value <= k_most;
    if (!fits)
        reader.error(node, "bad-value", fmt::format("{} is out of range", clip(node.text)), "from 0 to 0o7777");
    return fits;
}

Out FileModeType::write(Value value) { return static_cast<std::int64_t>(value); }

Out FileModeType::schema(SchemaBuilder&)
{
    Out octal = Out::map({{"type", Out("string")}, {"pattern", Out("^0*[0-7]{1,4}$")}, {"examples", Out::list({"0640"})}});
    return either_schema({integer_schema(0, 07777), std::move(octal)});
}

bool CpusType::read(Reader& reader, const Node& node, Value& value)
{
    constexpr double k_least = 0.01; // of Docker
    const bool number = node.is_scalar() && is_core_number(node.text);
    const char* end = number ? node.text.data() + node.text.size() : nullptr;
    const auto parsed = number ? std::from_chars(node.text.data(), end, value) : std::from_chars_result{};
    const bool good = number && parsed.ec == std::errc() && parsed.ptr == end && std::isfinite(value) && value > 0 && value <= 1e6;
    if (good && value >= k_least)
        return true;
    if (good)
        reader.error(node, "bad-value", fmt::format("{} is less of a CPU than a container can have", clip(node.text)), "write 0.01 or more");
    else if (node.is_scalar())
        reader.error(node, "bad-value", fmt::format("'{}' is not a number of CPUs", clip(node.text)), "write 0.5 or 2");
    else
        reader.wrong_type(node, "a number of CPUs", "write 0.5 or 2");
    return false;
}

Out CpusType::write(Value value) { return value; }

Out CpusType::schema(SchemaBuilder&)
{
    return either_schema({Out::map({{"type", Out("number")}, {"minimum", Out(0.01)}, {"maximum", Out(1000000)}}),
                          Out::map({{"type", Out("string")}, {"pattern", Out(R"(^[0-9]*\.?[0-9]+$)")}, {"examples", Out::list({"0.5"})}})});
}

// ---- words

std::optional<std::size_t> read_word(Reader& reader, const Node& node, const Words& list)
{
    if (!node.is_scalar()) {
        reader.wrong_type(node, list.what);
        return std::nullopt;
    }
    const auto& words = list.words;
    const auto found = std::find_if(words.begin(), words.end(), [&](const char* word) { return node.text == word; });
    if (found != words.end())
        return static_cast<std::size_t>(found - words.begin());
    if (reader.is_full())
        return std::nullopt;
    std::vector<std::string> names(words.begin(), words.end());
    std::erase(names, ""); // what an absent key says
    const auto near = node.text.size() <= 40 ? nearest(node.text, names) : std::nullopt;
    reader.error(node, "bad-value", fmt::format("'{}' is not {}", clip(node.text), list.what),
                 near                ? fmt::format("did you mean '{}'?", *near)
                 : names.size() == 1 ? fmt::format("write {}, or leave it out", names[0])
                                     : "one of: " + join(names, ", "));
    return std::nullopt;
}

Out words_schema(const Words& words)
{
    return Out::map({{"enum", Out::list({words.words.begin(), words.words.end()})}});
}

// ---- composites

Out list_schema(Out item) { return Out::map({{"type", Out("array")}, {"items", std::move(item)}}); }

Out map_schema(Out value) { return Out::map({{"type", Out("object")}, {"additionalProperties", std::move(value)}}); }

Out either_schema(std::vector<Out> choices) { return Out::map({{"anyOf", Out::list(std::move(choices))}}); }

} // namespace gantry::pipeline::native
