#include "pipeline/expression_functions.hpp"
#include "pipeline/expression_tree.hpp"

#include "base/format.hpp"
#include "base/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace gantry::pipeline {

namespace {

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || is_digit(c) || c == '-'; }

// What ends the parse: caught in parse_expression, never seen outside.
struct Refused {
    std::string message;
    std::size_t offset;
    std::string hint;
};

struct Tree {
    Node node;
    int depth = 1;
};

// What other systems call what is here, too.
struct NameHabit {
    std::string_view name;
    const char* hint;
};
constexpr const char* k_outputs_hint = "what a step of another stage put out is steps.NAME.outputs.KEY";
constexpr NameHabit k_name_habits[] = {
    {"needs", k_outputs_hint},
    {"stages", k_outputs_hint},
    {"jobs", k_outputs_hint},
    {"secrets", "a step has those that it names, 'secrets: [TOKEN]', in its environment: $TOKEN"},
    {"vars", "a variable is env.NAME"},
    {"github", "its parts stand alone: sha, branch, tag, repo, author, message, event, pull_request"},
};

class Parser {
public:
    explicit Parser(std::string_view source) : source_(source) {}

    Node parse()
    {
        auto tree = parse_or();
        skip_space();
        if (at_ < source_.size())
            refuse_rest();
        return std::move(tree.node);
    }

private:
    [[noreturn]] void refuse(std::string message, std::size_t offset, std::string hint = {}) const
    {
        throw Refused{std::move(message), offset, std::move(hint)};
    }

    [[noreturn]] void refuse_rest() const
    {
        const char c = source_[at_];
        const char next = at_ + 1 < source_.size() ? source_[at_ + 1] : '\0';
        if (c == '=' && next != '=')
            refuse("a single '=' compares nothing", at_, "write '=='");
        if (c == '&' || c == '|')
            refuse(fmt::format("a single '{}' is not an operator", c), at_, fmt::format("write '{0}{0}'", c));
        if (c == '+' || c == '*' || c == '/' || c == '%' || c == '-')
            refuse(fmt::format("there is no arithmetic here: '{}'", c), at_, "text is joined by format() or join()");
        if (c == '?')
            refuse("there is no '?:' here", at_, "write condition && 'yes' || 'no'");
        refuse(fmt::format("'{}' is not expected here", terminal_safe(word_at(at_))), at_);
    }

    std::string_view word_at(std::size_t from) const
    {
        auto end = from;
        while (end < source_.size() && is_name_part(source_[end]))
            ++end;
        if (end == from) // one character, whole also in UTF-8
            do
                ++end;
            while (end < source_.size() && continues_character(source_[end]));
        return source_.substr(from, end - from);
    }

    void skip_space()
    {
        while (at_ < source_.size() && std::string_view(" \t\r\n").find(source_[at_]) != std::string_view::npos)
            ++at_;
    }

    bool accept(std::string_view symbol)
    {
        skip_space();
        if (!source_.substr(at_).starts_with(symbol))
            return false;
        at_ += symbol.size();
        return true;
    }

    bool accept_word(std::string_view word)
    {
        skip_space();
        if (at_ >= source_.size() || word_at(at_) != word)
            return false;
        at_ += word.size();
        return true;
    }

    void expect_close(char close, std::size_t open)
    {
        if (accept(std::string_view(&close, 1)))
            return;
        if (at_ < source_.size())
            refuse_rest();
        refuse(fmt::format("'{}' is missing", close), open);
    }

    Tree wrap(Node::Kind kind, std::string text, std::size_t offset, std::vector<Tree> parts) const
    {
        Tree result;
        result.node.kind = kind;
        result.node.text = std::move(text);
        result.node.offset = offset;
        result.node.children.reserve(parts.size());
        for (auto& part : parts) {
            result.depth = std::max(result.depth, part.depth + 1);
            result.node.children.push_back(std::move(part.node));
        }
        if (result.depth > k_max_tree_depth)
            refuse("the expression is nested too deeply", offset);
        return result;
    }

    Tree wrap_two(Node::Kind kind, std::string text, std::size_t offset, Tree left, Tree right) const
    {
        std::vector<Tree> parts;
        parts.push_back(std::move(left));
        parts.push_back(std::move(right));
        return wrap(kind, std::move(text), offset, std::move(parts));
    }

