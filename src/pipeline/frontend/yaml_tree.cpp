#include "pipeline/frontend/yaml_tree.hpp"

#include "pipeline/frontend/yaml_problems.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
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

// Leaves yaml-cpp after a problem that makes the rest of the file meaningless; it has been reported.
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

class TreeBuilder final : public YAML::EventHandler {
public:
    TreeBuilder(const SourceFile& file, int file_index, NodePool& pool, Diagnostics& diagnostics, const YamlUse& use)
        : text_(file.text), file_(file_index), pool_(pool), diagnostics_(diagnostics), use_(use)
    {
    }

    Node* root() const { return root_; }

    // The innermost `[` or `{` that has not been closed; null when there is none.
    const Node* open_bracket() const
    {
        const auto is_bracket = [&](const Node* node) {
            return node->offset < text_.size() && text_[node->offset] == (node->is_list() ? '[' : '{');
        };
        const auto found = std::find_if(stack_.rbegin(), stack_.rend(), is_bracket);
        return found == stack_.rend() ? nullptr : *found;
    }

    void OnDocumentStart(const YAML::Mark& mark) override
    {
        if (documents_++ > 0)
            stop(mark, "yaml", use_.one_document, use_.one_document_hint);
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override
    {
        Node* node = make(Node::Kind::null, mark, "", anchor);
        place_null(*node);
        add(node);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override
    {
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end() || !found->second->complete)
            stop(mark, "yaml", "an alias stands inside what it names: that would never end", "");
        alias_nodes_ += found->second->weight;
        alias_bytes_ += found->second->text_bytes;
        if (alias_nodes_ > k_max_alias_nodes)
            stop(mark, "limit", fmt::format("aliases add more than {} nodes to this file", k_max_alias_nodes), "");
        if (alias_bytes_ > k_max_alias_bytes)
            stop(mark, "limit", fmt::format("aliases add more than {} bytes to this file", k_max_alias_bytes), "");
        add(found->second);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override
    {
        Node* node = make(Node::Kind::scalar, mark, tag, anchor);
        node->text = value;
        node->text_bytes = static_cast<std::uint32_t>(value.size());
        const char first = node->offset < text_.size() ? text_[node->offset] : '\0';
        if (tag == "!" || (tag != "?" && (first == '"' || first == '\'' || first == '|' || first == '>')))
            node->style = first == '|' || first == '>' ? Node::Style::block : Node::Style::quoted;
        else if (tag != "?" && node->merge == Node::Merge::normal)
            node->style = Node::Style::quoted; // !!str
        if (node->style == Node::Style::quoted && !is_closed(node->offset))
            stop(mark, "yaml", "a quote is not closed", "");
        add(node);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override
    {
        open(make(Node::Kind::list, mark, tag, anchor), mark);
    }
    void OnSequenceEnd() override { close(); }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override
    {
        open(make(Node::Kind::map, mark, tag, anchor), mark);
    }
    void OnMapEnd() override
    {
        merge(*stack_.back());
        refuse_duplicates(*stack_.back());
        close();
    }

private:
    [[noreturn]] void stop(const YAML::Mark& mark, std::string code, std::string message, std::string hint)
    {
        report({file_, mark.line + 1, mark.column + 1}, 1, std::move(code), std::move(message), std::move(hint));
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

    Node* make(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor)
    {
        if (pool_.size() >= k_max_nodes)
            stop(mark, "limit", fmt::format("the pipeline has more than {} nodes", k_max_nodes), "split it into several");
        Node& node = pool_.emplace_back();
        node.kind = kind;
        node.offset = static_cast<std::uint32_t>(std::max(mark.pos, 0));
        node.mark = {file_, mark.line + 1, mark.column + 1};
        node.complete = kind == Node::Kind::null || kind == Node::Kind::scalar;
        refuse_tab(node);
        if (use_.takes_merge_tags && (tag == "!reset" || tag == "!override"))
            node.merge = tag == "!reset" ? Node::Merge::reset : Node::Merge::replace;
        else
            check_tag(mark, tag, kind);
        skip_properties(node);
        if (anchor != YAML::NullAnchor)
            anchors_[anchor] = &node;
        return &node;
    }

    // yaml-cpp marks a value that is left out where the next thing stands; what people look for is its key or dash.
    void place_null(Node& node) const
    {
        const auto rest = text_.substr(std::min<std::size_t>(node.offset, text_.size()));
        if (rest.substr(0, 1) == "~" || rest.substr(0, 4) == "null" || rest.substr(0, 4) == "Null" || rest.substr(0, 4) == "NULL")
            return;
        const Node* parent = stack_.empty() ? nullptr : stack_.back();
        if (parent && parent->is_map() && parent->items.size() % 2 == 1) {
            node.mark = parent->items.back()->mark;
            node.offset = parent->items.back()->offset;
            return;
        }
        const auto before = text_.find_last_not_of(" \t\r\n", node.offset == 0 ? 0 : node.offset - 1);
        if (before == std::string_view::npos || before >= node.offset || text_[before] != '-')
            return;
        const auto between = text_.substr(before, node.offset - before);
        const auto newline = text_.rfind('\n', before);
        node.mark.line -= static_cast<int>(std::count(between.begin(), between.end(), '\n'));
        node.mark.column = static_cast<int>(newline == std::string_view::npos ? before : before - newline - 1) + 1;
        node.offset = static_cast<std::uint32_t>(before);
    }

    // yaml-cpp lets the end of the file close a quote.
    bool is_closed(std::size_t offset) const
    {
        const char quote = text_[offset];
        if (quote != '"' && quote != '\'')
            return true;
        for (auto at = offset + 1; at < text_.size(); ++at) {
            if (quote == '"' && text_[at] == '\\')
                ++at;
            else if (text_[at] == quote && quote == '\'' && text_.substr(at + 1, 1) == "'")
                ++at;
            else if (text_[at] == quote)
                return true;
        }
        return false;
    }

    // Moves the mark behind `&anchor` and `!tag`, as far as they stand on the same line.
    void skip_properties(Node& node) const
    {
        auto at = static_cast<std::size_t>(node.offset);
        while (at < text_.size() && (text_[at] == '&' || text_[at] == '!')) {
            const auto blank = text_.find_first_of(" \t\r\n", at);
            const auto next = blank == std::string_view::npos ? blank : text_.find_first_not_of(" \t", blank);
            if (next == std::string_view::npos || text_[next] == '\n' || text_[next] == '\r' || text_[next] == '#')
                return;
            node.mark.column += static_cast<int>(next - at);
            node.offset = static_cast<std::uint32_t>(next);
            at = next;
        }
    }

    void check_tag(const YAML::Mark& mark, const std::string& tag, Node::Kind kind)
    {
        if (tag.empty() || tag == "?" || tag == "!")
            return;
        constexpr std::string_view k_core = "tag:yaml.org,2002:";
        const auto name = std::string_view(tag).substr(std::min(tag.size(), tag.rfind(k_core, 0) == 0 ? k_core.size() : tag.size()));
        if ((name == "str" && kind == Node::Kind::scalar) || (name == "map" && kind == Node::Kind::map) ||
            (name == "seq" && kind == Node::Kind::list))
            return;
        const bool reference = tag == "!reference";
        report({file_, mark.line + 1, mark.column + 1}, std::max<std::size_t>(1, name.empty() ? tag.size() : name.size() + 2),
               "yaml", fmt::format("the tag '{}{}' has no meaning here", name.empty() ? "" : "!!", clip(name.empty() ? tag : name)),
               reference ? "use an anchor (&name) and an alias (*name)" : "remove it");
    }

    // YAML wants spaces for indentation; yaml-cpp counts a tab as one of them.
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

    void open(Node* node, const YAML::Mark& mark)
    {
        if (stack_.size() >= static_cast<std::size_t>(k_max_depth))
            stop(mark, "limit", fmt::format("nested deeper than {} levels", k_max_depth), "");
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
    int file_;
    NodePool& pool_;
    Diagnostics& diagnostics_;
    const YamlUse& use_;
    std::unordered_map<YAML::anchor_t, Node*> anchors_;
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
    TreeBuilder builder(file, file_index, pool, diagnostics, use);
    try {
        std::istringstream stream(file.text);
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const Stop&) {
        return nullptr;
    } catch (const YAML::Exception& problem) {
        const Mark mark{file_index, problem.mark.line + 1, problem.mark.column + 1};
        const auto* bracket = builder.open_bracket();
        diagnostics.push_back(explain_syntax_error(file.text, mark, problem.msg, bracket ? bracket->mark : Mark{}));
        return nullptr;
    }
    if (!builder.root() || builder.root()->is_null()) {
        diagnostics.push_back({Severity::error, "missing-key", "the file is empty", {file_index, 1, 1}, 1, "",
                               use.empty_hint});
        return nullptr;
    }
    return builder.root();
}

} // namespace gantry::pipeline::native
