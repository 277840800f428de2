#include "pipeline/line_index.hpp"

#include <algorithm>
#include <iterator>

namespace gantry::pipeline {

LineIndex::LineIndex(std::string_view text) : text_(text)
{
    for (auto newline = text.find('\n'); newline != std::string_view::npos; newline = text.find('\n', newline + 1))
        starts_.push_back(newline + 1);
}

Mark LineIndex::mark(int file, std::size_t offset) const
{
    const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
    return {file, static_cast<int>(next - starts_.begin()), static_cast<int>(offset - *std::prev(next)) + 1};
}

std::string_view LineIndex::line(int number) const
{
    const auto index = static_cast<std::size_t>(number) - 1; // 0 and less: past the end
    if (index >= starts_.size())
        return {};
    auto line = text_.substr(starts_[index]);
    line = line.substr(0, line.find('\n'));
    if (line.ends_with('\r'))
        line.remove_suffix(1);
    return line;
}

} // namespace gantry::pipeline
