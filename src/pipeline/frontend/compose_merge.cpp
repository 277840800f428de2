#include "pipeline/frontend/compose_tree.hpp"

#include "pipeline/frontend/container_types.hpp"

#include <fmt/format.h>

// Compose's rules of merging, on canonical services.

namespace gantry::pipeline::native {

namespace {

std::string text_of(const Node& map, std::string_view key)
{
    const Node* value = map.find(key);
    return value && value->is_scalar() ? value->text : "";
}

// What two entries of a list have in common when the later replaces the earlier; empty: they never do.
std::string identity(const Node& item, std::string_view list)
{
    if (list == "ports" && item.is_map())
        return fmt::format("{}:{}:{}/{}", text_of(item, "host_ip"), text_of(item, "published"), text_of(item, "target"),
                           item.find("protocol") ? text_of(item, "protocol") : "tcp");
    if (list == "ports" && item.is_scalar()) {
        const auto slash = item.text.rfind('/');
        const auto ports = item.text.substr(0, slash);
        const auto colons = colons_outside_expressions(ports).size();
        return (colons == 0   ? "::"
                : colons == 1 ? ":"
                              : "") +
               ports + '/' + (slash == std::string::npos ? "tcp" : item.text.substr(slash + 1));
    }
    if (list == "volumes")
        return text_of(item, "target");
    if (list == "configs" || list == "secrets" || (list == "devices" && item.is_map()))
        return item.find("target") ? text_of(item, "target") : text_of(item, "source");
    if (list == "config") // of ipam
        return text_of(item, "subnet");
    if (list == "env_file")
        return text_of(item, "path");
    if (list == "devices" && item.is_scalar()) { // by the path in the container
        const auto first = item.text.find(':');
        const auto second = item.text.find(':', first == std::string::npos ? first : first + 1);
        return first == std::string::npos
                   ? item.text
                   : item.text.substr(first + 1, second == std::string::npos ? second : second - first - 1);
    }
    return item.is_scalar() ? item.text : "";
}

Node* merge_lists(ComposeTree& tree, const Node& base, const Node& over, std::string_view what)
{
    tree.charge_nodes(over.items.size());
    Node* merged = tree.copy(base);
    merged->items.clear();
    std::unordered_map<std::string, std::size_t> places;
    for (const Node* list : {&base, &over}) {
        for (Node* item : list->items) {
            const auto id = identity(*item, what);
            const auto [place, is_new] = places.emplace(id, merged->items.size());
            if (id.empty() || is_new)
                merged->items.push_back(item);
            else if (what == "config" && item->is_map() && merged->items[place->second]->is_map())
                merged->items[place->second] = merge_compose(tree, *merged->items[place->second], *item, "");
            else
                merged->items[place->second] = item;
        }
    }
    return merged;
}

const Node* find_charged(ComposeTree& tree, const Node& map, std::string_view key)
{
    tree.charge_nodes(map.pairs());
    return map.find(key);
}

bool is_replaced(std::string_view what) { return is_word_of("command entrypoint test", what); }

// Options of one log driver mean nothing to another.
bool is_other_driver(const Node& base, const Node& over)
{
    return base.find("driver") && over.find("driver") && text_of(base, "driver") != text_of(over, "driver");
}

} // namespace

Node* merge_compose(ComposeTree& tree, const Node& base, const Node& over, std::string_view what)
{
    // To what !override has put in its place later files add as to anything else; of what stands before it keeps nothing.
    if (over.merge != Node::Merge::normal || base.merge == Node::Merge::reset)
        return tree.copy(over);
    if (over.is_null())
        return tree.copy(base);
    if (base.is_list() && over.is_list() && !is_replaced(what))
        return merge_lists(tree, base, over, what);
    if (!base.is_map() || !over.is_map() || (what == "logging" && is_other_driver(base, over)))
        return tree.copy(over);
    tree.charge_nodes(over.items.size());
    Node* merged = tree.copy(base);
    MapEditor editor(*merged);
    for (std::size_t i = 0; i < over.pairs(); ++i) {
        Node& key = over.key(i);
        Node** old = editor.find(key.text);
        editor.put(key, *(old ? merge_compose(tree, **old, over.value(i), key.text) : &over.value(i)));
    }
    return merged;
}

bool is_same_compose(ComposeTree& tree, const Node& one, const Node& other)
{
    tree.charge_nodes(1);
    if (&one == &other)
        return true;
    const auto says_nothing = [](const Node& node) { return !node.is_scalar() && node.items.empty(); };
    if (says_nothing(one) && says_nothing(other))
        return one.merge == other.merge;
    if (one.kind != other.kind || one.merge != other.merge || one.text != other.text || one.items.size() != other.items.size())
        return false;
    for (std::size_t i = 0; one.is_list() && i < one.items.size(); ++i)
        if (!is_same_compose(tree, *one.items[i], *other.items[i]))
            return false;
    for (std::size_t i = 0; one.is_map() && i < one.pairs(); ++i) {
        const auto& key = one.key(i).text;
        const Node* theirs = key == other.key(i).text ? &other.value(i) : find_charged(tree, other, key);
        if (!theirs || !is_same_compose(tree, one.value(i), *theirs))
            return false;
    }
    return true;
}

Node* without_overrides(ComposeTree& tree, Node& node)
{
    tree.charge_nodes(1);
    Node* result = &node;
    if (node.merge == Node::Merge::replace && !node.is_null()) {
        result = tree.copy(node);
        result->merge = Node::Merge::normal;
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        Node* item = without_overrides(tree, *node.items[i]);
        if (item == node.items[i])
            continue;
        if (result == &node)
            result = tree.copy(node);
        result->items[i] = item;
    }
    return result;
}

Node* without_resets(ComposeTree& tree, Node& node)
{
    Node* result = &node;
    const std::size_t stride = node.is_map() ? 2 : 1;
    std::vector<Node*> items;
    items.reserve(node.items.size());
    for (std::size_t i = 0; i < node.items.size(); i += stride) {
        Node* value = node.items[i + stride - 1];
        if (value->merge == Node::Merge::reset)
            continue;
        if (node.is_map())
            items.push_back(node.items[i]);
        items.push_back(without_resets(tree, *value));
    }
    if (items != node.items) {
        result = tree.copy(node);
        result->items = std::move(items);
    }
    return result;
}

} // namespace gantry::pipeline::native
