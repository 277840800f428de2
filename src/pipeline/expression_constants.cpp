#include "pipeline/expression_functions.hpp"
#include "pipeline/expression_patterns.hpp"
#include "pipeline/expression_tree.hpp"

namespace gantry::pipeline {

namespace {

// Larger texts are not kept: each is at most a megabyte, and an expression can make thousands of them.
constexpr std::size_t k_max_folded_bytes = 64 * 1024;

// Operations that fail or not by one of their operands alone: the pattern of matches, the right side of in, the text of
// format and how many values there are.
bool is_judged_by(const Node& node, std::size_t operand)
{
    if (node.kind == Node::Kind::call)
        return node.text == "format" && operand == 0;
    return node.kind == Node::Kind::binary && (node.text == "matches" || node.text == "in") && operand == 1;
}

class ConstantFolder {
public:
    explicit ConstantFolder(Patterns& patterns) : patterns_(patterns) {}

    std::vector<ConstantProblem> found;

    // What the node gives in every run; nothing where that is not known, or where it fails.
    std::optional<Value> fold(const Node& node)
    {
        switch (node.kind) {
        case Node::Kind::literal: return node.value;
        case Node::Kind::name: return std::nullopt;
        case Node::Kind::binary:
            if (node.text == "&&" || node.text == "||")
                return fold_junction(node);
            break;
        default: break;
        }
        std::vector<std::optional<Value>> operands;
        for (const auto& child : node.children)
            operands.push_back(fold(child));
        return compute(node, std::move(operands));
    }

private:
    // The right side may never be looked at.
    std::optional<Value> fold_junction(const Node& node)
    {
        auto left = fold(node.children[0]);
        if (left && truthy(*left) != (node.text == "&&"))
            return left;
        auto right = fold(node.children[1]);
        return left ? right : std::nullopt;
    }

    std::optional<Value> compute(const Node& node, std::vector<std::optional<Value>> operands)
    {
        if (node.kind == Node::Kind::call && !find_function(node.text)->compute)
            return std::nullopt;
        if (node.kind == Node::Kind::binary && node.text == "matches") {
            if (operands[1])
                report(node, patterns_.problem_of(*operands[1]));
            return std::nullopt;
        }
        bool all_known = true, is_judged = false;
        Node sample;
        sample.kind = node.kind;
        sample.text = node.text;
        for (std::size_t i = 0; i < operands.size(); ++i) {
            all_known = all_known && operands[i];
            is_judged = is_judged || (operands[i] && is_judged_by(node, i));
            Node operand;
            operand.value = std::move(operands[i]).value_or(Value());
            sample.children.push_back(std::move(operand));
        }
        if (!all_known && !is_judged)
            return std::nullopt;
        auto result = evaluate(Expression(std::move(sample)), {});
        report(node, std::move(result.error));
        const auto* text = result.value ? std::get_if<std::string>(&*result.value) : nullptr;
        if (!all_known || (text && text->size() > k_max_folded_bytes))
            return std::nullopt;
        return std::move(result.value);
    }

    void report(const Node& node, std::string error)
    {
        if (!error.empty())
            found.push_back({place_of(node), std::move(error)});
    }

    static std::size_t place_of(const Node& node)
    {
        for (std::size_t i = 0; i < node.children.size(); ++i)
            if (is_judged_by(node, i))
                return node.kind == Node::Kind::call ? node.offset : node.children[i].offset;
        return node.offset;
    }

    Patterns& patterns_;
};

} // namespace

std::vector<ConstantProblem> problems_of_constants(const Expression& expression, Patterns& patterns)
{
    ConstantFolder folder(patterns);
    folder.fold(expression.root);
    return std::move(folder.found);
}

} // namespace gantry::pipeline
