#pragma once

#include "pipeline/text.hpp"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

// The language inside `${{ … }}`: literals, == != < <= > >= && || !, in, matches (RE2), indexing and dots, and functions.
// A small recursive-descent parser with a depth limit; evaluation is total and takes time linear in its input.

namespace gantry::pipeline {

struct Value;
using List = std::vector<Value>;
using Object = std::map<std::string, Value>;

struct Value : std::variant<std::monostate, bool, double, std::string, List, Object> {
    using variant::variant;
    bool is_null() const { return std::holds_alternative<std::monostate>(*this); }
};

// `==` and `in` compare a number with text that reads as the same number, true and false with their names and null with
// empty text; otherwise different types differ. `&&` and `||` give one of their operands; `in` also asks for a key of an
// object or a part of a text. What an object does not have is null, and so is anything in null.

// null, false, 0 and "" are false. Text "false" is true: it is text.
bool truthy(const Value& value);
// What pasting the value into text gives: null is "", whole numbers have no point, lists and objects are JSON.
std::string to_text(const Value& value);

class Expression; // a parsed one; immutable, shared
class Patterns;

struct ParsedExpression {
    std::shared_ptr<const Expression> expression; // null when it did not parse
    std::string error;                            // then: why, and
    std::size_t offset = 0;                       // where, in bytes from the start of the source
    std::string hint;
};
ParsedExpression parse_expression(std::string_view source);
// Canonical source: parse(print(x)) gives an equal tree.
std::string print_expression(const Expression& expression);

// The names that an expression reads, as far as they are written out: {"steps.app.image", "branch", "success()"}.
std::set<std::string> names_of(const Expression& expression);

// What names mean. `find` gives a root name's value ("branch", "steps", …); nothing: the name is not known *yet*.
// hashFiles and the status functions come from outside, too.
struct Scope {
    std::function<std::optional<Value>(const std::string& name)> find;
    std::function<std::optional<Value>(const std::string& function, const List& arguments)> call; // beyond the pure ones
    // When set, it is asked for one key of steps, services, env, inputs and stage instead of find(name), which then need
    // not build the whole object. Nothing: not known yet; null: there is no such key.
    std::function<std::optional<Value>(const std::string& name, const std::string& key)> find_member;
    // Of `matches`, for all evaluations that share it. Null: each pattern is compiled anew, however many there are.
    Patterns* patterns = nullptr;
};

struct Evaluated {
    std::optional<Value> value; // empty: depends on something that is not known yet, or `error`
    std::string error;          // a type error, with what to do
};
Evaluated evaluate(const Expression& expression, const Scope& scope);

// Where and why an expression of a text is wrong.
struct TextError {
    std::string message, hint;
    Mark mark;              // of the byte, when the text's own marks are known
    std::size_t length = 1;
};
// Replaces every expression of `text` that can be computed now by its value; the others stay. Sets *error if one fails.
Text resolve(const Text& text, const Scope& scope, std::string* error);
Text resolve_at(const Text& text, const Scope& scope, std::optional<TextError>* error);

// Splits "a ${{ b }} c". An unclosed `${{` is reported through *error with its offset; the text then stays a literal.
// `mark` is the position of the first byte of `source`; later lines are taken to start in the same column, as those of
// a block scalar do. An expression's mark is that of its first byte after the braces. Braces in its quotes do not end it.
struct SplitError { std::string message; std::size_t offset = 0; };
Text split_text(std::string_view source, Mark mark, std::optional<SplitError>* error);
// The same for a text of which all is told that is wrong: what is no expression stays a literal, the others are split off.
struct SplitText {
    Text text;
    std::vector<SplitError> errors;
};
SplitText split_text(std::string_view source, Mark mark);

// Where the expression ends whose `${{` is at `open`: behind its `}}`, or npos where that is missing.
std::size_t end_of_expression(std::string_view source, std::size_t open);

// The names and functions that exist, for did-you-mean and the documentation.
const std::vector<std::string>& root_names();
const std::vector<std::string>& function_names();
// Of those names, the ones whose text an outsider controls (branch, message, author, title).
bool is_outsider_controlled(const std::string& dotted_name);

} // namespace gantry::pipeline
