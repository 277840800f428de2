#include "pipeline/frontend/compose_mounts.hpp"

#include "pipeline/frontend/repository_file.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

// What is mounted or put into a service, in our words: `volumes` and `files`.

namespace gantry::pipeline::native {

namespace {

std::ptrdiff_t depth_of(const Node& file)
{
    const Node* target = file.find("target");
    return target ? std::count(target->text.begin(), target->text.end(), '/') : 0;
}

// The first key that is none of these; null pointer when there is none.
const Node* find_unknown(const Node& map, std::string_view known)
{
    for (std::size_t i = 0; i < map.pairs(); ++i)
        if (!is_word_of(known, map.key(i).text) && !map.key(i).text.starts_with("x-"))
            return &map.key(i);
    return nullptr;
}

void report_unknown(Reader& reader, const Node& key, std::string_view known)
{
    reader.error(key, "unknown-key", fmt::format("unknown key '{}' in a config or secret", clip(key.text)),
                 "it may have: " + join(split(known, ' '), ", "));
}

constexpr std::string_view k_declared_keys = "content environment external file labels name";
constexpr std::string_view k_sources = "content environment file";
constexpr const char* k_sources_hint = "write file: ./path, content: text or environment: NAME";

class MountLowering {
public:
    MountLowering(ComposeWorld& world, GrantSources& sources, Node& service) : world_(world), sources_(sources), service_(service) {}

    void volumes(const Node& list)
    {
        for (Node* mount : list.items) {
            const Node* source = mount->find("source");
            const Node* type = mount->find("type");
            const bool is_file = source && source->text.starts_with("./") && type && type->text == "bind";
            if (is_file)
                add("files", *from_mount(*mount, *source));
            else
                add("volumes", *mount);
        }
    }

    void grants(const std::string& kind, const Node& list)
    {
        for (std::size_t i = 0; i < list.items.size(); ++i) {
            const Reader::Inside inside(world_.reader, i);
            const Node& grant = *list.items[i];
            const Node* source = grant.find("source");
            if (!source || !source->is_scalar()) {
                world_.reader.error(grant, "missing-key", "the 'source' is missing",
                                    "write the name of what is declared at the top");
                continue;
            }
            const auto* given = sources_.find(kind, source->text);
            if (!given)
                world_.reader.error(
                    *source, "unknown-name",
                    fmt::format("'{}' is not declared under '{}' at the top", clip(source->text), kind));
            else if (given->value && has_only(grant, "gid mode source target uid") && has_clear_target(grant))
                add_grant(kind, grant, *source, *given);
        }
    }

private:
    bool has_only(const Node& map, std::string_view known)
    {
        const Node* unknown = find_unknown(map, known);
        if (unknown)
            report_unknown(world_.reader, *unknown, known);
        return !unknown;
    }

    void add(const char* key, Node& item)
    {
        Node* list = service_.find(key);
        if (!list)
            put(world_.tree, service_, key, *(list = world_.tree.list(item)));
        list->items.push_back(&item);
    }

    Node* from_mount(Node& mount, const Node& source)
    {
        Node* file = world_.tree.map(mount);
        put(world_.tree, *file, "source", *world_.tree.scalar(source.text.substr(2), source));
        if (Node* target = mount.find("target"))
            put(world_.tree, *file, "target", *target);
        return file;
    }

    bool has_clear_target(const Node& grant)
    {
        const Node* target = grant.find("target");
        const bool clear = !target || target->is_null() || target->is_scalar();
        const Reader::Inside inside(world_.reader, key_of(grant, "target"));
        if (!clear)
            world_.reader.wrong_type(*target, "a path in the container");
        return clear;
    }

    void add_grant(const std::string& kind, const Node& grant, const Node& name, const GrantSources::Given& given)
    {
        const bool secret = kind == "secrets";
        const Node* target = grant.find("target");
        const Node& named = target && !target->is_null() ? *target : name;
        std::string path = named.text;
        if (!path.starts_with('/'))
            path = (secret ? "/run/secrets/" : "/") + path;
        const bool is_source = std::string_view(given.key) == "source";
        if (is_source && given.value->text.starts_with('/')) { // a file of the host
            warn_of_owner(grant);
            return add("volumes", *bound(*given.value, path, name));
        }
        Node* file = world_.tree.map(grant);
        put(world_.tree, *file, given.key, *given.value);
        put(world_.tree, *file, "target", *world_.tree.scalar(path, named));
        for (const char* key : {"uid", "gid", "mode"})
            if (Node* value = grant.find(key); value && !value->is_null())
                put(world_.tree, *file, key, *value);
        add("files", *file);
    }

    // What is bound has the owner and the mode that it has on the host.
    void warn_of_owner(const Node& grant)
    {
        for (std::size_t i = 0; i < grant.pairs(); ++i)
            if (is_word_of("uid gid mode", grant.key(i).text))
                world_.reader.warning(grant.key(i), "no-effect", fmt::format("'{}' has no effect on a file of the host", grant.key(i).text),
                                      "put the file into the repository, or leave this out");
    }

