#include "pipeline/frontend/yaml_tree.hpp"

#include "pipeline/frontend/yaml_events.hpp"
#include "pipeline/frontend/yaml_problems.hpp"
#include "pipeline/line_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <unordered_map>
#include <unordered_set>

namespace gantry::pipeline::native {

Node* Node::find(std::string_view wanted) const
{
    for (std::size_t i = 0; kind == Kind::map && i < pairs(); ++i)
        if (key(i).text == wanted)
            return &value(i);
    return nullptr;
}

namespace {

// Leaves the events after a problem that makes the rest of the file meaningless; it has been reported.
struct Stop {};

// Remembers keys to find the second of two equal ones; linear for the few keys that maps usually have.
class KeySet {
public:
    // The earlier key that is equal, or null.
    const Node* add(const Node& key)
    {
        if (few_.size() < k_few) {
            for (const Node* other : few_)
                if (other->text == key.text)
                    return other;
            few_.push_back(&key);
            return nullptr;
        }
        if (many_.empty())
            for (const Node* other : few_)
                many_.emplace(other->text, other);
        const auto [found, added] = many_.emplace(key.text, &key);
        return added ? nullptr : found->second;
    }

private:
    static constexpr std::size_t k_few = 16;
    std::vector<const Node*> few_;
    std::unordered_map<std::string_view, const Node*> many_;
};

bool is_null(const YamlEvent& event)
{
    constexpr std::string_view k_nulls[] = {"", "~", "null", "Null", "NULL"};
    return event.style == YamlEvent::Style::plain && event.tag.empty() &&
           std::find(std::begin(k_nulls), std::end(k_nulls), event.text) != std::end(k_nulls);
}

class TreeBuilder {
public:
    TreeBuilder(const SourceFile& file, int file_index, NodePool& pool, Diagnostics& diagnostics, const YamlUse& use)
        : text_(file.text), lines_(text_), file_(file_index), pool_(pool), diagnostics_(diagnostics), use_(use)
    {
    }

    // The root; null pointer for an empty document. Throws Stop.
    Node* build()
    {
        YamlEvents events(text_);
        while (const YamlEvent* event = events.next())
            take(*event);
        if (events.error()) {
            diagnostics_.push_back(explain_syntax_error(text_, file_, *events.error()));
            throw Stop{};
        }
        return root_;
    }

private:
    void take(const YamlEvent& event)
    {
        switch (event.kind) {
        case YamlEvent::Kind::document:
            if (documents_++ > 0)
                stop(event.offset, "yaml", use_.one_document, use_.one_document_hint);
            break;
        case YamlEvent::Kind::alias: add(aliased(event)); break;
        case YamlEvent::Kind::scalar: add(is_null(event) ? null(event) : scalar(event)); break;
        case YamlEvent::Kind::list: open(make(Node::Kind::list, event), event.offset); break;
        case YamlEvent::Kind::map: open(make(Node::Kind::map, event), event.offset); break;
        case YamlEvent::Kind::end:
            if (stack_.back()->is_map()) {
                merge(*stack_.back());
                refuse_duplicates(*stack_.back());
            }
            close();
            break;
        }
    }

    Node* null(const YamlEvent& event)
    {
        Node* node = make(Node::Kind::null, event);
        if (event.text.empty())
            place_null(*node);
        return node;
    }

    Node* aliased(const YamlEvent& event)
    {
        const auto found = anchors_.find(event.text);
        if (found == anchors_.end())
            stop(event.offset, "yaml", fmt::format("no anchor '{}' stands above", clip(event.text)),
                 "define it with &name; or put the text in quotes");
        if (!found->second->complete)
            stop(event.offset, "yaml", "an alias stands inside what it names: that would never end", "");
        alias_nodes_ += found->second->weight;
        alias_bytes_ += found->second->text_bytes;
        if (alias_nodes_ > k_max_alias_nodes)
            stop(event.offset, "limit", fmt::format("aliases add more than {} nodes to this file", k_max_alias_nodes), "");
        if (alias_bytes_ > k_max_alias_bytes)
            stop(event.offset, "limit", fmt::format("aliases add more than {} bytes to this file", k_max_alias_bytes), "");
        return found->second;
    }

    Node* scalar(const YamlEvent& event)
    {
        Node* node = make(Node::Kind::scalar, event);
        node->text = event.text;
        node->text_bytes = static_cast<std::uint32_t>(event.text.size());
        const bool is_text_by_tag = !event.tag.empty() && node->merge == Node::Merge::normal; // !!str
        node->style = event.style == YamlEvent::Style::block                      ? Node::Style::block
                      : event.style == YamlEvent::Style::quoted || is_text_by_tag ? Node::Style::quoted
                                                                                  : Node::Style::plain;
        return node;
    }

