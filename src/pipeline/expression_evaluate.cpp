#include "pipeline/expression_functions.hpp"
#include "pipeline/expression_patterns.hpp"
#include "pipeline/expression_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace gantry::pipeline {

namespace {

Evaluated known(Value value) { return {std::move(value), {}}; }
Evaluated unknown() { return {}; }
std::size_t weight(const Value& value)
{
    std::size_t bytes = sizeof(Value);
    if (const auto* text = std::get_if<std::string>(&value))
        bytes += text->size();
    else if (const auto* list = std::get_if<List>(&value))
        for (const auto& element : *list)
            bytes += weight(element);
    else if (const auto* object = std::get_if<Object>(&value))
        for (const auto& [key, element] : *object)
            bytes += key.size() + weight(element);
    return bytes;
}

std::optional<std::size_t> position_in(const Value& key)
{
    const auto number = as_number(key);
    if (!number || *number < 0 || *number >= 1e9 || *number != static_cast<double>(static_cast<std::size_t>(*number)))
        return std::nullopt;
    return static_cast<std::size_t>(*number);
}

Evaluated member_of(Value base, const Value& key)
{
    if (base.is_null())
        return known({});
    if (auto* object = std::get_if<Object>(&base)) {
        const auto found = object->find(to_text(key));
        return known(found == object->end() ? Value() : std::move(found->second));
    }
    if (auto* list = std::get_if<List>(&base)) {
        const auto position = position_in(key);
        if (!position)
            return failed(fmt::format("a list is indexed by a number from 0, not by {}", type_name(key)));
        return known(*position < list->size() ? std::move((*list)[*position]) : Value());
    }
    return failed(fmt::format("{} has no members", type_name(base)));
}

// Names that are asked for one key at a time: those that may be large, and `stage`, which by itself is text.
bool is_asked_by_key(const std::string& root)
{
    return root == "steps" || root == "services" || root == "env" || root == "inputs" || root == "stage";
}

Evaluated is_in(const Value& left, const Value& right)
{
    if (const auto* list = std::get_if<List>(&right)) {
        const auto is_it = [&](const Value& element) { return loosely_equal(left, element); };
        return known(std::any_of(list->begin(), list->end(), is_it));
    }
    if (const auto* object = std::get_if<Object>(&right))
        return known(object->contains(to_text(left)));
    if (const auto* text = std::get_if<std::string>(&right))
        return known(text->find(to_text(left)) != std::string::npos);
    if (right.is_null())
        return known(false);
    return failed(fmt::format("'in' needs a list, an object or text on its right, not {}", type_name(right)));
}

Evaluated order(const std::string& symbol, const Value& left, const Value& right)
{
    int sign = 0;
    const auto left_number = as_number(left);
    const auto right_number = as_number(right);
    const auto* left_text = std::get_if<std::string>(&left);
    const auto* right_text = std::get_if<std::string>(&right);
    if (left_number && right_number)
        sign = *left_number < *right_number ? -1 : *left_number > *right_number ? 1 : 0;
    else if (left_text && right_text)
        sign = left_text->compare(*right_text);
    else
        return failed(fmt::format("'{}' cannot order {} and {}", symbol, type_name(left), type_name(right)));
    const bool equal_is_fine = symbol.size() == 2;
    if (sign == 0)
        return known(equal_is_fine);
    return known((sign < 0) == (symbol[0] == '<'));
}

Evaluated compare(const std::string& symbol, const Value& left, const Value& right, Patterns* patterns)
{
    if (symbol == "==")
        return known(loosely_equal(left, right));
    if (symbol == "!=")
        return known(!loosely_equal(left, right));
    if (symbol == "in")
        return is_in(left, right);
    if (symbol == "matches")
        return patterns ? patterns->match(left, right) : Patterns(SIZE_MAX).match(left, right);
    return order(symbol, left, right);
}

class Evaluator {
public:
    explicit Evaluator(const Scope& scope) : scope_(scope) {}

    Evaluated evaluate(const Node& node)
    {
        switch (node.kind) {
        case Node::Kind::literal: return known(node.value);
        case Node::Kind::list: return evaluate_list(node);
        case Node::Kind::name: return from_outside(scope_.find ? scope_.find(node.text) : std::nullopt);
        case Node::Kind::index: return evaluate_index(node);
        case Node::Kind::negate: return evaluate_negate(node);
        case Node::Kind::binary: return evaluate_binary(node);
        case Node::Kind::call: return evaluate_call(node);
        }
        return unknown();
    }

private:
    // Values are copied out of the scope, and a file may ask for the same large one again and again.
    Evaluated from_outside(std::optional<Value> value)
    {
        if (!value)
            return unknown();
        copied_bytes_ += weight(*value);
        if (copied_bytes_ > k_max_value_bytes)
            return failed("the expression handles more than 32 MiB");
        return known(std::move(*value));
    }

