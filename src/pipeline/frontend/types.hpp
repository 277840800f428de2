#pragma once

#include "pipeline/frontend/keys.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// The types of values. Each is a struct with
//   Value                        what it fills
//   bool read(Reader&, const Node&, Value&)   false: nothing usable; every problem has been reported
//   Out write(const Value&)      what read() gives the same value for
//   Out schema(SchemaBuilder&)   what read() takes, in JSON Schema

namespace gantry::pipeline::native {

// ---- scalars

struct StringType { // text or a number; no `${{ }}`
    using Value = std::string;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value) { return value; }
    static Out schema(SchemaBuilder& builder);
};

struct ScalarType : StringType { // any scalar, as it stands in the file
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct NameType : StringType { // of a stage, step, cache, …: not empty, one line
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct TextType { // text or a number, with `${{ }}`
    using Value = Text;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value) { return value.source(); }
    static Out schema(SchemaBuilder& builder);
};

struct FilledTextType : TextType { // and not empty
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct AnyTextType : TextType { // any scalar, with `${{ }}`: values of variables, scripts
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct ConditionType : TextType {
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct BooleanType {
    using Value = bool;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(Value value) { return value; }
    static Out schema(SchemaBuilder& builder);
};

Out integer_schema(std::int64_t least, std::int64_t most);

template <class Number, std::int64_t Least, std::int64_t Most = INT64_MAX> struct IntegerType {
    using Value = Number;
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        const auto number = reader.integer(node, {Least, Most});
        value = static_cast<Value>(number.value_or(0));
        return number.has_value();
    }
    static Out write(Value value) { return static_cast<std::int64_t>(value); }
    static Out schema(SchemaBuilder&) { return integer_schema(Least, Most); }
};

struct DurationType {
    using Value = Duration;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(Value value);
    static Out schema(SchemaBuilder& builder);
};

struct TimeLimitType : DurationType { // more than nothing
    static bool read(Reader& reader, const Node& node, Value& value);
};

struct SizeType { // bytes: 512m, 1g, 1024
    using Value = std::uint64_t;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(Value value);
    static Out schema(SchemaBuilder& builder);
};

struct FileModeType { // 0o640, 0640, "640"; without quotes and a zero in front it is a decimal number, as anywhere in YAML
    using Value = std::uint32_t;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(Value value);
    static Out schema(SchemaBuilder& builder);
};

struct CpusType {
    using Value = double;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(Value value);
    static Out schema(SchemaBuilder& builder);
};

// ---- one of a few words

struct Words {
    std::vector<const char*> words;
    const char* what; // "a pull policy"
};
// The index of the word; nothing after an error with the nearest word as hint.
std::optional<std::size_t> read_word(Reader& reader, const Node& node, const Words& words);
Out words_schema(const Words& words);

template <const Words& List> struct WordType {
    using Value = std::string;
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        const auto index = read_word(reader, node, List);
        value = index ? List.words[*index] : "";
        return index.has_value();
    }
    static Out write(const Value& value) { return value; }
    static Out schema(SchemaBuilder&) { return words_schema(List); }
};

// Words in the order of the enumeration's values.
template <class Enum, const Words& List> struct EnumType {
    using Value = Enum;
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        const auto index = read_word(reader, node, List);
        value = static_cast<Enum>(index.value_or(0));
        return index.has_value();
    }
    static Out write(Value value) { return List.words[static_cast<std::size_t>(value)]; }
    static Out schema(SchemaBuilder&) { return words_schema(List); }
};

// ---- composites

Out list_schema(Out item);
Out map_schema(Out value);
Out either_schema(std::vector<Out> choices);

template <class Item> struct ListType {
    using Value = std::vector<typename Item::Value>;
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        if (!node.is_list()) {
            reader.wrong_type(node, "a list", node.is_scalar() ? "write [value], or one '- value' a line" : "");
            return false;
        }
        value.reserve(value.size() + node.items.size());
        for (std::size_t i = 0; i < node.items.size(); ++i) {
            const Reader::Inside inside(reader, i);
            if (typename Item::Value item{}; Item::read(reader, *node.items[i], item))
                value.push_back(std::move(item));
        }
        return true;
    }
    static Out write(const Value& value)
    {
        Out list = Out::list();
        for (const auto& item : value)
            list.add(Item::write(item));
        return list;
    }
    static Out schema(SchemaBuilder& builder) { return list_schema(Item::schema(builder)); }
};

