#pragma once

#include "pipeline/diagnostic.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gantry::pipeline {

// A string of a pipeline file that may contain `${{ expression }}`. Split when it is read, so that a value that is
// pasted in later is never looked at as an expression again.
class Text {
public:
    struct Part {
        bool is_expression = false;
        std::string text; // the literal text, or the source of the expression without its braces, trimmed
        Mark mark;
        friend bool operator==(const Part&, const Part&) = default;
    };

    Text() = default;
    // A literal: `${{` in it has no meaning.
    Text(std::string literal);
    Text(const char* literal) : Text(std::string(literal)) {}
    explicit Text(std::vector<Part> parts);

    const std::vector<Part>& parts() const { return parts_; }
    bool empty() const { return parts_.empty(); }
    // No expressions left.
    bool is_literal() const;
    // The whole value, when is_literal(); asserts that.
    std::string literal() const;
    // As it stood in the file: "v${{ sha }}".
    std::string source() const;

    friend bool operator==(const Text&, const Text&) = default;

private:
    std::vector<Part> parts_; // neighbouring literals are joined, empty ones dropped
};

} // namespace gantry::pipeline
