#include "pipeline/plan_scope.hpp"

#include "pipeline/expression_tree.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::pipeline {

namespace {

std::optional<Value> find_variable(const VariableMerge& variables, const std::string& name)
{
    const auto* value = variables.find(name);
    if (!value)
        return Value();
    return value->is_literal() ? std::optional<Value>(value->literal()) : std::nullopt;
}

std::optional<Value> all_variables(const VariableMerge& variables)
{
    Object result;
    for (const auto& [name, value] : variables.entries()) {
        if (!value.is_literal())
            return std::nullopt;
        result.emplace(name, value.literal());
    }
    return result;
}

// "branch is 'dev', event is 'push'": the short values that decided.
std::string values_of(const Expression& expression, const Scope& scope)
{
    std::string result;
    std::set<std::string> seen;
    for (const auto& reference : references_of(expression)) {
        const auto name = join(reference.path, ".");
        if (name.ends_with("()") || !seen.insert(name).second || seen.size() > 3)
            continue;
        Node node;
        node.kind = Node::Kind::name;
        node.text = reference.path[0];
        for (std::size_t i = 1; i < reference.path.size(); ++i) {
            Node key, index;
            key.value = reference.path[i];
            index.kind = Node::Kind::index;
            index.children = {std::move(node), std::move(key)};
            node = std::move(index);
        }
        const auto value = evaluate(Expression(std::move(node)), scope).value;
        if (!value || std::holds_alternative<List>(*value) || std::holds_alternative<Object>(*value))
            continue;
        auto text = to_text(*value);
        if (text.size() > 40)
            text = text.substr(0, 40) + "…";
        result += fmt::format("{}{} is {}", result.empty() ? "" : ", ", name,
                              text.empty() ? "empty" : "'" + terminal_safe(text) + "'");
    }
    return result;
}

Text as_text(const Expression& expression, Mark mark)
{
    return Text(std::vector<Text::Part>{{true, print_expression(expression), mark}});
}

Node always()
{
    Node node;
    node.kind = Node::Kind::call;
    node.text = "always";
    return node;
}

// `left` as it is where it still calls a status function; else so that no `success() &&` is put in front of it.
Expression keep_status(const Expression& left)
{
    if (calls_status_function(left))
        return left;
    Node node;
    node.kind = Node::Kind::binary;
    node.text = "&&";
    node.children = {always(), left.root};
    return Expression(std::move(node));
}

// Chains of variables double with each link, if they like.
constexpr std::size_t k_max_written_out_bytes = 4 * 1024;

Node literal_node(std::string text)
{
    Node node;
    node.value = std::move(text);
    return node;
}

// An expression that gives what the text does: text, whatever its own expressions give.
std::optional<Node> node_of(const Text& text)
{
    if (text.is_literal())
        return literal_node(text.literal());
    Node list;
    list.kind = Node::Kind::list;
    for (const auto& part : text.parts()) {
        if (!part.is_expression) {
            list.children.push_back(literal_node(part.text));
            continue;
        }
        const auto parsed = parse_expression(part.text);
        if (!parsed.expression)
            return std::nullopt;
        list.children.push_back(parsed.expression->root);
    }
    // What a step has written is text already.
    if (list.children.size() == 1 && list.children[0].kind == Node::Kind::index)
        return std::move(list.children[0]);
    Node joined;
    joined.kind = Node::Kind::call;
    joined.text = "join";
    joined.children = {std::move(list), literal_node("")};
    return joined;
}

// False: a variable cannot be written out.
bool write_out(Node& node, const VariableMerge& variables)
{
    const bool is_variable = node.kind == Node::Kind::index && node.children[0].kind == Node::Kind::name &&
                             node.children[0].text == "env" && node.children[1].kind == Node::Kind::literal;
    if (!is_variable)
        return std::all_of(node.children.begin(), node.children.end(), [&](Node& child) { return write_out(child, variables); });
    const auto* value = variables.find(to_text(node.children[1].value));
    auto written = value ? node_of(*value) : std::optional<Node>(Node{});
    if (written)
        node = std::move(*written);
    return written.has_value();
}

} // namespace

Text with_variables(const Text& text, const VariableMerge& variables)
{
    auto parts = text.parts();
    for (auto& part : parts) {
        if (!part.is_expression || part.text.find("env") == std::string::npos)
            continue;
        const auto parsed = parse_expression(part.text);
        if (!parsed.expression)
            continue;
        auto root = parsed.expression->root;
        if (!write_out(root, variables))
            continue;
        auto source = print_expression(Expression(std::move(root)));
        // Nested too deep, it could not be read again.
        if (source.size() <= k_max_written_out_bytes && parse_expression(source).expression)
            part.text = std::move(source);
    }
    return Text(std::move(parts));
}

Scope make_plan_scope(const Event& event, const PlanStage& stage, const PlanOptions& options,
                      const VariableMerge* const* variables)
{
    auto scope = make_scope(event, stage);
    scope.find = [outer = scope.find, variables](const std::string& name) {
        return name == "env" && *variables ? all_variables(**variables) : outer(name);
    };
    scope.find_member = [outer = scope.find_member, variables](const std::string& name, const std::string& key) {
        return name == "env" && *variables ? find_variable(**variables, key) : outer(name, key);
    };
    scope.call = [&options](const std::string& function, const List& arguments) -> std::optional<Value> {
        if (function != "hashFiles" || !options.hash_files)
            return std::nullopt;
        std::vector<std::string> globs;
        for (const auto& argument : arguments)
            globs.push_back(to_text(argument));
        return options.hash_files(globs);
    };
    return scope;
}

Decision decide(const Text& condition, const Scope& scope)
{
    const auto [source, mark, wrong] = condition_source(condition);
    if (!wrong.empty())
        return {{}, {}, TextError{wrong, {}, mark, 1}};
    const auto parsed = parse_expression(source);
    if (!parsed.expression)
        return {{}, {}, TextError{parsed.error, parsed.hint, mark_within(mark, source, parsed.offset), 1}};
    std::string error;
    const auto left = simplify_condition(*parsed.expression, scope, &error);
    if (!left)
        return {{}, {}, TextError{error, {}, mark, source.size()}};
    const bool has_status = calls_status_function(*parsed.expression);
    const auto* truth = left->root.kind == Node::Kind::literal ? std::get_if<bool>(&left->root.value) : nullptr;
    if (truth && !*truth) {
        const auto values = values_of(*parsed.expression, scope);
        return {{}, fmt::format("{} does not hold{}{}", terminal_safe(source), values.empty() ? "" : ": ", values), {}};
    }
    if (truth)
        return has_status ? Decision{as_text(Expression(always()), mark), {}, {}} : Decision{};
    return {as_text(has_status ? keep_status(*left) : *left, mark), {}, {}};
}

} // namespace gantry::pipeline
