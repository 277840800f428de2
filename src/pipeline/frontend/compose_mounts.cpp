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
    if (colons.size() > 2 || text.empty() || text[0] == ':' || text.size() > 8192) {
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
} // namespace

Node* octal(ComposeWorld& world, Node& mode)
{
    const bool digits = mode.is_scalar() && !mode.text.empty() &&
                        std::all_of(mode.text.begin(), mode.text.end(), [](char c) { return c >= '0' && c <= '7'; });
    return digits && mode.text[0] == '0' ? world.tree.scalar("0o" + mode.text, mode) : &mode;
}

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
    put(world.tree, *result, "file", kept ? *kept : *world.tree.scalar("", *file)); // empty: it has been told of
    return result;
}

} // namespace gantry::pipeline::native