    [[noreturn]] void stop(std::size_t offset, std::string code, std::string message, std::string hint)
    {
        report(lines_.mark(file_, offset), 1, std::move(code), std::move(message), std::move(hint));
        throw Stop{};
    }

    void report(Mark mark, std::size_t length, std::string code, std::string message, std::string hint)
    {
        if (diagnostics_.size() < k_max_diagnostics)
            diagnostics_.push_back({Severity::error, std::move(code), std::move(message), mark, length, "", std::move(hint)});
    }

    void report(const Node& node, std::string code, std::string message, std::string hint)
    {
        if (diagnostics_.size() >= k_max_diagnostics)
            return;
        report(node.mark, extent(node, text_), std::move(code), std::move(message), std::move(hint));
    }

    Node* make(Node::Kind kind, const YamlEvent& event)
    {
        if (pool_.size() >= k_max_nodes)
            stop(event.offset, "limit", fmt::format("the pipeline has more than {} nodes", k_max_nodes), "split it into several");
        Node& node = pool_.emplace_back();
        node.kind = kind;
        node.complete = kind == Node::Kind::null || kind == Node::Kind::scalar;
        place(node, event.offset);
        refuse_tab(node);
        if (use_.takes_merge_tags && (event.tag == "!reset" || event.tag == "!override"))
            node.merge = event.tag == "!reset" ? Node::Merge::reset : Node::Merge::replace;
        else
            check_tag(event, kind);
        place(node, behind_properties(event.offset));
        if (!event.anchor.empty())
            anchors_[std::string(event.anchor)] = &node;
        return &node;
    }

    void place(Node& node, std::size_t offset) const
    {
        node.offset = static_cast<std::uint32_t>(offset);
        node.mark = lines_.mark(file_, offset);
    }

    // A value that is left out stands at no place of its own; what people look for is its key or dash.
    void place_null(Node& node) const
    {
        const Node* parent = stack_.empty() ? nullptr : stack_.back();
        if (parent && parent->is_map() && parent->items.size() % 2 == 1)
            return place(node, parent->items.back()->offset);
        const auto before = text_.find_last_not_of(" \t\r\n", node.offset == 0 ? 0 : node.offset - 1);
        if (before != std::string_view::npos && before < node.offset && text_[before] == '-')
            place(node, before);
    }

    // Behind `&anchor` and `!tag`, as far as they stand on the same line.
    std::size_t behind_properties(std::size_t at) const
    {
        while (at < text_.size() && (text_[at] == '&' || text_[at] == '!')) {
            const auto blank = text_.find_first_of(" \t\r\n", at);
            const auto next = blank == std::string_view::npos ? blank : text_.find_first_not_of(" \t", blank);
            if (next == std::string_view::npos || text_[next] == '\n' || text_[next] == '\r' || text_[next] == '#')
                break;
            at = next;
        }
        return at;
    }

    void check_tag(const YamlEvent& event, Node::Kind kind)
    {
        const auto tag = event.tag;
        if (tag.empty())
            return;
        constexpr std::string_view k_core = "tag:yaml.org,2002:";
        const auto name = tag.substr(tag.rfind(k_core, 0) == 0 ? k_core.size() : tag.size());
        if ((name == "str" && kind == Node::Kind::scalar) || (name == "map" && kind == Node::Kind::map) ||
            (name == "seq" && kind == Node::Kind::list))
            return;
        const bool reference = tag == "!reference";
        report(lines_.mark(file_, event.offset), std::max<std::size_t>(1, name.empty() ? tag.size() : name.size() + 2),
               "yaml", fmt::format("the tag '{}{}' has no meaning here", name.empty() ? "" : "!!", clip(name.empty() ? tag : name)),
               reference ? "use an anchor (&name) and an alias (*name)" : "remove it");
    }

    // YAML wants spaces for indentation; libyaml takes tabs at some places, too.
    void refuse_tab(const Node& node)
    {
        if (node.mark.line == line_checked_)
            return;
        line_checked_ = node.mark.line;
        const auto start = node.offset - static_cast<std::size_t>(node.mark.column - 1);
        const auto first = text_.find_first_not_of(" \t", start);
        const auto tab = text_.substr(0, first).find('\t', start);
        if (tab == std::string_view::npos)
            return;
        const auto column = static_cast<int>(tab - start) + 1;
        report({file_, node.mark.line, column}, 1, "yaml", k_tab_message, k_tab_hint);
    }

