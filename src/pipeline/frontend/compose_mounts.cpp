#include "pipeline/frontend/compose_mounts.hpp"

#include "pipeline/frontend/container_types.hpp"
#include "pipeline/frontend/repository_file.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::pipeline::native {

namespace {

// ---- volumes

// Of the third part of a short form. Labels for SELinux and caching on desktops change nothing that a service sees.
bool put_options(ComposeWorld& world, const Node& item, std::string_view options, Node& mount)
{
    for (const auto& option : split(options, ',')) {
        if (is_word_of("rw z Z cached delegated consistent rprivate private", option))
            continue;
        if (option == "ro") {
            put(world.tree, mount, "read_only", *world.tree.scalar("true", item));
        } else if (option == "nocopy") {
            Node* volume = world.tree.map(item);
            put(world.tree, *volume, "nocopy", *world.tree.scalar("true", item));
            put(world.tree, mount, "volume", *volume);
        } else {
            world.reader.error(item, "bad-value", fmt::format("'{}' is not an option of a volume here", clip(option)),
                               "one of: ro, rw, nocopy, z, Z");
            return false;
        }
    }
    return true;
}

// The source of a bind as it is kept; null pointer after an error.
Node* bind_source(ComposeWorld& world, const Node& at, const std::string& written, const std::string& folder)
{
    if (written.starts_with('/') || written.starts_with("${{"))
        return world.tree.scalar(written, at);
    if (written.starts_with('~')) {
        world.reader.error(at, "unsupported", "'~' is the home of whoever runs Compose; a pipeline has none",
                           "write a path from the root of the host, or ./path of the repository");
        return nullptr;
    }
    const auto path = repository_path(folder, written);
    if (path)
        return world.tree.scalar("./" + *path, at);
    world.reader.error(at, "bad-value", fmt::format("'{}' is outside of the repository", clip(written)),
                       "a service can be given files of the repository, or paths from the root of the host");
    return nullptr;
}

// "target", "source:target", "source:target:options".
Node* from_short(ComposeWorld& world, Node& item, const std::string& folder)
{
    const std::string_view text = item.text;
    const auto colons = colons_outside_expressions(text);
    if (colons.size() > 2 || text.empty() || text.size() > 8192) {
        world.reader.error(item, "bad-value", fmt::format("'{}' is not a volume", clip(text)),
                           "write name:/path, ./path:/path:ro, /host/path:/path or /path");
        return nullptr;
    }
    Node* mount = world.tree.map(item);
    if (colons.empty()) {
        put(world.tree, *mount, "target", item);
        return mount;
    }
    const std::string source(text.substr(0, colons[0]));
    const bool is_path = !source.empty() && std::string_view("/.~").find(source[0]) != std::string_view::npos;
    if (!is_path && source.find('/') != std::string::npos && !source.starts_with("${{")) {
        world.reader.error(item, "bad-value", fmt::format("'{}' is not the name of a volume", clip(source)),
                           fmt::format("write ./{} for a folder of the repository", clip(source)));
        return nullptr;
    }
    Node* kept = is_path ? bind_source(world, item, source, folder) : world.tree.scalar(source, item);
    if (!kept)
        return nullptr;
    put(world.tree, *mount, "type", *world.tree.scalar(is_path ? "bind" : "volume", item));
    put(world.tree, *mount, "source", *kept);
    const auto target_end = colons.size() == 2 ? colons[1] : text.size();
    put(world.tree, *mount, "target",
        *world.tree.scalar(std::string(text.substr(colons[0] + 1, target_end - colons[0] - 1)), item));
    const auto options = colons.size() == 2 ? text.substr(colons[1] + 1) : std::string_view();
    return options.empty() || put_options(world, item, options, *mount) ? mount : nullptr;
}

// 0440 is octal to Compose, whatever YAML makes of it.
Node* octal(ComposeWorld& world, Node& mode)
{
    const bool digits = mode.is_scalar() && !mode.text.empty() &&
                        std::all_of(mode.text.begin(), mode.text.end(), [](char c) { return c >= '0' && c <= '7'; });
    return digits && mode.text[0] == '0' ? world.tree.scalar("0o" + mode.text, mode) : &mode;
}

// Takes keys off that change nothing here, and refuses a propagation that would.
void strip_bind(ComposeWorld& world, Node& mount)
{
    Node* found = mount.find("bind");
    remove(mount, "consistency");
    if (!found || !found->is_map())
        return;
    Node* bind = world.tree.copy(*found);
    for (const char* key : {"create_host_path", "selinux"})
        remove(*bind, key);
    if (const Node* propagation = bind->find("propagation");
        propagation && is_word_of("rprivate private", propagation->text))
        remove(*bind, "propagation");
    if (bind->items.empty())
        remove(mount, "bind");
    else
        world.reader.error(bind->key(0), "unsupported",
                           fmt::format("'{}' of a bind is not supported", clip(bind->key(0).text)), "leave it out");
}

Node* from_long(ComposeWorld& world, Node& item, const std::string& folder)
{
    Node* mount = world.tree.copy(item);
    strip_bind(world, *mount);
    if (Node* tmpfs = mount->find("tmpfs"); tmpfs && tmpfs->is_map() && tmpfs->find("mode")) {
        Node* with_mode = world.tree.copy(*tmpfs);
        put(world.tree, *with_mode, "mode", *octal(world, *tmpfs->find("mode")));
        put(world.tree, *mount, "tmpfs", *with_mode);
    }
    if (Node* volume = mount->find("volume"); volume && volume->is_map() && volume->find("labels")) {
        Node* without = world.tree.copy(*volume);
        remove(*without, "labels");
        put(world.tree, *mount, "volume", *without);
    }
    const Node* type = mount->find("type");
    Node* source = mount->find("source");
    if (!type || type->text != "bind" || !source || !source->is_scalar())
        return mount;
    Node* kept = bind_source(world, *source, source->text, folder);
    if (!kept)
        return nullptr;
    put(world.tree, *mount, "source", *kept);
    return mount;
}

// ---- configs and secrets

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
            else if (!has_only(*declaration, "content environment external file labels name") ||
                     !has_only(*grant, "gid mode source target uid"))
                continue;
            else if (Node* file = granted(world_, *declaration, *grant))
                add_grant(kind, *grant, *source, *file);
        }
    }

