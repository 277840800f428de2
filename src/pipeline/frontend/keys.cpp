#include "pipeline/frontend/keys.hpp"

#include "pipeline/frontend/habits.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace gantry::pipeline::native {

namespace {

bool is_free(std::string_view key) { return key.substr(0, 2) == "x-"; }

bool has_key(const std::vector<FoundKey>& keys, std::string_view name)
{
    return std::any_of(keys.begin(), keys.end(), [&](const FoundKey& found) { return name == found.key->name; });
}

// Whether one of its tables has the key, for another place.
bool is_known_elsewhere(const ObjectKeys& object, std::string_view name)
{
    return std::any_of(object.parts.begin(), object.parts.end(), [&](const KeyPart& part) {
        return std::any_of(part.keys.begin(), part.keys.end(), [&](const Key& key) { return name == key.name && !part.has(key); });
    });
}

struct Index {
    std::vector<FoundKey> list;
    std::unordered_map<std::string_view, FoundKey> by_name;
};

// Made once for each table: tables live as long as the program.
const Index& index_of(const ObjectKeys& object)
{
    thread_local std::unordered_map<const ObjectKeys*, Index> cache;
    if (const auto found = cache.find(&object); found != cache.end())
        return found->second;
    Index& index = cache[&object];
    index.list = all_keys(object);
    for (const auto& found : index.list)
        index.by_name.emplace(found.key->name, found);
    return index;
}

// What a key may stand for that has a text or nothing for a value: of what others refer to or miss, no more can be said in one
// text, unless it names a file that says it.
std::string meant_by_text(const Node& value)
{
    const bool names_file = value.text.ends_with(".yml") || value.text.ends_with(".yaml");
    return (value.is_scalar() && !names_file) || value.is_null() ? "name needs run command entrypoint image build push" : "";
}

void report_unknown(Reader& reader, const Node& key, const Node& value, const ObjectKeys& object)
{
    if (reader.is_full())
        return;
    auto hint = habit_hint(object.id, key.text, value);
    std::string meant;
    if (hint.empty() && is_known_elsewhere(object, key.text)) {
        hint = "it belongs to one container: say it in a step or a service";
        meant = key.text;
    }
    if (hint.empty() && key.text.size() <= 40) {
        std::vector<std::string> names;
        for (const auto& known : index_of(object).list)
            names.push_back(known.key->name);
        if (const auto near = nearest(key.text, names)) {
            hint = fmt::format("did you mean '{}'?", *near);
            meant = *near;
        } else if (names.size() <= 8) {
            hint = fmt::format("it may have: {}", join(names, ", "));
        }
    }
    if (meant.empty())
        meant = meant_by_text(value);
    const Reader::Inside inside(reader, key);
    reader.error(key, "unknown-key", fmt::format("unknown key '{}' in {}", clip(key.text), object.what), hint, meant);
}

bool is_empty_list(const Node& node)
{
    return node.is_list() && node.items.empty();
}

std::string quoted_list(const std::vector<const char*>& names, std::string_view last)
{
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i)
        text += fmt::format("{}'{}'", i == 0 ? "" : i + 1 == names.size() ? last : ", ", names[i]);
    return text;
}

void check_presence(Reader& reader, const Node& node, const ObjectKeys& keys)
{
    for (const char* name : keys.required)
        if (!node.find(name))
            reader.error(node, "missing-key", fmt::format("{} needs '{}'", keys.what, name), keys.required_hint, name);
    const auto is_there = [&](const char* name) { return node.find(name) != nullptr; };
    if (!keys.one_of.empty() && std::none_of(keys.one_of.begin(), keys.one_of.end(), is_there))
        reader.error(node, "missing-key", fmt::format("{} needs {}", keys.what, quoted_list(keys.one_of, " or ")), keys.one_of_hint);
}

void check_exclusive(Reader& reader, const Node& node, const ObjectKeys& keys)
{
    for (const auto& [group, hint] : keys.exclusive) {
        const Node* first = nullptr;
        for (std::size_t i = 0; i < node.pairs(); ++i) {
            const auto& key = node.key(i);
            if (std::none_of(group.begin(), group.end(), [&](const char* name) { return key.text == name; }))
                continue;
            if (!first) {
                first = &key;
                continue;
            }
            const Reader::Inside inside(reader, key);
            reader.error(key, "conflict", fmt::format("'{}' and '{}' cannot stand together in {}", first->text, key.text, keys.what), hint,
                         k_both_read);
        }
    }
}

} // namespace

std::vector<FoundKey> all_keys(const ObjectKeys& object)
{
    std::vector<FoundKey> keys;
    const auto is_left_out = [&](const Key& key) {
        return std::any_of(object.left_out.begin(), object.left_out.end(),
                           [&](std::string_view name) { return name == key.name; });
    };
    for (const auto& part : object.parts)
        for (const auto& key : part.keys)
            if (part.has(key) && !is_left_out(key) && !has_key(keys, key.name))
                keys.push_back({&key, &part});
    return keys;
}