// A list, or its only item.
template <class Item> struct OneOrListType : ListType<Item> {
    using Value = typename ListType<Item>::Value;
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        if (node.is_list() || node.is_null())
            return ListType<Item>::read(reader, node, value);
        typename Item::Value item{};
        const bool good = Item::read(reader, node, item);
        if (good)
            value.push_back(std::move(item));
        return good;
    }
    static Out schema(SchemaBuilder& builder)
    {
        return either_schema({Item::schema(builder), ListType<Item>::schema(builder)});
    }
};

// A map with keys that the user chooses; pairs in the order of the file.
template <class Item> struct MapType {
    using Pair = std::pair<std::string, typename Item::Value>;
    using Value = std::vector<Pair>;
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        if (!node.is_map()) {
            reader.wrong_type(node, "a map (key: value)");
            return false;
        }
        for (std::size_t i = 0; i < node.pairs(); ++i) {
            const Reader::Inside inside(reader, node.key(i));
            if (typename Item::Value item{}; Item::read(reader, node.value(i), item))
                value.emplace_back(node.key(i).text, std::move(item));
        }
        return true;
    }
    static Out write(const Value& value)
    {
        Out map = Out::map();
        for (const auto& [key, item] : value)
            map.pairs.emplace_back(key, Item::write(item));
        return map;
    }
    static Out schema(SchemaBuilder& builder) { return map_schema(Item::schema(builder)); }
};

// The pairs of `Pairs` as a std::map.
template <class Pairs> struct SortedType {
    using Value = std::map<std::string, typename Pairs::Pair::second_type>;
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        typename Pairs::Value pairs;
        const bool good = Pairs::read(reader, node, pairs);
        for (auto& [key, item] : pairs)
            value.insert_or_assign(std::move(key), std::move(item));
        return good;
    }
    static Out write(const Value& value) { return Pairs::write({value.begin(), value.end()}); }
    static Out schema(SchemaBuilder& builder) { return Pairs::schema(builder); }
};

bool check_variable_name(Reader& reader, const Node& at, std::string_view name);

// Compose's "map or list of NAME=value".
struct AssignmentsType { // values with `${{ }}`
    using Pair = std::pair<std::string, Text>;
    using Value = std::vector<Pair>;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value) { return MapType<TextType>::write(value); }
    static Out schema(SchemaBuilder& builder);
};
struct FixedAssignmentsType { // and without
    using Pair = std::pair<std::string, std::string>;
    using Value = std::vector<Pair>;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value) { return MapType<StringType>::write(value); }
    static Out schema(SchemaBuilder& builder) { return AssignmentsType::schema(builder); }
};
// Labels: a name alone has an empty value.
struct LabelsType : AssignmentsType {
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out schema(SchemaBuilder& builder);
};
struct FixedLabelsType : FixedAssignmentsType {
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out schema(SchemaBuilder& builder) { return LabelsType::schema(builder); }
};

// A command: a list of words, or one text that is split into words as a POSIX shell would (quotes and backslashes; nothing
// is expanded). Null says nothing, as in Compose: an outer level's or the image's own counts.
struct CommandType {
    using Value = std::vector<Text>;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value) { return ListType<AnyTextType>::write(value); }
    static Out schema(SchemaBuilder& builder);
};
struct FixedCommandType { // without `${{ }}`, and never null
    using Value = std::vector<std::string>;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value) { return ListType<ScalarType>::write(value); }
    static Out schema(SchemaBuilder& builder);
};

// A key of `Owner` whose value must be good and says nothing to us.
template <class Type, class Owner> struct UnkeptType {
    using Value = Owner;
    static bool read(Reader& reader, const Node& node, Value&)
    {
        typename Type::Value value{};
        return Type::read(reader, node, value);
    }
    static Out write(const Value&) { return {}; }
    static Out schema(SchemaBuilder& builder) { return Type::schema(builder); }
};

// An object with a table of its own.
template <class Struct, const ObjectKeys& (*Keys)()> struct ObjectType {
    using Value = Struct;
    static bool read(Reader& reader, const Node& node, Value& value) { return read_object(reader, node, Keys(), &value); }
    static Out write(const Value& value) { return write_object(Keys(), &value); }
    static Out schema(SchemaBuilder& builder) { return builder.ref(Keys()); }
};

} // namespace gantry::pipeline::native
