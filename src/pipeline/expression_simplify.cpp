#include "pipeline/expression_tree.hpp"

#include "base/format.hpp"

#include <algorithm>

namespace gantry::pipeline {

namespace {

// A tree that stands for the value; nothing when it cannot be written (objects).
std::optional<Node> as_node(const Value& value)
{
    Node node;
    if (std::holds_alternative<Object>(value))
        return std::nullopt;
    const auto* list = std::get_if<List>(&value);
    if (!list) {
        node.value = value;
        return node;
    }
    node.kind = Node::Kind::list;
    for (const auto& element : *list) {
        auto child = as_node(element);
        if (!child)
            return std::nullopt;
        node.children.push_back(std::move(*child));
    }
    return node;
}

Node truth(bool value)
{
    Node node;
    node.value = value;
    return node;
}

const bool* as_truth(const Node& node)
{
    return node.kind == Node::Kind::literal ? std::get_if<bool>(&node.value) : nullptr;
}

class Simplifier {
public:
    explicit Simplifier(const Scope& scope) : scope_(scope) {}

    std::string error;

    // `must`: the node is evaluated in any case, so that its failure is the whole's.
    Node truth_of(const Node& node, bool must)
    {
        if (node.kind == Node::Kind::binary && (node.text == "&&" || node.text == "||"))
            return junction(node, must);
        if (node.kind == Node::Kind::negate) {
            auto operand = truth_of(node.children[0], must);
            if (const auto* value = as_truth(operand))
                return truth(!*value);
            return with_children(node, {std::move(operand)});
        }
        auto result = value_of(node, must);
        if (result.kind == Node::Kind::literal)
            return truth(truthy(result.value));
        if (result.kind == Node::Kind::list)
            return truth(true);
        return result;
    }

private:
    static Node with_children(const Node& node, std::vector<Node> children)
    {
        Node result;
        result.kind = node.kind;
        result.text = node.text;
        result.offset = node.offset;
        result.children = std::move(children);
        return result;
    }

    Node junction(const Node& node, bool must)
    {
        const bool is_and = node.text == "&&";
        auto left = truth_of(node.children[0], must);
        if (const auto* value = as_truth(left); value && *value != is_and)
            return left;
        const bool left_is_known = as_truth(left) != nullptr;
        auto right = truth_of(node.children[1], must && left_is_known);
        if (left_is_known)
            return right;
        if (const auto* value = as_truth(right))
            return *value == is_and ? left : right;
        std::vector<Node> children;
        children.push_back(std::move(left));
        children.push_back(std::move(right));
        return with_children(node, std::move(children));
    }

    Node value_of(const Node& node, bool must)
    {
        if (node.kind == Node::Kind::literal)
            return node;
        auto evaluated = evaluate(Expression(node), scope_);
        if (!evaluated.error.empty() && must && error.empty())
            error = std::move(evaluated.error);
        if (evaluated.value) {
            if (auto written = as_node(*evaluated.value))
                return std::move(*written);
            return node;
        }
        if (node.kind == Node::Kind::index) // a path stays readable as it is
            return node;
        // The right side of && and || may never be looked at.
        const bool lazy = node.kind == Node::Kind::binary && (node.text == "&&" || node.text == "||");
        std::vector<Node> children;
        for (const auto& child : node.children)
            children.push_back(value_of(child, must && (!lazy || children.empty())));
        return with_children(node, std::move(children));
    }

    const Scope& scope_;
};

} // namespace

std::shared_ptr<const Expression> simplify_condition(const Expression& expression, const Scope& scope,
                                                     std::string* error)
{
    Simplifier simplifier(scope);
    auto tree = simplifier.truth_of(expression.root, true);
    if (!simplifier.error.empty()) {
        if (error)
            *error = std::move(simplifier.error);
        return nullptr;
    }
    return std::make_shared<const Expression>(std::move(tree));
}

ConditionSource condition_source(const Text& condition)
{
    const Text::Part* expression = nullptr;
    for (const auto& part : condition.parts()) {
        if (trim(part.text).empty())
            continue;
        if (expression)
            return {{}, part.mark, "a condition is one expression: put all of it inside one '${{ }}'"};
        expression = &part;
    }
    if (!expression)
        return {{}, {}, "the condition is empty"};
    const auto source = trim(expression->text);
    const auto lead = static_cast<std::size_t>(source.data() - expression->text.data());
    return {std::string(source), mark_within(expression->mark, expression->text, lead), {}};
}

} // namespace gantry::pipeline