private:
    bool has_only(const Node& map, std::string_view known)
    {
        for (std::size_t i = 0; i < map.pairs(); ++i)
            if (!is_word_of(known, map.key(i).text) && !map.key(i).text.starts_with("x-")) {
                world_.reader.error(map.key(i), "unknown-key",
                                    fmt::format("unknown key '{}' in a config or secret", clip(map.key(i).text)),
                                    "it may have: " + join(split(known, ' '), ", "));
                return false;
            }
        return true;
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
        if (source && source->text.starts_with('/')) // a file of the host
            return add("volumes", *bound(*source, path, name));
        put(world_.tree, file, "target", *world_.tree.scalar(path, target ? *target : name));
        if (source)
            put(world_.tree, file, "source", *world_.tree.scalar(source->text.substr(2), *source));
        for (const char* key : {"uid", "gid"})
            if (Node* value = grant.find(key))
                put(world_.tree, file, key, *value);
        if (Node* mode = grant.find("mode"))
            put(world_.tree, file, "mode", *octal(world_, *mode));
        add("files", file);
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

Node* canonical_mount(ComposeWorld& world, Node& item, const std::string& folder)
{
    if (item.is_map())
        return from_long(world, item, folder);
    if (item.is_scalar())
        return from_short(world, item, folder);
    world.reader.wrong_type(item, "a volume", "write name:/path, ./path:/path:ro or the long form");
    return nullptr;
}

Node* canonical_grant(ComposeWorld& world, Node& item, const std::string&)
{
    if (item.is_map())
        return &item;
    if (!item.is_scalar()) {
        world.reader.wrong_type(item, "a name or a map");
        return nullptr;
    }
    Node* map = world.tree.map(item);
    put(world.tree, *map, "source", item);
    return map;
}

Node* canonical_source(ComposeWorld& world, const Node& declaration, const std::string& folder)
{
    Node* file = declaration.find("file");
    Node* result = world.tree.copy(declaration);
    if (!file || !file->is_scalar())
        return result;
    Node* kept = bind_source(world, *file, file->text, folder);
    if (kept)
        put(world.tree, *result, "file", *kept);
    else
        remove(*result, "file");
    return result;
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
}

} // namespace gantry::pipeline::native
