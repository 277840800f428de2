#include "pipeline/expression_tree.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::pipeline {

namespace {

// How tightly a node holds together; a looser one needs brackets inside a tighter one.
enum class Tightness { any, either, both, comparison, unary, postfix };

Tightness tightness_of(const Node& node)
{
    switch (node.kind) {
    case Node::Kind::binary:
        if (node.text == "||")
            return Tightness::either;
        return node.text == "&&" ? Tightness::both : Tightness::comparison;
    case Node::Kind::negate: return Tightness::unary;
    // `1.x` would read as a number that runs into a name.
    case Node::Kind::literal: return std::holds_alternative<double>(node.value) ? Tightness::unary : Tightness::postfix;
    default: return Tightness::postfix;
    }
}

std::string quoted(const std::string& text)
{
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    std::string result;
    if (std::none_of(text.begin(), text.end(), is_control)) {
        result = "'";
        for (const char c : text)
            result += c == '\'' ? "''" : std::string(1, c);
        return result + "'";
    }
    result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            result += std::string("\\") + c;
        else if (c == '\n')
            result += "\\n";
        else if (c == '\t')
            result += "\\t";
        else if (is_control(c))
            result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        else
            result += c;
    }
    return result + "\"";
}

std::string literal_text(const Value& value)
{
    if (value.is_null())
        return "null";
    if (const auto* flag = std::get_if<bool>(&value))
        return *flag ? "true" : "false";
    if (const auto* number = std::get_if<double>(&value))
        return fmt::format("{}", *number);
    return quoted(std::get<std::string>(value));
}

class Printer {
public:
    void print(const Node& node, Tightness within)
    {
        const bool brackets = tightness_of(node) < within;
        if (brackets)
            out += '(';
        print_bare(node);
        if (brackets)
            out += ')';
    }

    std::string out;

private:
    void print_bare(const Node& node)
    {
        switch (node.kind) {
        case Node::Kind::literal: out += literal_text(node.value); break;
        case Node::Kind::name: out += node.text; break;
        case Node::Kind::list: print_items('[', node.children, ']'); break;
        case Node::Kind::call:
            out += node.text;
            print_items('(', node.children, ')');
            break;
        case Node::Kind::negate:
            out += '!';
            print(node.children[0], Tightness::unary);
            break;
        case Node::Kind::index: print_index(node); break;
        case Node::Kind::binary: {
            // All binary operators group to the left.
            const auto own = tightness_of(node);
            print(node.children[0], own);
            out += ' ';
            out += node.text;
            out += ' ';
            print(node.children[1], static_cast<Tightness>(static_cast<int>(own) + 1));
            break;
        }
        }
    }

    void print_index(const Node& node)
    {
        print(node.children[0], Tightness::postfix);
        const auto& key = node.children[1];
        const auto* name = std::get_if<std::string>(&key.value);
        if (key.kind == Node::Kind::literal && name && is_member_name(*name)) {
            out += '.';
            out += *name;
        } else {
            print_items('[', {key}, ']');
        }
    }

    void print_items(char open, const std::vector<Node>& items, char close)
    {
        out += open;
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (i > 0)
                out += ", ";
            print(items[i], Tightness::any);
        }
        out += close;
    }
};

} // namespace

std::string print_expression(const Expression& expression)
{
    Printer printer;
    printer.print(expression.root, Tightness::any);
    return std::move(printer.out);
}

} // namespace gantry::pipeline
