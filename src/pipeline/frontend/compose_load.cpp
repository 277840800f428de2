#include "pipeline/frontend/compose_load.hpp"

#include "pipeline/frontend/compose_service.hpp"
#include "pipeline/frontend/repository_file.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::pipeline::native {

namespace {

constexpr std::string_view k_sections = "services volumes networks configs secrets";
constexpr YamlUse k_use{"a second document starts here; one file is one project", "remove the '---'",
                        "start with services:", true};

bool is_old(const Node& root)
{
    const auto is_service = [](const Node& value) { return value.find("image") || value.find("build"); };
    bool any = false;
    for (std::size_t i = 0; i < root.pairs(); ++i) {
        const auto& name = root.key(i).text;
        if (is_word_of(k_sections, name) || name == "include")
            return false;
        any = any || (!name.starts_with("x-") && is_service(root.value(i)));
    }
    return any;
}

// True for a section that is to be read.
bool check_top_key(Reader& reader, const Node& key, const Node& value)
{
    const auto& name = key.text;
    if (is_word_of(k_sections, name)) {
        if (value.is_map() || value.is_null())
            return value.is_map();
        const Reader::Inside inside(reader, key);
        reader.wrong_type(value, "a map by name");
        return false;
    }
    if (name == "models")
        reader.error(key, "unsupported", "'models' is not supported in a Compose file");
    else if (!is_word_of("version name include", name) && !name.starts_with("x-")) {
        std::vector<std::string> names = split(k_sections, ' ');
        names.insert(names.end(), {"version", "name", "include"});
        report_unknown_key(reader, key, names, "a Compose file");
    }
    return false;
}

} // namespace

Node* ComposeLoader::parse(const std::string& path, const Node& from)
{
    auto& reader = world_.reader;
    if (++files_ > k_max_compose_files)
        throw ComposeLimit{fmt::format("a stage reads more than {} Compose files", k_max_compose_files)};
    auto known = texts_.indices.find(path);
    if (known == texts_.indices.end()) {
        auto file = read_repository_file(input_.read_file, path);
        if (!file.text) {
            reader.error(from, "missing-file", file.problem,
                         file.is_missing ? "what a pipeline uses is in its repository" : file.hint);
            return nullptr;
        }
        known = texts_.indices.emplace(path, static_cast<int>(input_.sources.size())).first;
        input_.sources.push_back({path, std::move(*file.text)});
    }
    const auto& source = input_.sources[static_cast<std::size_t>(known->second)];
    texts_.bytes += source.text.size();
    if (texts_.bytes > k_max_text_bytes)
        throw ComposeLimit{fmt::format("the Compose files have more than {} bytes together", k_max_text_bytes)};
    Node* root = read_yaml(source, known->second, input_.pool, input_.diagnostics, k_use);
    if (!root)
        return nullptr;
    if (!root->is_map()) {
        reader.error(*root, "wrong-type", "a Compose file is a map (key: value)", "start with services:");
        return nullptr;
    }
    if (is_old(*root)) {
        reader.error(*root, "unsupported", "this Compose file is of version 1: its services stand at the top",
                     "write 'services:' above them, and indent them");
        return nullptr;
    }
    return root;
}

Node* ComposeLoader::canonical(const Node& root, const std::string& folder)
{
    auto& reader = world_.reader;
    Node* result = world_.tree.map(root);
    for (std::size_t i = 0; i < root.pairs(); ++i) {
        Node& key = root.key(i);
        if (key.text == "include") {
            interpolate_below(world_, root.value(i));
            put(*result, key, root.value(i));
        }
        if (!check_top_key(reader, key, root.value(i)))
            continue;
        const Reader::Inside inside(reader, key);
        interpolate_below(world_, root.value(i));
        Node* section = world_.tree.copy(root.value(i));
        section->items.clear();
        const bool services = key.text == "services", sources = is_word_of("configs secrets", key.text);
        for (std::size_t j = 0; j < root.value(i).pairs(); ++j) {
            Node& name = root.value(i).key(j);
            Node* value = &root.value(i).value(j);
            const Reader::Inside at(reader, name);
            if (value->merge != Node::Merge::reset && services)
                value = canonical_service(world_, *value, folder);
            else if (sources && value->is_map())
                value = canonical_source(world_, *value, folder);
            if (value)
                section->items.insert(section->items.end(), {&name, value});
        }
        put(*result, key, *section);
    }
    return result;
}

Node* ComposeLoader::document(const File& file, const Node& from)
{
    const auto [place, is_new] = documents_.emplace(file, nullptr);
    if (is_new)
        if (const Node* root = parse(file.path, from))
            place->second = canonical(*root, file.folder);
    return place->second;
}

// What is built without a context in any of a project's files is built from the project's folder.
void ComposeLoader::put_contexts(Node& document, const std::string& folder)
{
    auto& tree = world_.tree;
    const Node* services = document.find("services");
    Node* changed = nullptr;
    for (std::size_t i = 0; services && i < services->pairs(); ++i) {
        const Node* build = services->value(i).find("build");
        const Node* context = build && build->is_map() ? build->find("context") : build;
        if (!build || build->merge == Node::Merge::reset || (context && context->merge != Node::Merge::reset))
            continue;
        Node* with_context = tree.copy(*build);
        put(tree, *with_context, "context", *tree.scalar(folder.empty() ? "." : folder, *build));
        Node* service = tree.copy(services->value(i));
        *MapEditor(*service).find("build") = with_context;
        if (!changed)
            changed = tree.copy(*services);
        changed->items[2 * i + 1] = service;
    }
    if (changed)
        put(tree, document, "services", *changed);
}

// ---- include

