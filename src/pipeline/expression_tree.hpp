#pragma once

#include "pipeline/expression.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

// The tree of an expression. Only the files of the expression language and what walks its trees include this.

namespace gantry::pipeline {

struct Node {
    enum class Kind {
        literal, // value: null, bool, number or text
        list,    // children
        name,    // text: a root name
        index,   // children: base, key; `a.b` is `a['b']`
        negate,  // children: operand
        binary,  // text: the operator; children: left, right
        call,    // text: the function; children: arguments
    };
    Kind kind = Kind::literal;
    Value value;
    std::string text;
    std::vector<Node> children;
    std::size_t offset = 0; // of its first byte in the source; for index and binary, of its key or operator

    // The same tree, wherever it was written.
    friend bool operator==(const Node& a, const Node& b)
    {
        return a.kind == b.kind && a.value == b.value && a.text == b.text && a.children == b.children;
    }
};

class Expression {
public:
    explicit Expression(Node tree) : root(std::move(tree)) {}
    const Node root;
    friend bool operator==(const Expression&, const Expression&) = default;
};

// Limits on what one expression may be and make, so that every step costs little whatever the file says.
inline constexpr std::size_t k_max_source_bytes = 16 * 1024;
inline constexpr std::size_t k_max_text_bytes = 1024 * 1024;
inline constexpr std::size_t k_max_value_bytes = 32 * 1024 * 1024; // of all values that one evaluation copies
inline constexpr int k_max_nesting = 64;                           // of brackets and `!`
inline constexpr int k_max_tree_depth = 256;                       // of chains such as a || b || c

// Whether a name may stand after a dot, without brackets and quotes.
bool is_member_name(std::string_view text);

// A name as it is written out in an expression: {"steps", "app", "image"}, or {"success()"} for what comes from
// outside. `offsets` has where each element stands.
struct Reference {
    std::vector<std::string> path;
    std::vector<std::size_t> offsets;
    bool is_computed = false; // a further key, behind those of `path`, is no literal
};
std::vector<Reference> references_of(const Expression& expression);

// References whose text can get into the expression's result; comparing a text or asking whether it contains another
// does not carry it.
std::vector<Reference> carried_by(const Expression& expression);

// What fails in every run that comes by: the parts that are written out, computed with nothing known. The right side of a
// `&&` or `||` that is never looked at is not. What `matches` is asked for stays open: only its pattern is judged.
struct ConstantProblem {
    std::size_t offset = 0;
    std::string error;
};
std::vector<ConstantProblem> problems_of_constants(const Expression& expression, Patterns& patterns);

bool calls_status_function(const Expression& expression);

// The expression with everything that is known put in; only its truth is kept (`x && false` is `false`). Null, with
// *error set, when it cannot be computed.
std::shared_ptr<const Expression> simplify_condition(const Expression& expression, const Scope& scope,
                                                     std::string* error);

// The one expression of an `if:`, which may stand without braces. Else an error with its place.
struct ConditionSource {
    std::string source;
    Mark mark;
    std::string error; // empty: fine
};
ConditionSource condition_source(const Text& condition);

// Position of the byte `offset` of an expression that stands at `start`.
Mark mark_within(Mark start, std::string_view source, std::size_t offset);

} // namespace gantry::pipeline
