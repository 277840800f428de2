#include "pipeline/frontend/compose_template.hpp"

#include "pipeline/frontend/yaml_problems.hpp"

#include <fmt/format.h>

namespace gantry::pipeline::native {

namespace {

constexpr int k_max_nesting = 16;
constexpr std::string_view k_expression = "${{";

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

class Interpolator {
public:
    Interpolator(std::string_view source, const FindVariable& find) : source_(source), find_(find) {}

    Interpolated run()
    {
        if (const auto at = source_.find(k_expression); at != std::string_view::npos)
            refuse(at, "'${{' has no meaning in a Compose file",
                   "give 'env' of the pipeline a variable with it, and write ${NAME} here");
        else
            substitute(0, source_.size(), result_.text, 0);
        if (!result_.problem && count(result_.text) != expressions_)
            refuse(0, "the values put together here make a '${{'", "write the text in another way");
        return std::move(result_);
    }

private:
    static std::size_t count(std::string_view text)
    {
        std::size_t count = 0;
        for (auto at = text.find(k_expression); at != std::string_view::npos;
             at = text.find(k_expression, at + k_expression.size()))
            ++count;
        return count;
    }

    bool refuse(std::size_t offset, std::string message, std::string hint = {})
    {
        if (!result_.problem)
            result_.problem = {offset, std::move(message), std::move(hint)};
        return false;
    }

    // Appends to `out` what source_[at, end) gives; false after a problem.
    bool substitute(std::size_t at, std::size_t end, std::string& out, int depth)
    {
        if (depth > k_max_nesting)
            return refuse(at, fmt::format("variables are nested deeper than {} levels", k_max_nesting));
        while (at < end) {
            const auto dollar = std::min(source_.find('$', at), end);
            out += source_.substr(at, dollar - at);
            if (out.size() > k_max_interpolated_bytes)
                return refuse(at, fmt::format("a value gets longer than {} bytes", k_max_interpolated_bytes));
            if (dollar == end)
                return true;
            at = dollar + 1;
            if (at < end && source_[at] == '$') {
                out += '$';
                ++at;
            } else if (at < end && source_[at] == '{') {
                if (!braced(dollar, at, end, out, depth))
                    return false;
            } else if (at < end && is_name_start(source_[at])) {
                const auto name = take_name(at, end);
                put(name, dollar, out);
            } else {
                return refuse(dollar, "this '$' does not begin the name of a variable", "write $$ for a dollar sign");
            }
        }
        return out.size() <= k_max_interpolated_bytes ||
               refuse(at - 1, fmt::format("a value gets longer than {} bytes", k_max_interpolated_bytes));
    }

    std::string take_name(std::size_t& at, std::size_t end) const
    {
        const auto start = at;
        while (at < end && is_name(source_[at]))
            ++at;
        return std::string(source_.substr(start, at - start));
    }

    // The '}' of the '{' at `open`; npos when there is none. Braces within count, as in Compose.
    std::size_t closing(std::size_t open, std::size_t end) const
    {
        int depth = 0;
        for (auto at = open; at < end; ++at) {
            depth += source_[at] == '{' ? 1 : source_[at] == '}' ? -1 : 0;
            if (depth == 0)
                return at;
        }
        return std::string_view::npos;
    }

    void put(const std::string& name, std::size_t offset, std::string& out)
    {
        const auto* value = find_(name);
        if (!value) {
            result_.unset.push_back({offset, name});
            return;
        }
        for (const auto& part : value->parts())
            expressions_ += part.is_expression ? 1 + count(part.text) : 0;
        out += value->source();
    }

    // `at` stands on '{' and is moved behind its '}'.
    bool braced(std::size_t dollar, std::size_t& at, std::size_t end, std::string& out, int depth)
    {
        const auto close = closing(at, end);
        if (close == std::string_view::npos)
            return refuse(dollar, "'${' is not closed by '}'", "write $$ for a dollar sign");
        ++at;
        if (!is_name_start(source_[at]))
            return refuse(dollar, "'${' is not followed by the name of a variable", "write $$ for a dollar sign");
        const auto name = take_name(at, close);
        const bool colon = source_[at] == ':';
        const char sign = source_[at + (colon ? 1 : 0)];
        const auto operand = at + (colon ? 2 : 1);
        const auto next = close + 1;
        if (at == close) {
            put(name, dollar, out);
            at = next;
            return true;
        }
        if ((sign != '-' && sign != '?' && sign != '+') || operand > close)
            return refuse(
                at, fmt::format("'{}' cannot follow the name '{}'", clip(source_.substr(at, close - at)), clip(name)),
                "write ${NAME:-default}, ${NAME:?message} or ${NAME:+other}");
        const auto* value = find_(name);
        const bool present = value && (!colon || !value->empty());
        at = next;
        if (sign == '-' && present)
            put(name, dollar, out);
        else if (sign == '-' || (sign == '+' && present))
            return substitute(operand, close, out, depth + 1);
        else if (sign == '?' && present)
            put(name, dollar, out);
        else if (sign == '?')
            return require(name, dollar, operand, close, depth);
        return true;
    }

    bool require(const std::string& name, std::size_t dollar, std::size_t operand, std::size_t close, int depth)
    {
        std::string message;
        if (!substitute(operand, close, message, depth + 1))
            return false;
        return refuse(
            dollar,
            fmt::format("the variable '{}' needs a value{}{}", clip(name), message.empty() ? "" : ": ", clip(message)),
            "set it in .env beside the Compose file, or in 'env' of the pipeline");
    }

    std::string_view source_;
    const FindVariable& find_;
    Interpolated result_;
    std::size_t expressions_ = 0; // `${{` that values brought
};

} // namespace

Interpolated interpolate(std::string_view source, const FindVariable& find) { return Interpolator(source, find).run(); }

} // namespace gantry::pipeline::native
