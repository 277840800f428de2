#include "pipeline/frontend/compose_tree.hpp"

#include "pipeline/build_values.hpp"
#include "pipeline/frontend/compose_mounts.hpp"
#include "pipeline/frontend/compose_service.hpp"
#include "pipeline/frontend/repository_file.hpp"
#include "pipeline/frontend/seccomp_profiles.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

// Short forms of a service's keys as long ones, so that files can be merged.

namespace gantry::pipeline::native {

namespace {

struct Place { // what a form needs to know
    ComposeWorld& world;
    const std::string& folder;
};

// ---- NAME=value

enum class Nulls { empty, environment, args, kept };

// Names without a value: Compose takes those of `environment` and `args` from where it runs. Where they are not there
// either, they are left out, whatever other files say: from `args` like what !reset takes away; in `environment` a null
// node stays for lower_environment() and lower_env_file(), for files of variables must not give the name a value, either.
void put_assignment(ComposeWorld& world, MapEditor& map, Node& key, Node& value, Nulls nulls)
{
    if (!value.is_null() || nulls == Nulls::kept || value.merge == Node::Merge::reset)
        return map.put(key, value);
    if (nulls == Nulls::empty)
        return map.put(key, *world.tree.scalar("", value));
    if (const auto* found = world.find(key.text))
        return map.put(key, *world.tree.scalar(found->source(), value));
    world.warn_unset(key, 0, key.text,
                     fmt::format("'{}' has no value, here and in 'env': it is left out", clip(key.text)));
    Node* gone = world.tree.null(value);
    gone->merge = nulls == Nulls::args ? Node::Merge::reset : Node::Merge::replace;
    map.put(key, *gone);
}

template <Nulls Kind> Node* assignments(const Place& place, Node& value)
{
    auto& [world, folder] = place;
    if (!value.is_map() && !value.is_list())
        return &value;
    Node* map = world.tree.map(value);
    MapEditor editor(*map);
    for (std::size_t i = 0; value.is_map() && i < value.pairs(); ++i)
        put_assignment(world, editor, value.key(i), value.value(i), Kind);
    for (std::size_t i = 0; value.is_list() && i < value.items.size(); ++i) {
        Node& item = *value.items[i];
        if (!item.is_scalar())
            return &value; // the table that reads it says so
        const auto equals = item.text.find('=');
        Node* key = world.tree.scalar(item.text.substr(0, equals), item);
        Node* assigned =
            equals == std::string::npos ? world.tree.null(item) : world.tree.scalar(item.text.substr(equals + 1), item);
        put_assignment(world, editor, *key, *assigned, Kind);
    }
    return map;
}

// ---- lists

// [db, cache] as {db: null, cache: null}.
Node* names(const Place& place, Node& value)
{
    const auto is_scalar = [](const Node* item) { return item->is_scalar(); };
    if (!value.is_list() || !std::all_of(value.items.begin(), value.items.end(), is_scalar))
        return &value;
    Node* map = place.world.tree.map(value);
    MapEditor editor(*map);
    for (Node* item : value.items)
        editor.put(*item, *place.world.tree.null(*item));
    return map;
}

Node* one_or_list(const Place& place, Node& value)
{
    if (!value.is_scalar())
        return &value;
    Node* list = place.world.tree.list(value);
    list->items = {&value};
    return list;
}

// {name: address, other: [address, address]} as "name=address" entries.
Node* hosts(const Place& place, Node& value)
{
    auto& [world, folder] = place;
    if (!value.is_map())
        return &value;
    Node* list = world.tree.list(value);
    for (std::size_t i = 0; i < value.pairs(); ++i) {
        Node& addresses = *one_or_list(place, value.value(i));
        if (!addresses.is_list())
            return &value; // the table that reads it says what is wrong
        for (const Node* address : addresses.items) {
            if (!address->is_scalar())
                return &value;
            list->items.push_back(world.tree.scalar(value.key(i).text + "=" + address->text, *address));
        }
    }
    return list;
}

Node* each(const Place& place, Node& value, Node* (*form)(ComposeWorld&, Node&, const std::string&))
{
    auto& [world, folder] = place;
    if (!value.is_list())
        return &value;
    Node* list = world.tree.list(value);
    for (std::size_t i = 0; i < value.items.size(); ++i) {
        const Reader::Inside inside(world.reader, i);
        if (Node* item = form(world, *value.items[i], folder))
            list->items.push_back(item);
    }
    return list;
}

Node* mounts(const Place& place, Node& value) { return each(place, value, canonical_mount); }
Node* grants(const Place& place, Node& value) { return each(place, value, canonical_grant); }

// ---- env_file

// Entries as {path, required, format}, with paths from the root of the repository.
Node* canonical_env_file(ComposeWorld& world, Node& item, const std::string& folder)
{
    Node* map = item.is_map() ? world.tree.copy(item) : world.tree.map(item);
    Node* path = item.is_map() ? item.find("path") : &item;
    if (!path || !path->is_scalar()) {
        world.reader.error(item, "wrong-type", "an env_file is a path",
                           "write ./service.env, or { path: ./service.env, required: false }");
        return nullptr;
    }
    const auto in_repository = repository_path(folder, path->text);
    if (!in_repository) {
        world.reader.error(*path, "bad-value", fmt::format("'{}' is outside of the repository", clip(path->text)),
                           "env_file takes files of the repository");
        return nullptr;
    }
    put(world.tree, *map, "path", *world.tree.scalar(*in_repository, *path));
    return map;
}

Node* env_files(const Place& place, Node& value) { return each(place, *one_or_list(place, value), canonical_env_file); }

// ---- security_opt

// A profile's path from the root of the repository; what is in it is read with our own keys.
Node* canonical_security_option(ComposeWorld& world, Node& item, const std::string& folder)
{
    const auto path = item.is_scalar() ? seccomp_path(item.text) : std::string_view();
    const auto in_repository = repository_path(folder, path);
    return in_repository ? world.tree.scalar("seccomp=" + *in_repository, item) : &item;
}

Node* security_options(const Place& place, Node& value) { return each(place, value, canonical_security_option); }

// ---- sections

struct Form {
    const char* keys; // separated by blanks
    Node* (*apply)(const Place& place, Node& value);
};

// What a section of a service has: the forms of some keys, and what becomes of each in the end.
struct Section {
    std::span<const Form> forms;
    std::span<const ComposeKey> keys;
};

// Whether a key without a value is as if it were not there. Of what is an error anyway, the name is to be told.
bool says_nothing(std::span<const ComposeKey> keys, const Node& key, const Node& value)
{
    if (!value.is_null() || value.merge != Node::Merge::normal)
        return false;
    const auto row = std::find_if(keys.begin(), keys.end(), [&](const ComposeKey& known) { return key.text == known.name; });
    return key.text.starts_with("x-") || (row != keys.end() && (row->fate != ComposeKey::Fate::refused || *row->harmless_values));
}

Node* with_forms(const Place& place, const Node& map, const Section& section)
{
    auto& [world, folder] = place;
    Node* result = world.tree.copy(map);
    result->items.clear();
    for (std::size_t i = 0; i < map.pairs(); ++i) {
        Node& key = map.key(i);
        Node* value = &map.value(i);
        if (says_nothing(section.keys, key, *value))
            continue;
        const Reader::Inside inside(world.reader, key);
        const auto form = std::find_if(section.forms.begin(), section.forms.end(),
                                       [&](const Form& row) { return is_word_of(row.keys, key.text); });
        if (form != section.forms.end() && value->merge != Node::Merge::reset) {
            const auto merge = value->merge;
            value = form->apply(place, *value);
            if (merge != value->merge)
                (value = world.tree.copy(*value))->merge = merge;
        }
        result->items.insert(result->items.end(), {&key, value});
    }
    return result;
}

const Form k_build_forms[] = {
    {"args", assignments<Nulls::args>},
    {"labels", assignments<Nulls::empty>},
    {"extra_hosts", hosts},
    {"cache_from cache_to tags platforms ssh", one_or_list},
};

// Without a context in the end it gets the folder of the project: another file may name one.
Node* build(const Place& place, Node& value)
{
    auto& [world, folder] = place;
    if (!value.is_map() && !value.is_scalar())
        return &value;
    Node* map = value.is_map() ? with_forms(place, value, {k_build_forms, compose_build_keys()}) : world.tree.map(value);
    Node* context = value.is_map() ? value.find("context") : &value;
    if (!context || !context->is_scalar() || context->merge == Node::Merge::reset)
        return map;
    const auto& written = context->text;
    if (is_build_address(written)) {
        put(world.tree, *map, "context", *context);
        return map;
    }
    const auto path = repository_path(folder, written.empty() ? "." : written);
    if (!path)
        world.reader.error(*context, "bad-value", fmt::format("'{}' is outside of the repository", clip(written)),
                           "the context of a build is a folder of the repository, or a URL");
    put(world.tree, *map, "context", *world.tree.scalar(path.value_or("."), *context));
    return map;
}

const Form k_deploy_forms[] = {{"labels", assignments<Nulls::empty>}};

Node* deploy(const Place& place, Node& value)
{
    return value.is_map() ? with_forms(place, value, {k_deploy_forms, compose_deploy_keys()}) : &value;
}

const Form k_service_forms[] = {
    {"environment", assignments<Nulls::environment>},
    {"labels annotations", assignments<Nulls::empty>},
    {"sysctls", assignments<Nulls::kept>},
    {"depends_on networks", names},
    {"dns dns_search dns_opt tmpfs", one_or_list},
    {"extra_hosts", hosts},
    {"volumes", mounts},
    {"configs secrets", grants},
    {"env_file", env_files},
    {"security_opt", security_options},
    {"build", build},
    {"deploy", deploy},
};

} // namespace

Node* canonical_service(ComposeWorld& world, const Node& service, const std::string& folder)
{
    if (service.is_map())
        return with_forms({world, folder}, service, {k_service_forms, compose_service_keys()});
    world.reader.wrong_type(service, "a map (key: value)", "write image: name:tag");
    return nullptr;
}

} // namespace gantry::pipeline::native
