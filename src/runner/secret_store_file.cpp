#include "base/error.hpp"
#include "base/format.hpp"
#include "runner/secret_store.hpp"

#include <algorithm>
#include <utility>

namespace gantry::runner {

namespace {

bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

class SecretFile {
public:
    SecretFile(std::string_view text, const std::string& file) : text_(text), file_(file)
    {
        constexpr std::string_view k_byte_order_mark = "\xEF\xBB\xBF";
        if (text_.substr(0, k_byte_order_mark.size()) == k_byte_order_mark)
            at_ = k_byte_order_mark.size();
    }

    Secrets parse()
    {
        while (at_ < text_.size()) {
            skip_blanks();
            if (here() == '#')
                skip_line();
            else if (here() != '\n')
                parse_entry();
            end_line();
        }
        return std::move(secrets_);
    }

private:
    char here() const { return at_ < text_.size() ? text_[at_] : '\n'; }

    void skip_blanks()
    {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r'))
            ++at_;
    }

    void skip_line() { at_ = std::min(text_.find('\n', at_), text_.size()); }

    void end_line()
    {
        skip_blanks();
        if (here() != '\n')
            fail("something follows the closing quote");
        ++at_;
        ++line_;
    }

    [[noreturn]] void fail(const std::string& why, const std::string& hint = {}) const
    {
        throw Error(Errc::bad_input, file_ + ":" + std::to_string(line_) + ": " + why, hint);
    }

    std::string parse_name()
    {
        constexpr std::string_view k_export = "export ";
        if (text_.substr(at_, k_export.size()) == k_export) {
            at_ += k_export.size();
            skip_blanks();
        }
        const std::size_t equals = text_.find_first_of("=\n", at_);
        if (equals == std::string_view::npos || text_[equals] == '\n')
            fail("a line without '='", "write NAME=value; quote a value that has several lines");
        std::string name(trim(text_.substr(at_, equals - at_)));
        if (!is_secret_name(name)) // not shown: it may be a part of a value
            fail("what stands before '=' is no name", "names have letters, digits, '_', '.' and '-'");
        at_ = equals + 1;
        return name;
    }

    void parse_entry()
    {
        const std::string name = parse_name();
        skip_blanks();
        std::string value = here() == '\'' ? parse_single() : here() == '"' ? parse_double() : parse_plain();
        if (value.find('\0') != std::string::npos)
            fail("the value of " + name + " holds a zero byte");
        if (!secrets_.emplace(name, Secret(std::move(value))).second)
            fail("there is a second " + name);
    }

    std::string parse_plain()
    {
        const std::size_t begin = at_;
        skip_line();
        return std::string(trim(text_.substr(begin, at_ - begin)));
    }

    std::string parse_single()
    {
        const std::size_t begin = ++at_;
        const std::size_t end = text_.find('\'', begin);
        if (end == std::string_view::npos)
            fail("a quote is not closed");
        return take(begin, end);
    }

    std::string take(std::size_t begin, std::size_t end)
    {
        std::string value(text_.substr(begin, end - begin));
        for (const char c : value)
            line_ += c == '\n' ? 1 : 0;
        at_ = end + 1;
        return value;
    }

    std::string parse_double()
    {
        const std::size_t begin = ++at_;
        std::size_t end = begin;
        while (end < text_.size() && text_[end] != '"')
            end += text_[end] == '\\' ? 2 : 1;
        if (end >= text_.size())
            fail("a quote is not closed");
        return without_escapes(take(begin, end));
    }

    static std::string without_escapes(const std::string& quoted)
    {
        constexpr std::string_view k_from = "ntr\"\\$";
        constexpr std::string_view k_to = "\n\t\r\"\\$";
        std::string value;
        for (std::size_t i = 0; i < quoted.size(); ++i) {
            const std::size_t known = quoted[i] == '\\' && i + 1 < quoted.size() ? k_from.find(quoted[i + 1]) : std::string_view::npos;
            value += known == std::string_view::npos ? quoted[i] : k_to[known];
            i += known == std::string_view::npos ? 0 : 1;
        }
        return value;
    }

    std::string_view text_;
    const std::string& file_;
    std::size_t at_ = 0;
    int line_ = 1;
    Secrets secrets_;
};

} // namespace

bool is_secret_name(std::string_view name)
{
    if (name.empty() || name.size() > 128 || !is_letter(name.front()))
        return false;
    for (const char c : name)
        if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '.' && c != '-')
            return false;
    return true;
}

Secrets parse_secret_file(std::string_view text, const std::string& file)
{
    return SecretFile(text, file).parse();
}

} // namespace gantry::runner
