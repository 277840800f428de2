#pragma once

#include "pipeline/diagnostic.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace gantry::pipeline {

// Where the lines of a text begin. Views the text, which must outlive it.
class LineIndex {
public:
    explicit LineIndex(std::string_view text);

    // Line and column, both from 1, of a byte; `file` is passed on.
    Mark mark(int file, std::size_t offset) const;
    // The line of this number, from 1, without its end; empty for one that there is not.
    std::string_view line(int number) const;

private:
    std::string_view text_;
    std::vector<std::size_t> starts_{0};
};

} // namespace gantry::pipeline