bool read_object(Reader& reader, const Node& node, const ObjectKeys& object, void* target)
{
    if (!node.is_map()) {
        reader.error(node, "wrong-type",
                     fmt::format("{} must be a map (key: value), not {}", object.what,
                                 node.is_list() ? "a list" : node.is_null() ? "empty" : "text"),
                     node.is_scalar() ? habit_hint_for_text(object.id) : "");
        return false;
    }
    const auto& keys = index_of(object).by_name;
    bool all_known = true;
    for (std::size_t i = 0; i < node.pairs(); ++i) {
        const auto& name = node.key(i);
        if (is_free(name.text))
            continue;
        const auto entry = keys.find(name.text);
        if (entry == keys.end()) {
            report_unknown(reader, name, node.value(i), object);
            all_known = false;
            continue;
        }
        const auto* found = &entry->second;
        const Reader::Inside inside(reader, name);
        void* owner = found->part->owner(target);
        auto* marks = found->part->marks ? found->part->marks(target) : nullptr;
        const auto* canonical = found->key->canonical();
        if (marks && found->key->is_set && marks->count(canonical) > 0) {
            const auto earlier = marks->at(canonical);
            reader.error(name, "conflict", fmt::format("'{}' says the same as line {} does", name.text, earlier.line),
                         "keep one of them");
            continue;
        }
        found->key->read(reader, node.value(i), owner);
        // A list of nothing counts: it takes the outer level's list away.
        if (marks && found->key->is_set && (found->key->is_set(owner) || is_empty_list(node.value(i))))
            marks->emplace(canonical, name.mark);
    }
    if (all_known) // else the unknown key may be the missing one
        check_presence(reader, node, object);
    check_exclusive(reader, node, object);
    return true;
}

Out write_object(const ObjectKeys& object, const void* source)
{
    Out map = Out::map();
    for (const auto& [key, part] : index_of(object).list) {
        if (!key->write)
            continue;
        auto* owner = part->owner(const_cast<void*>(source));
        const auto* marks = part->marks ? part->marks(const_cast<void*>(source)) : nullptr;
        if (marks && key->is_set && !key->is_set(owner) && marks->contains(key->name))
            map.set(key->name, Out::list());
        else
            key->write(map, key->name, owner);
    }
    // What it is called and what it runs in come first, whatever table they are in.
    const auto front = [&](std::string_view name) {
        const auto found = std::find_if(map.pairs.begin(), map.pairs.end(), [&](const auto& pair) { return pair.first == name; });
        if (found != map.pairs.end())
            std::rotate(map.pairs.begin(), found, found + 1);
    };
    front("image");
    front("name");
    return map;
}

// ---- the schema

Out SchemaBuilder::ref(const ObjectKeys& object)
{
    if (std::find(asked_.begin(), asked_.end(), &object) == asked_.end())
        asked_.push_back(&object);
    return Out::map({{"$ref", Out(fmt::format("#/$defs/{}", object.id))}});
}

Out SchemaBuilder::definitions()
{
    Out definitions = Out::map();
    for (std::size_t i = 0; i < asked_.size(); ++i) // grows while it is walked
        definitions.set(asked_[i]->id, object(*asked_[i]));
    return definitions;
}

Out SchemaBuilder::object(const ObjectKeys& keys)
{
    Out properties = Out::map();
    for (const auto& [key, part] : index_of(keys).list) {
        Out schema = key->schema(*this);
        Out property = Out::map({{"description", Out(key->doc)}});
        for (auto& [name, value] : schema.pairs)
            property.set(name, std::move(value));
        properties.set(key->name, std::move(property));
    }
    Out schema = Out::map({{"type", Out("object")}});
    schema.set("properties", std::move(properties));
    schema.set("patternProperties", Out::map({{"^x-", Out(true)}}));
    schema.set("additionalProperties", Out(false));
    const auto names = [](const std::vector<const char*>& list) {
        Out out = Out::list();
        for (const char* name : list)
            out.add(name);
        return out;
    };
    if (!keys.required.empty())
        schema.set("required", names(keys.required));
    if (!keys.one_of.empty()) {
        Out any = Out::list();
        for (const char* name : keys.one_of)
            any.add(Out::map({{"required", names({name})}}));
        schema.set("anyOf", std::move(any));
    }
    Out never = Out::list();
    for (const auto& [group, hint] : keys.exclusive)
        for (std::size_t i = 0; i < group.size(); ++i)
            for (std::size_t j = i + 1; j < group.size(); ++j)
                never.add(Out::map({{"not", Out::map({{"required", names({group[i], group[j]})}})}}));
    if (!never.items.empty())
        schema.set("allOf", std::move(never));
    return schema;
}

} // namespace gantry::pipeline::native