    Tree parse_or()
    {
        auto left = parse_and();
        while (accept("||")) {
            const auto offset = at_ - 2;
            left = wrap_two(Node::Kind::binary, "||", offset, std::move(left), parse_and());
        }
        return left;
    }

    Tree parse_and()
    {
        auto left = parse_comparison();
        while (accept("&&")) {
            const auto offset = at_ - 2;
            left = wrap_two(Node::Kind::binary, "&&", offset, std::move(left), parse_comparison());
        }
        return left;
    }

    std::string_view accept_comparison()
    {
        constexpr std::array<std::string_view, 6> k_symbols = {"==", "!=", "<=", ">=", "<", ">"};
        for (const auto symbol : k_symbols)
            if (accept(symbol))
                return symbol;
        for (const std::string_view word : {"in", "matches"})
            if (accept_word(word))
                return word;
        return {};
    }

    Tree parse_comparison()
    {
        auto left = parse_unary();
        for (;;) {
            const auto symbol = accept_comparison();
            if (symbol.empty())
                return left;
            const auto offset = at_ - symbol.size();
            left = wrap_two(Node::Kind::binary, std::string(symbol), offset, std::move(left), parse_unary());
        }
    }

    // Everything that recurses passes here, so nesting is counted here alone.
    Tree parse_unary()
    {
        skip_space();
        if (++nesting_ > k_max_nesting)
            refuse("the expression is nested too deeply", at_);
        auto result = parse_operand();
        --nesting_;
        return result;
    }

    Tree parse_operand()
    {
        const auto start = at_;
        if (source_.substr(at_).starts_with('!') && !source_.substr(at_).starts_with("!=")) {
            ++at_;
            std::vector<Tree> operand;
            operand.push_back(parse_unary());
            return wrap(Node::Kind::negate, {}, start, std::move(operand));
        }
        auto result = parse_primary();
        for (;;) {
            if (accept("."))
                result = parse_member(std::move(result));
            else if (accept("["))
                result = parse_index(std::move(result));
            else
                return result;
        }
    }

    Tree parse_member(Tree base)
    {
        skip_space();
        const auto offset = at_;
        while (at_ < source_.size() && is_name_part(source_[at_]))
            ++at_;
        if (at_ == offset)
            refuse("a name is missing after '.'", offset, "a name with other characters goes into brackets: steps['a b']");
        Tree key;
        key.node.value = std::string(source_.substr(offset, at_ - offset));
        key.node.offset = offset;
        return wrap_two(Node::Kind::index, {}, offset, std::move(base), std::move(key));
    }

    Tree parse_index(Tree base)
    {
        const auto open = at_ - 1;
        auto key = parse_or();
        expect_close(']', open);
        const auto offset = key.node.offset;
        return wrap_two(Node::Kind::index, {}, offset, std::move(base), std::move(key));
    }

    Tree parse_primary()
    {
        const auto start = at_;
        if (at_ >= source_.size())
            refuse(source_.empty() ? "the expression is empty" : "the expression ends too early", start);
        if (accept("(")) {
            auto inner = parse_or();
            expect_close(')', start);
            return inner;
        }
        if (accept("["))
            return wrap(Node::Kind::list, {}, start, parse_items(']', start));
        const char c = source_[at_];
        if (c == '\'' || c == '"')
            return parse_string();
        if (is_digit(c) || (c == '-' && at_ + 1 < source_.size() && is_digit(source_[at_ + 1])))
            return parse_number();
        if (is_name_start(c))
            return parse_name();
        refuse_rest();
    }

    std::vector<Tree> parse_items(char close, std::size_t open)
    {
        std::vector<Tree> items;
        if (accept(std::string_view(&close, 1)))
            return items;
        do {
            if (items.size() >= 1000)
                refuse("a list has at most 1000 elements", open);
            items.push_back(parse_or());
        } while (accept(","));
        expect_close(close, open);
        return items;
    }

    static Tree literal(Value value, std::size_t offset)
    {
        Tree result;
        result.node.value = std::move(value);
        result.node.offset = offset;
        return result;
    }

    Tree parse_number()
    {
        const auto start = at_;
        double number = 0;
        const auto* first = source_.data() + at_;
        const auto [end, problem] = std::from_chars(first, source_.data() + source_.size(), number);
        if (problem != std::errc() || !std::isfinite(number))
            refuse("the number is too large", start);
        at_ += static_cast<std::size_t>(end - first);
        if (at_ < source_.size() && is_name_start(source_[at_]))
            refuse("a number runs into a name", start, "text stands in quotes");
        return literal(number, start);
    }