    Node* bound(const Node& source, const std::string& target, const Node& at)
    {
        Node* mount = world_.tree.map(at);
        put(world_.tree, *mount, "type", *world_.tree.scalar("bind", at));
        put(world_.tree, *mount, "source", *world_.tree.copy(source));
        put(world_.tree, *mount, "target", *world_.tree.scalar(target, at));
        put(world_.tree, *mount, "read_only", *world_.tree.scalar("true", at));
        return mount;
    }

    ComposeWorld& world_;
    GrantSources& sources_;
    Node& service_;
};

} // namespace

GrantSources::GrantSources(ComposeWorld& world, const Node& file) : world_(world)
{
    for (const char* kind : {"configs", "secrets"}) {
        const Node* declared = file.find(kind);
        const Reader::Inside inside(world.reader, key_of(file, kind));
        for (std::size_t i = 0; declared && i < declared->pairs(); ++i)
            if (declared->value(i).merge != Node::Merge::reset)
                add(declared->key(i), declared->value(i), of_kind(kind));
    }
}

void GrantSources::add(const Node& key, const Node& declaration, ByName& declared)
{
    auto& reader = world_.reader;
    const Reader::Inside inside(reader, key);
    auto& entry = declared.emplace(key.text, Declared()).first->second;
    if (!declaration.is_map() && !declaration.is_null())
        return reader.wrong_type(declaration, "a map (key: value)", k_sources_hint);
    if (const Node* unknown = find_unknown(declaration, k_declared_keys))
        return report_unknown(reader, *unknown, k_declared_keys);
    const Node* source = nullptr;
    Node* value = nullptr;
    for (std::size_t i = 0; i < declaration.pairs(); ++i) {
        if (!is_word_of(k_sources, declaration.key(i).text) || declaration.value(i).is_null())
            continue;
        if (source)
            return reader.error(declaration.key(i), "conflict",
                                fmt::format("'{}' stands beside another source of a config or secret", declaration.key(i).text),
                                "keep one of file, content and environment");
        source = &declaration.key(i);
        value = &declaration.value(i);
    }
    const Node* external = declaration.find("external");
    const bool is_external = external && !external->is_null() && !(external->is_scalar() && loose_boolean(external->text) == false);
    if (!source && is_external) {
        entry.external = external;
    } else if (!source) {
        reader.error(declaration, "missing-key", "a config or secret has 'file', 'content' or 'environment'", k_sources_hint);
    } else if (!value->is_scalar()) {
        const Reader::Inside inside_of_it(reader, *source);
        reader.wrong_type(*value, "text");
    } else if (!reader.is_told(*value)) {
        entry.source = source->text;
        entry.value = value;
    }
}

const GrantSources::Given* GrantSources::find(std::string_view kind, const std::string& name)
{
    auto& declared = of_kind(kind);
    const auto found = declared.find(name);
    if (found == declared.end())
        return nullptr;
    auto& entry = found->second;
    if (!std::exchange(entry.was_asked_for, true))
        entry.given = give(entry);
    return &entry.given;
}

GrantSources::Given GrantSources::give(const Declared& declared)
{
    auto& reader = world_.reader;
    if (declared.external)
        reader.error(*declared.external, "unsupported", "what the engine keeps itself is not supported", k_sources_hint);
    if (!declared.value)
        return {};
    Node& value = *declared.value;
    if (declared.source == "content")
        return {"content", &value};
    if (declared.source == "environment") {
        const auto* found = world_.find(value.text);
        if (!found)
            reader.error(value, "unset-variable", fmt::format("the variable '{}' has no value", clip(value.text)),
                         "set it in .env beside the Compose file, or in 'env' of the pipeline");
        return {"content", found ? world_.tree.scalar(found->source(), value) : nullptr};
    }
    if (!value.text.starts_with("./"))
        return {"source", &value};
    const auto path = value.text.substr(2);
    const bool is_missing = read_repository_file(world_.read_file, path).is_missing;
    if (is_missing)
        reader.error(value, "missing-file", fmt::format("there is no file '{}'", clip(path)),
                     "what a pipeline uses is in its repository; secrets of a service can come by 'environment'");
    return {"source", is_missing ? nullptr : world_.tree.scalar(path, value)};
}

void lower_mounts(ComposeWorld& world, GrantSources& sources, const Node& from, Node& service)
{
    MountLowering lowering(world, sources, service);
    for (std::size_t i = 0; i < from.pairs(); ++i) {
        const Node& list = from.value(i);
        const auto& key = from.key(i).text;
        if (!is_word_of("volumes configs secrets", key) || list.merge == Node::Merge::reset)
            continue;
        const Reader::Inside inside(world.reader, from.key(i));
        if (!list.is_list())
            world.reader.wrong_type(list, "a list", "write one '- value' a line");
        else if (key == "volumes")
            lowering.volumes(list);
        else
            lowering.grants(key, list);
    }
    // What lies inside of a folder comes after it, as mounts would cover each other.
    if (Node* files = service.find("files"))
        std::stable_sort(files->items.begin(), files->items.end(),
                         [](const Node* a, const Node* b) { return depth_of(*a) < depth_of(*b); });
}

} // namespace gantry::pipeline::native
