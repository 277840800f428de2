#include "pipeline/expression.hpp"

#include "base/format.hpp"

namespace gantry::pipeline {

namespace {

constexpr std::string_view k_open = "${{";
constexpr std::string_view k_close = "}}";

// Follows the position while the source is read from left to right, so that all marks together cost one pass.
class Position {
public:
    Position(std::string_view source, Mark start) : source_(source), mark_(start), first_column_(start.column) {}

    Mark at(std::size_t offset)
    {
        for (; offset_ < offset; ++offset_) {
            if (source_[offset_] == '\n') {
                ++mark_.line;
                mark_.column = first_column_;
            } else {
                ++mark_.column;
            }
        }
        return mark_.line > 0 && known_ ? mark_ : Mark{};
    }

private:
    std::string_view source_;
    Mark mark_;
    int first_column_;
    bool known_ = mark_.known();
    std::size_t offset_ = 0;
};

// Where the expression that starts at `from` ends (at its `}}`); braces inside quotes do not count.
struct End {
    std::size_t offset = std::string_view::npos;
    bool open_quote = false;
};

End find_end(std::string_view source, std::size_t from)
{
    char quote = 0;
    for (std::size_t i = from; i < source.size(); ++i) {
        const char c = source[i];
        if (quote == '"' && c == '\\')
            ++i;
        else if (quote != 0)
            quote = c == quote ? '\0' : quote;
        else if (c == '\'' || c == '"')
            quote = c;
        else if (source.substr(i, k_close.size()) == k_close)
            return {i, false};
    }
    return {std::string_view::npos, quote != 0};
}

Text literal_of(std::string_view source, Mark mark)
{
    return Text(std::vector<Text::Part>{{false, std::string(source), mark}});
}

} // namespace

std::size_t end_of_expression(std::string_view source, std::size_t open)
{
    const auto end = find_end(source, open + k_open.size()).offset;
    return end == std::string_view::npos ? end : end + k_close.size();
}

Text split_text(std::string_view source, Mark mark, std::optional<SplitError>* error)
{
    auto [text, errors] = split_text(source, mark);
    if (error)
        error->reset();
    if (error && !errors.empty())
        *error = std::move(errors.front());
    return errors.empty() ? std::move(text) : literal_of(source, mark);
}

SplitText split_text(std::string_view source, Mark mark)
{
    std::vector<SplitError> errors;
    std::vector<Text::Part> parts;
    Position position(source, mark);
    std::size_t done = 0;
    for (;;) {
        const auto open = source.find(k_open, done);
        const auto literal = source.substr(done, open == std::string_view::npos ? open : open - done);
        if (!literal.empty())
            parts.push_back({false, std::string(literal), position.at(done)});
        if (open == std::string_view::npos)
            return {Text(std::move(parts)), std::move(errors)};
        const auto inner = open + k_open.size();
        const auto end = find_end(source, inner);
        if (end.offset == std::string_view::npos) {
            errors.push_back({end.open_quote ? "a quote is not closed inside '${{'" : "'${{' is not closed by '}}'", open});
            parts.push_back({false, std::string(source.substr(open)), position.at(open)});
            return {Text(std::move(parts)), std::move(errors)};
        }
        done = end.offset + k_close.size();
        const auto expression = trim(source.substr(inner, end.offset - inner));
        if (expression.empty()) {
            errors.push_back({"nothing stands between '${{' and '}}'", open});
            parts.push_back({false, std::string(source.substr(open, done - open)), position.at(open)});
            continue;
        }
        const auto start = static_cast<std::size_t>(expression.data() - source.data());
        parts.push_back({true, std::string(expression), position.at(start)});
    }
}

} // namespace gantry::pipeline
