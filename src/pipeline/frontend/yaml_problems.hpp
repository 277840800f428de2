#pragma once

#include "pipeline/diagnostic.hpp"
#include "pipeline/frontend/yaml_events.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gantry::pipeline::native {

constexpr const char* k_tab_message = "a tab cannot indent";
constexpr const char* k_tab_hint = "use spaces";

// Text of a user for a message: one line, at most 60 bytes, whole characters.
std::string clip(std::string_view text);

// Where the lines of a text begin.
class Lines {
public:
    explicit Lines(std::string_view text);
    // Line and column, both from 1, of a byte.
    Mark mark(int file, std::size_t offset) const;

private:
    std::vector<std::size_t> starts_{0};
};

// What libyaml complains of, in words for people and at the place where they look for it.
Diagnostic explain_syntax_error(std::string_view text, int file, const YamlError& error);

} // namespace gantry::pipeline::native