    void open(Node* node, std::size_t offset)
    {
        if (stack_.size() >= static_cast<std::size_t>(k_max_depth))
            stop(offset, "limit", fmt::format("nested deeper than {} levels", k_max_depth), "");
        add(node);
        stack_.push_back(node);
    }

    void close()
    {
        Node& node = *stack_.back();
        node.complete = true;
        stack_.pop_back();
        // Weights of the inside; an alias has been limited where it stood, so the sum stays small.
        for (const Node* item : node.items) {
            node.weight += item->weight;
            node.text_bytes += item->text_bytes;
        }
    }

    void add(Node* node)
    {
        if (stack_.empty())
            root_ = node;
        else
            stack_.back()->items.push_back(node);
    }

    void merge(Node& map);
    void collect(const Node& key, const Node& source, std::vector<Node*>& into);
    void refuse_duplicates(Node& map);

    std::string_view text_;
    LineIndex lines_;
    int file_;
    NodePool& pool_;
    Diagnostics& diagnostics_;
    const YamlUse& use_;
    std::map<std::string, Node*, std::less<>> anchors_;
    std::vector<Node*> stack_;
    Node* root_ = nullptr;
    std::size_t alias_nodes_ = 0, alias_bytes_ = 0;
    int documents_ = 0, line_checked_ = 0;
};

// Appends the pairs of a map, or of each map of a list. The maps are complete, so their own merge keys are gone.
void TreeBuilder::collect(const Node& key, const Node& source, std::vector<Node*>& into)
{
    if (source.is_map()) {
        into.insert(into.end(), source.items.begin(), source.items.end());
        return;
    }
    if (!source.is_list() || !std::all_of(source.items.begin(), source.items.end(), [](const Node* n) { return n->is_map(); })) {
        report(key, "yaml", "'<<' takes a map or a list of maps", "write <<: *name, where &name stands before a map");
        return;
    }
    for (const Node* map : source.items)
        collect(key, *map, into);
}

// Carries out `<<` (YAML 1.1's merge key, which Compose and GitLab files use): the map's own keys win, then earlier maps.
void TreeBuilder::merge(Node& map)
{
    const auto is_merge = [](const Node& key) { return key.is_plain() && key.text == "<<"; };
    bool any = false;
    for (std::size_t i = 0; i < map.pairs(); ++i)
        any = any || is_merge(map.key(i));
    if (!any)
        return;
    std::vector<Node*> own, merged;
    for (std::size_t i = 0; i < map.pairs(); ++i) {
        if (is_merge(map.key(i)))
            collect(map.key(i), map.value(i), merged);
        else
            own.insert(own.end(), {&map.key(i), &map.value(i)});
    }
    std::unordered_set<std::string_view> taken;
    for (std::size_t i = 0; i < own.size(); i += 2)
        taken.insert(own[i]->text);
    std::vector<Node*> items;
    for (std::size_t i = 0; i < merged.size(); i += 2)
        if (taken.insert(merged[i]->text).second)
            items.insert(items.end(), {merged[i], merged[i + 1]});
    items.insert(items.end(), own.begin(), own.end());
    map.items = std::move(items);
}

// Reports keys that stand twice or are no text, and drops them.
void TreeBuilder::refuse_duplicates(Node& map)
{
    KeySet keys;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < map.pairs(); ++i) {
        Node& key = map.key(i);
        if (!key.is_scalar()) {
            report(key, "yaml", "a key must be text", key.is_null() ? "something is missing before the ':'" : "");
            continue;
        }
        if (const Node* first = keys.add(key)) {
            report(key, "duplicate-key", fmt::format("the key '{}' stands twice in this map", clip(key.text)),
                   fmt::format("the first is on line {}", first->mark.line));
            continue;
        }
        map.items[2 * kept] = map.items[2 * i];
        map.items[2 * kept + 1] = map.items[2 * i + 1];
        ++kept;
    }
    map.items.resize(2 * kept);
}

} // namespace

Node* read_yaml(const SourceFile& file, int file_index, NodePool& pool, Diagnostics& diagnostics, const YamlUse& use)
{
    if (!check_encoding(file, file_index, diagnostics))
        return nullptr;
    Node* root = nullptr;
    try {
        root = TreeBuilder(file, file_index, pool, diagnostics, use).build();
    } catch (const Stop&) {
        return nullptr;
    }
    if (!root || root->is_null()) {
        diagnostics.push_back({Severity::error, "missing-key", "the file is empty", {file_index, 1, 1}, 1, "",
                               use.empty_hint});
        return nullptr;
    }
    return root;
}

} // namespace gantry::pipeline::native
