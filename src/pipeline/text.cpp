#include "pipeline/text.hpp"

#include "base/error.hpp"

#include <algorithm>

namespace gantry::pipeline {

Text::Text(std::string literal)
{
    if (!literal.empty())
        parts_.push_back({false, std::move(literal), {}});
}

Text::Text(std::vector<Part> parts)
{
    parts_.reserve(parts.size());
    for (auto& part : parts) {
        if (!part.is_expression && part.text.empty())
            continue;
        if (!part.is_expression && !parts_.empty() && !parts_.back().is_expression)
            parts_.back().text += part.text;
        else
            parts_.push_back(std::move(part));
    }
}

bool Text::is_literal() const
{
    return std::none_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.is_expression; });
}

std::string Text::literal() const
{
    GANTRY_ASSERT(is_literal());
    return parts_.empty() ? std::string() : parts_.front().text;
}

std::string Text::source() const
{
    std::string source;
    for (const auto& part : parts_)
        source += part.is_expression ? "${{ " + part.text + " }}" : part.text;
    return source;
}

} // namespace gantry::pipeline
