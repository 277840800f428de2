#include "pipeline/expression_functions.hpp"
#include "pipeline/expression_tree.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <array>

namespace gantry::pipeline {

namespace {

// The name that an index chain spells with literal keys, as far as it does from its root. `rest` gets the keys that are
// computed. False: the chain does not start with a name.
bool read_chain(const Node& node, Reference& reference, std::vector<const Node*>& rest)
{
    if (node.kind == Node::Kind::name) {
        reference.path.push_back(node.text);
        reference.offsets.push_back(node.offset);
        return true;
    }
    if (node.kind != Node::Kind::index || !read_chain(node.children[0], reference, rest))
        return false;
    const auto& key = node.children[1];
    if (key.kind != Node::Kind::literal) {
        reference.is_computed = true;
        rest.push_back(&key);
    } else if (rest.empty()) {
        reference.path.push_back(to_text(key.value));
        reference.offsets.push_back(key.offset);
    }
    return true;
}

class Collector {
public:
    enum class Want { all, carried };
    explicit Collector(Want want) : want_(want) {}

    void collect(const Node& node)
    {
        switch (node.kind) {
        case Node::Kind::literal: return;
        case Node::Kind::name:
        case Node::Kind::index: return collect_chain(node);
        case Node::Kind::call: return collect_call(node);
        case Node::Kind::binary: return collect_binary(node);
        case Node::Kind::negate:
            if (want_ == Want::all)
                collect(node.children[0]);
            return;
        case Node::Kind::list:
            for (const auto& child : node.children)
                collect(child);
        }
    }

    std::vector<Reference> found;

private:
    void collect_chain(const Node& node)
    {
        Reference reference;
        std::vector<const Node*> rest;
        if (!read_chain(node, reference, rest)) {
            collect(node.children[0]);
            if (want_ == Want::all)
                collect(node.children[1]);
            return;
        }
        found.push_back(std::move(reference));
        if (want_ == Want::all)
            for (const auto* key : rest)
                collect(*key);
    }

    void collect_call(const Node& node)
    {
        const auto* function = find_function(node.text);
        if (want_ == Want::all && function && !function->compute)
            found.push_back({{node.text + "()"}, {node.offset}});
        constexpr std::array<std::string_view, 3> k_carriers = {"default", "format", "join"};
        const bool carries = std::find(k_carriers.begin(), k_carriers.end(), node.text) != k_carriers.end();
        if (want_ == Want::carried && !carries)
            return;
        for (const auto& child : node.children)
            collect(child);
    }

    void collect_binary(const Node& node)
    {
        const bool is_or = node.text == "||";
        const bool is_and = node.text == "&&";
        if (want_ == Want::all || is_or)
            collect(node.children[0]);
        // What `&&` gives of its left side is false in some way, which carries no text.
        if (want_ == Want::all || is_or || is_and)
            collect(node.children[1]);
    }

    Want want_;
};

} // namespace

std::vector<Reference> references_of(const Expression& expression)
{
    Collector collector(Collector::Want::all);
    collector.collect(expression.root);
    return std::move(collector.found);
}

std::vector<Reference> carried_by(const Expression& expression)
{
    Collector collector(Collector::Want::carried);
    collector.collect(expression.root);
    return std::move(collector.found);
}

std::set<std::string> names_of(const Expression& expression)
{
    std::set<std::string> names;
    for (const auto& reference : references_of(expression))
        names.insert(join(reference.path, "."));
    return names;
}

bool calls_status_function(const Expression& expression)
{
    const auto references = references_of(expression);
    return std::any_of(references.begin(), references.end(), [](const Reference& reference) {
        const auto& name = reference.path.front();
        return name.ends_with("()") && name != "hashFiles()";
    });
}

bool is_outsider_controlled(const std::string& dotted_name)
{
    constexpr std::array<std::string_view, 6> k_roots = {"author", "branch", "changed_files", "message", "ref", "tag"};
    const auto root = dotted_name.substr(0, dotted_name.find('.'));
    if (root == "pull_request")
        return dotted_name != "pull_request.number";
    return std::find(k_roots.begin(), k_roots.end(), root) != k_roots.end();
}

} // namespace gantry::pipeline
