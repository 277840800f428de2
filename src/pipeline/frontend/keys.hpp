#pragma once

#include "pipeline/frontend/out.hpp"
#include "pipeline/frontend/reader.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

// What a key is: one row of a table says its name, its type, what it fills and what it means, and that row drives reading,
// did-you-mean, printing and the JSON Schema. The tables are in *_keys.cpp; the types that rows name are in types.hpp.

namespace gantry::pipeline::native {

struct ObjectKeys;

// Builds the schema; objects become `$defs`, each once.
class SchemaBuilder {
public:
    Out ref(const ObjectKeys& object);
    // The definitions that were asked for, by name, those that they need included.
    Out definitions();
    // properties, additionalProperties, patternProperties and required of an object.
    Out object(const ObjectKeys& object);

private:
    std::vector<const ObjectKeys*> asked_;
};

// Where a key of a container is understood.
enum Where : unsigned { in_step = 1, in_service = 2, in_stage = 4, in_defaults = 8, everywhere = 15 };

struct Key {
    const char* name;
    const char* doc; // one sentence for editors
    unsigned where = everywhere;
    const char* alias_of = nullptr; // the key that prints the value
    void (*read)(Reader& reader, const Node& node, void* owner) = nullptr;
    void (*write)(Out& map, const char* name, const void* owner) = nullptr; // null: not printed here
    Out (*schema)(SchemaBuilder& builder) = nullptr;
    bool (*is_set)(const void* owner) = nullptr; // null: the key has no value of its own

    constexpr const char* canonical() const { return alias_of ? alias_of : name; }
    constexpr Key as_alias_of(const char* other) const
    {
        Key key = *this;
        key.alias_of = other;
        key.write = nullptr;
        return key;
    }
    constexpr Key only(unsigned places) const
    {
        Key key = *this;
        key.where = places;
        return key;
    }
};

// Keys that fill one struct, which lies inside of the object that is read.
struct KeyPart {
    std::span<const Key> keys;
    void* (*inside)(void* object) = nullptr;                       // null: the object itself
    std::map<std::string, Mark>* (*marks)(void* object) = nullptr; // of Container: where its keys stand
    unsigned where = everywhere;

    bool has(const Key& key) const { return (key.where & where) != 0; }
    void* owner(void* object) const { return inside ? inside(object) : object; }
};

struct ExclusiveKeys {
    std::vector<const char*> names;
    const char* hint = "";
};

struct ObjectKeys {
    const char* id;   // of the definition in the schema: "stage"
    const char* what; // in messages: "a stage"
    std::vector<KeyPart> parts;
    std::vector<const char*> required = {};
    std::vector<ExclusiveKeys> exclusive = {};            // at most one key of each group
    std::vector<const char*> one_of = {};                 // at least one of these, if there are any
    const char* one_of_hint = "";
    std::vector<const char*> left_out = {}; // keys of parts that mean something else here
    const char* required_hint = "";
};

// Every key of the object, in the order of its tables.
struct FoundKey {
    const Key* key;
    const KeyPart* part;
};
std::vector<FoundKey> all_keys(const ObjectKeys& object);

// Reads a map into `object`; false when it is no map. Everything that is wrong is reported.
bool read_object(Reader& reader, const Node& node, const ObjectKeys& keys, void* object);
Out write_object(const ObjectKeys& keys, const void* object);

// ---- rows

template <class T> struct member_of;
template <class Owner_, class Value_> struct member_of<Value_ Owner_::*> {
    using Owner = Owner_;
    using Value = Value_;
};

template <class T> constexpr bool is_optional = false;
template <class T> constexpr bool is_optional<std::optional<T>> = true;

// The row of a key that fills one member: `Type` has Value, read(), write() and schema(), see types.hpp.
template <class Type, auto Member> constexpr Key key(const char* name, const char* doc)
{
    using Owner = typename member_of<decltype(Member)>::Owner;
    using Value = typename member_of<decltype(Member)>::Value;
    Key row{name, doc};
    row.read = [](Reader& reader, const Node& node, void* owner) {
        typename Type::Value value{};
        if (Type::read(reader, node, value))
            static_cast<Owner*>(owner)->*Member = std::move(value);
    };
    row.is_set = [](const void* owner) {
        static const Owner unset{};
        return !(static_cast<const Owner*>(owner)->*Member == unset.*Member);
    };
    row.write = [](Out& map, const char* as, const void* owner) {
        static const Owner unset{};
        const auto& value = static_cast<const Owner*>(owner)->*Member;
        if (value == unset.*Member)
            return;
        if constexpr (is_optional<Value>)
            map.set(as, Type::write(*value));
        else
            map.set(as, Type::write(value));
    };
    row.schema = [](SchemaBuilder& builder) { return Type::schema(builder); };
    return row;
}

// The row of a key that fills several members, or looks at the whole: `Type::Value` is the struct itself;
// Type::write gives null for "nothing to print".
template <class Type> constexpr Key whole(const char* name, const char* doc)
{
    Key row{name, doc};
    row.read = [](Reader& reader, const Node& node, void* owner) {
        Type::read(reader, node, *static_cast<typename Type::Value*>(owner));
    };
    row.write = [](Out& map, const char* as, const void* owner) {
        if (Out out = Type::write(*static_cast<const typename Type::Value*>(owner)); out.kind != Out::Kind::null)
            map.set(as, std::move(out));
    };
    row.schema = [](SchemaBuilder& builder) { return Type::schema(builder); };
    return row;
}

} // namespace gantry::pipeline::native
