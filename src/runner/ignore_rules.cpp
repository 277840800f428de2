#include "runner/ignore_rules.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "base/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gantry::runner {

namespace {

constexpr std::size_t k_most_rules = 10'000;
constexpr std::size_t k_longest_pattern = 4096;

// Takes the first character off `rest`. A byte that belongs to none is a value of its own beyond those of Unicode.
char32_t take_rune(std::string_view& rest)
{
    constexpr char32_t k_stray = 0x110000;
    const auto character = first_character(rest).value_or(Character{1, k_stray + static_cast<unsigned char>(rest.front())});
    rest.remove_prefix(character.bytes);
    return character.code;
}

// Without "." and empty parts, and with ".." applied, as far as that is possible: "/a//b/../c/" is "a/c".
std::string normal(std::string_view pattern)
{
    std::vector<std::string> parts;
    for (auto& part : split(pattern, '/')) {
        if (part.empty() || part == ".")
            continue;
        if (part == ".." && !parts.empty() && parts.back() != "..")
            parts.pop_back();
        else
            parts.push_back(std::move(part));
    }
    return join(parts, "/");
}

} // namespace

// One pattern as tokens.
class IgnoreRules::Compiler {
public:
    Compiler(std::string_view pattern, std::size_t line) : rest_(pattern), line_(line) {}

    std::vector<Token> compile()
    {
        while (!rest_.empty())
            take_one();
        return std::move(tokens_);
    }

private:
    void take_one()
    {
        Token token;
        const auto rune = take_rune(rest_);
        if (rune == '*') {
            token.kind = stars();
        } else if (rune == '?') {
            token.kind = Token::Kind::any;
        } else if (rune == '[') {
            set(token);
        } else {
            token.rune = rune == '\\' && !rest_.empty() ? take_rune(rest_) : rune;
        }
        tokens_.push_back(std::move(token));
    }

    Token::Kind stars()
    {
        if (!rest_.starts_with('*'))
            return Token::Kind::name_part;
        take();
        if (rest_.starts_with('/')) // "**/" is "**"
            take();
        return rest_.empty() ? Token::Kind::rest : Token::Kind::folders;
    }

    void set(Token& token)
    {
        token.kind = Token::Kind::any_of;
        if (rest_.starts_with('^')) {
            take();
            token.negated = true;
        }
        do {
            const auto low = member();
            auto high = low;
            if (rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']') {
                take();
                high = member();
            }
            token.ranges.emplace_back(low, high);
        } while (!rest_.starts_with(']'));
        take();
    }

    char32_t member()
    {
        if (rest_.starts_with('\\'))
            take();
        if (rest_.size() < 2)
            throw Error(Errc::bad_input, fmt::format(".dockerignore, line {}: a '[' is not closed", line_));
        return take_rune(rest_);
    }

    void take() { rest_.remove_prefix(1); }

    std::string_view rest_;
    std::size_t line_;
    std::vector<Token> tokens_;
};

// All ways at once through the tokens of a rule: place 2i is before token i, 2i+1 within it (`**` that has begun).
class IgnoreRules::Match {
public:
    explicit Match(const std::vector<Token>& tokens) : tokens_(tokens), at_(2 * tokens.size() + 1), next_(at_.size())
    {
        enter(at_, 0);
    }

    // False when nothing can match any more.
    bool feed(char32_t rune)
    {
        std::fill(next_.begin(), next_.end(), 0);
        bool alive = false;
        for (std::size_t place = 0; place < 2 * tokens_.size(); ++place)
            if (at_[place] != 0)
                alive = step(place, rune) || alive;
        at_.swap(next_);
        return alive;
    }

    bool matches() const { return at_.back() != 0; }

private:
    // Before token i, and before those behind it that may stand for nothing.
    void enter(std::vector<char>& places, std::size_t token) const
    {
        for (;; ++token) {
            places[2 * token] = 1;
            const bool may_be_nothing = token < tokens_.size() && (tokens_[token].kind == Token::Kind::name_part ||
                                                                   tokens_[token].kind == Token::Kind::folders ||
                                                                   tokens_[token].kind == Token::Kind::rest);
            if (!may_be_nothing)
                return;
        }
    }

    bool step(std::size_t place, char32_t rune)
    {
        const auto index = place / 2;
        const auto& token = tokens_[index];
        switch (token.kind) {
        case Token::Kind::one: return rune == token.rune && go(index + 1);
        case Token::Kind::any: return rune != '/' && go(index + 1);
        case Token::Kind::any_of: return rune != '/' && contains(token, rune) && go(index + 1);
        case Token::Kind::name_part: return rune != '/' && go(index);
        case Token::Kind::rest: return go(index);
        case Token::Kind::folders:
            next_[2 * index + 1] = 1;
            return rune == '/' ? go(index + 1) : true;
        }
        return false;
    }

    bool go(std::size_t token)
    {
        enter(next_, token);
        return true;
    }

    static bool contains(const Token& token, char32_t rune)
    {
        return token.negated != std::any_of(token.ranges.begin(), token.ranges.end(), [rune](const auto& range) {
                   return range.first <= rune && rune <= range.second;
               });
    }

    const std::vector<Token>& tokens_;
    std::vector<char> at_, next_;
};

IgnoreRules::IgnoreRules(std::string_view text)
{
    if (text.starts_with("\xef\xbb\xbf"))
        text.remove_prefix(3);
    std::size_t number = 0;
    for (const auto& line : split(text, '\n')) {
        ++number;
        auto pattern = trim(line);
        if (line.starts_with('#') || pattern.empty())
            continue;
        Rule rule;
        if (pattern.starts_with('!')) {
            rule.takes_back = true;
            pattern = trim(pattern.substr(1));
            if (pattern.empty())
                throw Error(Errc::bad_input, fmt::format(".dockerignore, line {}: '!' without a pattern", number));
        }
        if (pattern.size() > k_longest_pattern || rules_.size() == k_most_rules)
            throw Error(Errc::bad_input, fmt::format(".dockerignore, line {}: {}", number,
                                                     rules_.size() == k_most_rules ? "more than 10,000 patterns"
                                                                                   : "a pattern of more than 4096 bytes"));
        const auto path = normal(pattern);
        if (path.empty()) // the context itself, which is always sent
            continue;
        rule.tokens = Compiler(path, number).compile();
        rules_.push_back(std::move(rule));
    }
}

bool IgnoreRules::ignores(std::string_view path) const
{
    const auto matches = [path](const Rule& rule) {
        Match match(rule.tokens);
        for (auto rest = path; !rest.empty();) {
            if (rest.front() == '/' && match.matches()) // a folder above it
                return true;
            if (!match.feed(take_rune(rest)))
                return false;
        }
        return match.matches();
    };
    bool ignored = false;
    for (const auto& rule : rules_)
        if (rule.takes_back == ignored && matches(rule))
            ignored = !rule.takes_back;
    return ignored;
}

} // namespace gantry::runner
