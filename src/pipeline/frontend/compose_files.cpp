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

// The content or file that a grant's target gets, in the words of our `files`; null pointer after an error.
Node* granted(ComposeWorld& world, const Node& declaration, const Node& grant)
{
    Node* file = world.tree.map(grant);
    if (Node* content = declaration.find("content")) {
        put(world.tree, *file, "content", *content);
    } else if (const Node* variable = declaration.find("environment"); variable && variable->is_scalar()) {
        const auto* value = world.find(variable->text);
        if (!value) {
            world.reader.error(*variable, "unset-variable",
                               fmt::format("the variable '{}' has no value", clip(variable->text)),
                               "set it in .env beside the Compose file, or in 'env' of the pipeline");
            return nullptr;
        }
        put(world.tree, *file, "content", *world.tree.scalar(value->source(), *variable));
    } else if (Node* source = declaration.find("file")) {
        if (source->text.empty())
            return nullptr;
        if (source->text.starts_with("./") &&
            read_repository_file(world.read_file, source->text.substr(2)).is_missing) {
            world.reader.error(
                *source, "missing-file", fmt::format("there is no file '{}'", clip(source->text.substr(2))),
                "what a pipeline uses is in its repository; secrets of a service can come by 'environment'");
            return nullptr;
        }
        put(world.tree, *file, "source", *source);
    } else {
        const Node* external = declaration.find("external");
        world.reader.error(external ? *external : declaration, external ? "unsupported" : "missing-key",
                           external ? "what the engine keeps itself is not supported"
                                    : "a config or secret has 'file', 'content' or 'environment'",
                           "write file: ./path, content: text or environment: NAME");
        return nullptr;
    }
    return file;
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

// The second key that says where it comes from; null pointer when there is at most one.
const Node* find_second_source(const Node& declaration)
{
    bool has_one = false;
    for (std::size_t i = 0; i < declaration.pairs(); ++i)
        if (is_word_of(k_sources, declaration.key(i).text) && !declaration.value(i).is_null() && std::exchange(has_one, true))
            return &declaration.key(i);
    return nullptr;
}

bool is_declared_well(const Node& declaration)
{
    return !find_unknown(declaration, k_declared_keys) && !find_second_source(declaration);
}

class MountLowering {
public:
    MountLowering(ComposeWorld& world, const Node& file, Node& service) : world_(world), file_(file), service_(service)
    {
    }

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
        const Node* declared = file_.find(kind);
        for (const Node* grant : list.items) {
            const Node* source = grant->find("source");
            if (!source || !source->is_scalar()) {
                world_.reader.error(*grant, "missing-key", "the 'source' is missing",
                                    "write the name of what is declared at the top");
                continue;
            }
            const Node* declaration = declared ? declared->find(source->text) : nullptr;
            if (!declaration)
                world_.reader.error(
                    *source, "unknown-name",
                    fmt::format("'{}' is not declared under '{}' at the top", clip(source->text), kind));
            else if (!is_declared_well(*declaration) || !has_only(*grant, "gid mode source target uid"))
                continue;
            else if (Node* file = granted(world_, *declaration, *grant))
                add_grant(kind, *grant, *source, *file);
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

    void add_grant(const std::string& kind, const Node& grant, const Node& name, Node& file)
    {
        const bool secret = kind == "secrets";
        Node* target = grant.find("target");
        std::string path = target && target->is_scalar() ? target->text : name.text;
        if (!path.starts_with('/'))
            path = (secret ? "/run/secrets/" : "/") + path;
        const Node* source = file.find("source");
        if (source && source->text.starts_with('/')) { // a file of the host
            warn_of_owner(grant);
            return add("volumes", *bound(*source, path, name));
        }
        put(world_.tree, file, "target", *world_.tree.scalar(path, target ? *target : name));
        if (source)
            put(world_.tree, file, "source", *world_.tree.scalar(source->text.substr(2), *source));
        for (const char* key : {"uid", "gid", "mode"})
            if (Node* value = grant.find(key))
                put(world_.tree, file, key, *value);
        add("files", file);
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
    const Node& file_;
    Node& service_;
};

} // namespace

void check_granted(ComposeWorld& world, const Node& file)
{
    for (const char* kind : {"configs", "secrets"}) {
        const Node* declared = file.find(kind);
        const Reader::Inside inside(world.reader, key_of(file, kind));
        for (std::size_t i = 0; declared && i < declared->pairs(); ++i) {
            const Reader::Inside inside_of_it(world.reader, declared->key(i));
            const Node& declaration = declared->value(i);
            if (const Node* unknown = find_unknown(declaration, k_declared_keys))
                report_unknown(world.reader, *unknown, k_declared_keys);
            else if (const Node* second = find_second_source(declaration))
                world.reader.error(*second, "conflict", fmt::format("'{}' stands beside another source of a config or secret", second->text),
                                   "keep one of file, content and environment");
        }
    }
}

void lower_mounts(ComposeWorld& world, const Node& file, const Node& from, Node& service)
{
    MountLowering lowering(world, file, service);
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
