#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::runner {

// The rules of a .dockerignore file, as Docker's documentation of it has them: one pattern a line, relative to the context;
// '#' in the first column is a comment; the last pattern that matches a path or a folder above it decides; '!' takes back in.
// `*` and `?` stay within a name, `**` stands for any number of folders, `?`, [a-z] and [^a-z] for one character of UTF-8 (a byte
// that is of none counts as one), and a backslash takes the next character as it is.
class IgnoreRules {
public:
    IgnoreRules() = default;
    // Throws bad_input that names the line: a '!' alone, a bracket that is not closed, more than 10,000 patterns.
    explicit IgnoreRules(std::string_view text);

    // `path` is relative and normal: "src/main.c". Takes time linear in it for each pattern.
    bool ignores(std::string_view path) const;
    bool empty() const { return rules_.empty(); }

private:
    struct Token {
        enum class Kind { one, any_of, any, name_part, folders, rest } kind = Kind::one;
        char32_t rune = 0;
        bool negated = false;
        std::vector<std::pair<char32_t, char32_t>> ranges;
    };
    struct Rule {
        std::vector<Token> tokens;
        bool takes_back = false;
    };
    class Compiler;
    class Match;

    std::vector<Rule> rules_;
};

} // namespace gantry::runner
