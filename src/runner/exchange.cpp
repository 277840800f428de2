// The files in which a step hands values on.
#include "base/format.hpp"
#include "base/utf8.hpp"
#include "runner/lower.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <optional>
#include <utility>

namespace gantry::runner {

namespace {

constexpr std::size_t k_limit_bytes = 1 << 20;

bool is_name(std::string_view text)
{
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    if (text.empty() || !is_letter(text[0]))
        return false;
    for (const char c : text)
        if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '-')
            return false;
    return true;
}

class LineReader {
public:
    LineReader(std::string_view text, std::vector<std::string>* problems) : rest_(text), problems_(problems) {}

    std::map<std::string, std::string> read()
    {
        while (const auto line = next_line())
            read_entry(*line);
        return std::move(values_);
    }

private:
    std::optional<std::string_view> next_line()
    {
        if (rest_.empty())
            return std::nullopt;
        const auto end = rest_.find('\n');
        auto line = rest_.substr(0, end);
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
        ++number_;
        if (!line.empty() && line.back() == '\r')
            line.remove_suffix(1);
        return line;
    }

    void read_entry(std::string_view line)
    {
        if (trim(line).empty())
            return;
        const auto equals = line.find('=');
        const auto heredoc = line.find("<<");
        if (heredoc < equals)
            return read_heredoc(line.substr(0, heredoc), line.substr(heredoc + 2));
        if (equals == std::string_view::npos)
            return tell("has no '='");
        keep(line.substr(0, equals), std::string(line.substr(equals + 1)), number_);
    }

    void read_heredoc(std::string_view name, std::string_view mark)
    {
        const int first = number_;
        mark = trim(mark);
        if (mark.empty())
            return tell("has no word after '<<'");
        std::string value;
        bool is_first = true;
        while (const auto line = next_line()) {
            if (*line == mark)
                return keep(name, std::move(value), first);
            if (!std::exchange(is_first, false))
                value += '\n';
            value += *line;
        }
        tell("the word behind '<<' does not come again: what follows is not used", first);
    }

    void keep(std::string_view name, std::string value, int line)
    {
        const auto key = trim(name);
        if (!is_name(key))
            return tell("what stands before '=' is not a name", line);
        if (!is_utf8(value) || value.find('\0') != std::string::npos)
            return tell("the value is not text", line);
        values_[std::string(key)] = std::move(value);
    }

    // Nothing of the line itself: it may be a part of a secret, which no mask knows.
    void tell(const std::string& what) { tell(what, number_); }
    void tell(const std::string& what, int line)
    {
        constexpr std::size_t k_enough = 10;
        if (problems_ && problems_->size() < k_enough)
            problems_->push_back(fmt::format("line {}: {}", line, what));
    }

    std::string_view rest_;
    std::vector<std::string>* problems_;
    std::map<std::string, std::string> values_;
    int number_ = 0;
};

} // namespace

std::map<std::string, std::string> parse_exchange(std::string_view text, std::vector<std::string>* problems)
{
    if (text.size() <= k_limit_bytes)
        return LineReader(text, problems).read();
    if (problems)
        problems->push_back("it is longer than 1 MiB; nothing of it is used");
    return {};
}

} // namespace gantry::runner
