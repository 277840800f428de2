#include "pipeline/frontend/compose_tree.hpp"

#include "pipeline/frontend/yaml_problems.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::pipeline::native {

void ComposeTree::charge_nodes(std::size_t nodes)
{
    nodes_ += nodes;
    if (nodes_ > k_max_compose_nodes)
        throw ComposeLimit{fmt::format("the Compose files make more than {} nodes", k_max_compose_nodes)};
}

Node* ComposeTree::make(Node::Kind kind, const Node& at)
{
    charge_nodes(1);
    Node& node = pool_.emplace_back();
    node.kind = kind;
    node.mark = at.mark;
    node.offset = at.offset;
    node.complete = true;
    return &node;
}

Node* ComposeTree::scalar(std::string text, const Node& at)
{
    charge_bytes(text.size());
    Node* node = make(Node::Kind::scalar, at);
    node->text = std::move(text);
    return node;
}

Node* ComposeTree::map(const Node& at) { return make(Node::Kind::map, at); }
Node* ComposeTree::list(const Node& at) { return make(Node::Kind::list, at); }
Node* ComposeTree::null(const Node& at) { return make(Node::Kind::null, at); }

Node* ComposeTree::copy(const Node& of)
{
    charge_nodes(1 + of.items.size());
    charge_bytes(of.text.size());
    return &pool_.emplace_back(of);
}

void ComposeTree::charge(const Node& node)
{
    charge_nodes(1 + node.text.size() / 256);
    for (const Node* item : node.items)
        charge(*item);
}

void ComposeTree::charge_bytes(std::size_t bytes)
{
    bytes_ += bytes;
    if (bytes_ > k_max_compose_bytes)
        throw ComposeLimit{fmt::format("the values of the Compose files have more than {} bytes", k_max_compose_bytes)};
}

MapEditor::MapEditor(Node& map) : map_(map)
{
    for (std::size_t i = 0; i < map.pairs(); ++i)
        places_.emplace(map.key(i).text, i);
}

Node** MapEditor::find(std::string_view key)
{
    const auto place = places_.find(key);
    return place == places_.end() ? nullptr : &map_.items[2 * place->second + 1];
}

void MapEditor::put(Node& key, Node& value)
{
    const auto [place, is_new] = places_.emplace(key.text, map_.pairs());
    if (is_new) {
        map_.items.insert(map_.items.end(), {&key, &value});
    } else {
        map_.items[2 * place->second] = &key;
        map_.items[2 * place->second + 1] = &value;
    }
}

void put(Node& map, Node& key, Node& value)
{
    for (std::size_t i = 0; i < map.pairs(); ++i) {
        if (map.key(i).text == key.text) {
            map.items[2 * i] = &key;
            map.items[2 * i + 1] = &value;
            return;
        }
    }
    map.items.insert(map.items.end(), {&key, &value});
}

void put(ComposeTree& tree, Node& map, std::string key, Node& value)
{
    put(map, *tree.scalar(std::move(key), value), value);
}

void remove(Node& map, std::string_view key)
{
    for (std::size_t i = 0; i < map.pairs(); ++i) {
        if (map.key(i).text == key) {
            const auto place = map.items.begin() + static_cast<std::ptrdiff_t>(2 * i);
            map.items.erase(place, place + 2);
            return;
        }
    }
}

const Node& key_of(const Node& map, std::string_view key)
{
    for (std::size_t i = 0; i < map.pairs(); ++i)
        if (map.key(i).text == key)
            return map.key(i);
    return map;
}

void ComposeWorld::warn_unset(const Node& at, std::size_t offset, const std::string& name, std::string message)
{
    constexpr std::size_t k_most = 20;
    if (!warned.insert(name).second || warned.size() > k_most + 1)
        return;
    if (warned.size() > k_most)
        message = "further variables have no value, too";
    reader.warn_inside(at, offset, "unset-variable", std::move(message),
                       "set it in .env beside the Compose file, or in 'env' of the pipeline");
}

void ComposeWorld::warn_unset_in_file(const Node& at, const std::string& file, const std::string& name)
{
    warn_unset(at, 0, file + ':' + name,
               fmt::format("'{}' of '{}' uses a variable that has no value: it is taken as empty", clip(name), clip(file)));
}

namespace {

class TreeInterpolator {
public:
    explicit TreeInterpolator(ComposeWorld& world) : world_(world) {}

    void visit(Node& node)
    {
        if (!world_.interpolated.insert(&node).second)
            return;
        if (node.is_scalar() && node.text.find('$') != std::string::npos)
            replace(node);
        for (std::size_t i = 0; node.is_map() && i < node.pairs(); ++i) {
            const Reader::Inside inside(world_.reader, node.key(i));
            visit(node.value(i));
        }
        for (std::size_t i = 0; node.is_list() && i < node.items.size(); ++i) {
            const Reader::Inside inside(world_.reader, i);
            visit(*node.items[i]);
        }
    }

private:
    // Those of a Compose file are none, which has been told.
    static std::string without_expressions(std::string_view text)
    {
        std::string result;
        for (std::size_t at = 0; at < text.size(); ++at) {
            result += text[at];
            if (text.substr(at, 3) == "${{")
                result += ' ';
        }
        return result;
    }

    void replace(Node& node)
    {
        auto result = interpolate(node.text, world_.find);
        if (const auto& problem = result.problem) {
            world_.reader.error_inside(node, problem->offset, "interpolation", problem->message, problem->hint);
            world_.reader.set_told(node);
            result.text = without_expressions(node.text); // something stands there
        }
        for (const auto& unset : result.unset)
            world_.warn_unset(node, unset.offset, unset.name,
                              fmt::format("the variable '{}' has no value: it is taken as empty", clip(unset.name)));
        world_.tree.charge_bytes(result.text.size());
        node.text = std::move(result.text);
    }

    ComposeWorld& world_;
};

} // namespace

void interpolate_below(ComposeWorld& world, Node& node) { TreeInterpolator(world).visit(node); }

} // namespace gantry::pipeline::native