    Tree parse_string()
    {
        const auto start = at_;
        const char quote = source_[at_++];
        std::string text;
        for (;;) {
            if (at_ >= source_.size())
                refuse("the text is not closed", start, fmt::format("add {}", quote));
            const char c = source_[at_++];
            if (c == '\\' && quote == '"') {
                text += parse_escape();
            } else if (c != quote) {
                text += c;
            } else if (quote == '\'' && at_ < source_.size() && source_[at_] == quote) {
                text += quote;
                ++at_;
            } else {
                return literal(std::move(text), start);
            }
        }
    }

    char parse_escape()
    {
        const auto start = at_ - 1;
        const char c = at_ < source_.size() ? source_[at_++] : '\0';
        switch (c) {
        case 'n': return '\n';
        case 't': return '\t';
        case 'r': return '\r';
        case '\\':
        case '"': return c;
        case 'x': {
            unsigned value = 0;
            const auto* first = source_.data() + at_;
            const auto* last = first + std::min<std::size_t>(2, source_.size() - at_);
            const auto [end, problem] = std::from_chars(first, last, value, 16);
            if (problem == std::errc() && end == first + 2) {
                at_ += 2;
                return static_cast<char>(value);
            }
            break;
        }
        default: break;
        }
        refuse("this escape is not known", start, R"(known are \n \t \r \\ \" \xHH; in '…' a backslash is itself)");
    }

    Tree parse_name()
    {
        const auto start = at_;
        const std::string name(word_at(at_));
        at_ += name.size();
        if (name == "true" || name == "false")
            return literal(name == "true", start);
        if (name == "null")
            return literal(Value(), start);
        if (accept("("))
            return parse_call(name, start);
        const auto& names = root_names();
        if (std::binary_search(names.begin(), names.end(), name)) {
            Tree result;
            result.node.kind = Node::Kind::name;
            result.node.text = name;
            result.node.offset = start;
            return result;
        }
        refuse(fmt::format("'{}' is not known", name), start, hint_for_name(name));
    }

    static std::string hint_for_name(const std::string& name)
    {
        for (const auto& habit : k_name_habits)
            if (habit.name == name)
                return habit.hint;
        if (find_function(name))
            return fmt::format("a function needs its brackets: {}", find_function(name)->usage);
        if (const auto near = nearest(name, root_names()))
            return fmt::format("did you mean '{}'?", *near);
        return "text stands in quotes; names are " + join(root_names(), ", ");
    }

    Tree parse_call(const std::string& name, std::size_t start)
    {
        const auto* function = find_function(name);
        if (!function) {
            const auto near = nearest(name, function_names());
            refuse(fmt::format("there is no function '{}'", name), start,
                   near ? fmt::format("did you mean '{}'?", *near) : "functions are " + join(function_names(), ", "));
        }
        auto arguments = parse_items(')', start);
        if (arguments.size() < function->min_arguments || arguments.size() > function->max_arguments)
            refuse(fmt::format("{}() got {}", name, format_count(arguments.size(), "argument")), start,
                   fmt::format("it is {}", function->usage));
        return wrap(Node::Kind::call, name, start, std::move(arguments));
    }

    std::string_view source_;
    std::size_t at_ = 0;
    int nesting_ = 0;
};

} // namespace

ParsedExpression parse_expression(std::string_view source)
{
    if (source.size() > k_max_source_bytes)
        return {nullptr, "the expression is longer than 16 KiB", 0, {}};
    try {
        return {std::make_shared<const Expression>(Parser(source).parse()), {}, 0, {}};
    } catch (Refused& refused) {
        return {nullptr, std::move(refused.message), std::min(refused.offset, source.size()), std::move(refused.hint)};
    }
}

const std::vector<std::string>& root_names()
{
    // Sorted: the parser searches it.
    static const std::vector<std::string> names = {
        "author", "branch", "changed_files", "env", "event",     "inputs", "matrix", "message", "pull_request",
        "ref",    "repo",   "services",      "sha", "short_sha", "stage",  "steps",  "tag",
    };
    return names;
}

bool is_member_name(std::string_view text)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), is_name_part);
}

} // namespace gantry::pipeline
