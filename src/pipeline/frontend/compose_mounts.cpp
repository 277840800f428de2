#include "pipeline/frontend/compose_mounts.hpp"

#include "pipeline/frontend/container_types.hpp"
#include "pipeline/frontend/repository_file.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

namespace gantry::pipeline::native {

namespace {

// ---- volumes

bool is_of_repository(const Node& source) { return source.text.starts_with("./"); }

// What is copied has no mounts that could be seen elsewhere.
bool check_propagation(ComposeWorld& world, const Node& at, std::string_view propagation)
{
    const bool good = is_word_of("rprivate private", propagation) || propagation.empty();
    if (!good)
        world.reader.error(at, "unsupported", fmt::format("'{}' of a path of the repository is not supported", clip(propagation)),
                           "it is copied into the service, see docs/compose.md; leave it out");
    return good;
}

// The third part of a short form.
bool put_options(ComposeWorld& world, const Node& item, std::string_view written, Node& mount)
{
    const auto options = parse_mount_options(written);
    const auto put_section = [&](const char* name, const char* key, const std::string& value) {
        Node* section = world.tree.map(item);
        put(world.tree, *section, key, *world.tree.scalar(value, item));
        put(world.tree, mount, name, *section);
    };
    if (!options.unknown.empty()) {
        world.reader.error(item, "bad-value", fmt::format("'{}' is not an option of a volume here", clip(options.unknown)),
                           k_mount_options_hint);
        return false;
    }
    const bool is_copied = is_of_repository(*mount.find("source"));
    if (is_copied && !check_propagation(world, item, options.propagation))
        return false;
    if (is_copied && options.nocopy) {
        world.reader.error(item, "conflict", "'nocopy' says nothing of a path of the repository", "take it out");
        return false;
    }
    if (options.read_only)
        put(world.tree, mount, "read_only", *world.tree.scalar("true", item));
    if (options.nocopy)
        put_section("volume", "nocopy", "true");
    if (!options.propagation.empty())
        put_section("bind", "propagation", options.propagation);
    if (options.relabels && !is_copied && mount.find("type")->text == "bind")
        warn_of_relabel(world.reader, item);
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

// What the long form says of a path of the repository, which no table reads afterwards. What `bind` says is read apart: a
// label for SELinux means nothing to what is copied.
bool check_copied(ComposeWorld& world, const Node& mount)
{
    Node* rest = world.tree.copy(mount);
    remove(*rest, "bind");
    VolumeMount said;
    if (!VolumeType::read(world.reader, *rest, said))
        return false;
    for (const char* name : {"volume", "tmpfs"}) {
        const Node* section = mount.find(name);
        if (!section || section->items.empty())
            continue;
        world.reader.error(key_of(mount, name), "conflict", fmt::format("'{}' says nothing of a path of the repository", name), "take it out");
        return false;
    }
    const Node* bind = mount.find("bind");
    if (!bind || bind->is_null())
        return true;
    const Reader::Inside inside(world.reader, key_of(mount, "bind"));
    if (!read_bind_section(world.reader, *bind, said))
        return false;
    const Node* propagation = bind->find("propagation");
    return check_propagation(world, propagation ? *propagation : *bind, said.propagation);
}

Node* from_long(ComposeWorld& world, Node& item, const std::string& folder)
{
    Node* mount = world.tree.copy(item);
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
    return !is_of_repository(*kept) || check_copied(world, *mount) ? mount : nullptr;
}
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
    const bool is_clear = file->text.starts_with('/') || world.reader.is_fixed(*file, file->text);
    Node* kept = is_clear ? bind_source(world, *file, file->text, folder) : nullptr;
    if (!kept)
        world.reader.set_told(*file);
    else
        put(world.tree, *result, "file", *kept);
    return result;
}

} // namespace gantry::pipeline::native