    // Fills `values`; anything but a value in `result` ends the work.
    bool evaluate_all(const std::vector<Node>& nodes, List& values, Evaluated& result)
    {
        values.reserve(nodes.size());
        bool all = true;
        for (const auto& node : nodes) {
            auto one = evaluate(node);
            if (!one.error.empty()) {
                result = std::move(one);
                return false;
            }
            all = all && one.value;
            if (all)
                values.push_back(std::move(*one.value));
        }
        return all;
    }

    Evaluated evaluate_list(const Node& node)
    {
        List values;
        Evaluated result;
        return evaluate_all(node.children, values, result) ? known(Value(std::move(values))) : result;
    }

    Evaluated evaluate_index(const Node& node)
    {
        const auto& base = node.children[0];
        auto key = evaluate(node.children[1]);
        if (!key.value)
            return key;
        if (std::get_if<List>(&*key.value) || std::get_if<Object>(&*key.value))
            return failed(fmt::format("{} cannot be an index", type_name(*key.value)));
        if (base.kind == Node::Kind::name && scope_.find_member && is_asked_by_key(base.text))
            return from_outside(scope_.find_member(base.text, to_text(*key.value)));
        auto from = evaluate(base);
        return from.value ? member_of(std::move(*from.value), *key.value) : from;
    }

    Evaluated evaluate_negate(const Node& node)
    {
        auto operand = evaluate(node.children[0]);
        return operand.value ? known(!truthy(*operand.value)) : operand;
    }

    Evaluated evaluate_binary(const Node& node)
    {
        auto left = evaluate(node.children[0]);
        if (!left.error.empty())
            return left;
        if (node.text == "&&" || node.text == "||") {
            if (left.value && truthy(*left.value) == (node.text == "&&"))
                return evaluate(node.children[1]);
            return left;
        }
        auto right = evaluate(node.children[1]);
        if (!right.error.empty())
            return right;
        return left.value && right.value ? compare(node.text, *left.value, *right.value, scope_.patterns) : unknown();
    }

    Evaluated evaluate_call(const Node& node)
    {
        const auto* function = find_function(node.text);
        List arguments;
        Evaluated result;
        if (!function || !evaluate_all(node.children, arguments, result))
            return result;
        if (!function->compute)
            return from_outside(scope_.call ? scope_.call(node.text, arguments) : std::nullopt);
        return function->compute(arguments);
    }

    const Scope& scope_;
    std::size_t copied_bytes_ = 0;
};

} // namespace

Evaluated evaluate(const Expression& expression, const Scope& scope)
{
    return Evaluator(scope).evaluate(expression.root);
}

Mark mark_within(Mark start, std::string_view source, std::size_t offset)
{
    if (!start.known())
        return {};
    const auto before = source.substr(0, std::min(offset, source.size()));
    const auto line_start = before.rfind('\n');
    if (line_start == std::string_view::npos) {
        start.column += static_cast<int>(before.size());
    } else {
        start.line += static_cast<int>(std::count(before.begin(), before.end(), '\n'));
        start.column = static_cast<int>(before.size() - line_start);
    }
    return start;
}

Text resolve_at(const Text& text, const Scope& scope, std::optional<TextError>* error)
{
    if (text.is_literal())
        return text;
    const auto refuse = [&](const Text::Part& part, std::string message, std::string hint, std::size_t offset) {
        if (error && !*error)
            *error = TextError{std::move(message), std::move(hint), mark_within(part.mark, part.text, offset),
                               offset == 0 ? part.text.size() : 1};
    };
    std::vector<Text::Part> parts;
    std::size_t pasted_bytes = 0;
    for (const auto& part : text.parts()) {
        parts.push_back(part);
        if (!part.is_expression)
            continue;
        const auto parsed = parse_expression(part.text);
        if (!parsed.expression) {
            refuse(part, parsed.error, parsed.hint, parsed.offset);
            continue;
        }
        auto result = evaluate(*parsed.expression, scope);
        if (!result.error.empty())
            refuse(part, std::move(result.error), {}, 0);
        if (!result.value)
            continue;
        auto value = to_text(*result.value);
        pasted_bytes += value.size();
        if (pasted_bytes > k_max_text_bytes) {
            refuse(part, "the text gets longer than 1 MiB", {}, 0);
            return text;
        }
        parts.back().is_expression = false;
        parts.back().text = std::move(value);
    }
    return Text(std::move(parts));
}

Text resolve(const Text& text, const Scope& scope, std::string* error)
{
    std::optional<TextError> problem;
    auto result = resolve_at(text, scope, &problem);
    if (problem && error)
        *error = problem->message;
    return result;
}

} // namespace gantry::pipeline