Node* ComposeLoader::included_file(const Node& path, const File& file)
{
    if (!path.is_scalar()) {
        world_.reader.wrong_type(path, "a path");
        return nullptr;
    }
    const auto in_repository = repository_path(file.folder, path.text);
    if (!in_repository) {
        world_.reader.error(path, "include", fmt::format("'{}' is outside of the repository", clip(path.text)),
                            "write a path inside it");
        return nullptr;
    }
    if (std::find(open_files_.begin(), open_files_.end(), *in_repository) != open_files_.end()) {
        world_.reader.error(path, "include", fmt::format("'{}' includes itself", clip(*in_repository)));
        return nullptr;
    }
    return complete({*in_repository, folder_of(*in_repository)}, path);
}

// One entry: a path, or {path: [paths that are merged]}.
Node* ComposeLoader::included(const Node& include, const File& file)
{
    if (!include.is_map())
        return included_file(include, file);
    for (std::size_t i = 0; i < include.pairs(); ++i)
        if (include.key(i).text != "path" && !include.key(i).text.starts_with("x-"))
            world_.reader.error(include.key(i), "unsupported",
                                fmt::format("'{}' of an include is not supported", clip(include.key(i).text)),
                                "write the path alone");
    const Node* path = include.find("path");
    if (!path) {
        world_.reader.error(include, "missing-key", "an include needs 'path'");
        return nullptr;
    }
    if (path->is_list() && path->items.empty())
        world_.reader.error(*path, "missing-key", "an include needs a file in 'path'", "write path: compose.other.yml");
    if (!path->is_list())
        return included_file(*path, file);
    Node* merged = nullptr;
    for (const Node* item : path->items)
        if (Node* one = included_file(*item, file))
            merged = merged ? merge_compose(world_.tree, *merged, *one, "") : one;
    return merged;
}

// The folder that relative paths of an entry start at: that of its first file.
std::string ComposeLoader::folder_of_include(const Node& include, const File& file)
{
    const Node* path = include.is_map() ? include.find("path") : &include;
    if (path && path->is_list())
        path = path->items.empty() ? nullptr : path->items.front();
    return folder_of(path && path->is_scalar() ? repository_path(file.folder, path->text).value_or("") : "");
}

// An included file with what `own` adds. What both have must be the same: neither of them is meant to change the other.
Node* ComposeLoader::combine(const Node& other, const Node& own)
{
    Node* added = world_.tree.copy(own);
    for (std::size_t i = 0; i < own.pairs(); ++i) {
        const auto& kind = own.key(i).text;
        Node* theirs = other.find(kind);
        if (!theirs)
            continue;
        const Reader::Inside inside(world_.reader, own.key(i));
        Node* section = world_.tree.copy(own.value(i));
        section->items.clear();
        MapEditor known(*theirs);
        for (std::size_t j = 0; j < own.value(i).pairs(); ++j) {
            Node& name = own.value(i).key(j);
            Node& value = own.value(i).value(j);
            Node** same_name = known.find(name.text);
            if (same_name && is_same_compose(world_.tree, **same_name, value))
                continue;
            const Reader::Inside inside_of_section(world_.reader, name);
            if (same_name)
                world_.reader.error(
                    name, "conflict",
                    fmt::format("the {} '{}' is in an included file, too, and not the same", kind.substr(0, kind.size() - 1), clip(name.text)),
                    "give one of them another name, or list the files under 'compose' of the stage, which merges them");
            section->items.insert(section->items.end(), {&name, &value});
        }
        added->items[2 * i + 1] = section;
    }
    return merge_compose(world_.tree, other, *added, "");
}

Node* ComposeLoader::complete(const File& file, const Node& from)
{
    Node* own = document(file, from);
    if (!own)
        return nullptr;
    Node* result = world_.tree.copy(*own);
    extend_all(*result, file);
    const Node* include = own->find("include");
    if (!include || include->is_null())
        return result;
    remove(*result, "include");
    open_files_.push_back(file.path);
    std::vector<const Node*> entries{include};
    if (include->is_list())
        entries.assign(include->items.begin(), include->items.end());
    for (const Node* entry : entries) {
        Node* other = included(*entry, file);
        if (!other)
            continue;
        put_contexts(*other, folder_of_include(*entry, file));
        result = combine(*other, *result);
    }
    open_files_.pop_back();
    return result;
}

// ---- all files of a stage

Node* ComposeLoader::load(const std::vector<const Node*>& files)
{
    Node* merged = nullptr;
    std::optional<std::string> folder; // of the first file: what relative paths of all of them start at
    for (const Node* node : files) {
        const auto path = repository_path("", node->text);
        if (!path || *path == ".") {
            world_.reader.error(*node, "bad-value", fmt::format("'{}' is outside of the repository", clip(node->text)),
                                "write a path inside it, from its root");
            continue;
        }
        if (!folder)
            folder = folder_of(*path);
        if (Node* document = complete({*path, *folder}, *node))
            merged = merged ? merge_compose(world_.tree, *merged, *document, "") : document;
    }
    Node* services = merged ? merged->find("services") : nullptr;
    if (merged && (!services || services->items.empty())) {
        world_.reader.error(*files.front(), "missing-key", "there are no services in this Compose file");
        return nullptr;
    }
    if (!merged)
        return nullptr;
    world_.tree.charge(*services);
    Node* left = world_.tree.copy(*without_resets(world_.tree, *services));
    for (std::size_t i = 0; i < left->pairs(); ++i)
        left->items[2 * i + 1] = world_.tree.copy(left->value(i)); // what is chosen from changes
    put(world_.tree, *merged, "services", *left);
    put_contexts(*merged, *folder);
    return merged;
}

} // namespace gantry::pipeline::native
