#include "app/view/style.hpp"

#include <utility>

namespace gantry::app {

namespace {

constexpr std::pair<std::string_view, std::string_view> k_stand_ins[] = {
    {"✓", "+"}, {"✗", "x"}, {"▶", ">"}, {"↓", "v"}, {"·", "-"}, {"›", ">"}, {"│", "|"}, {"…", "..."}, {"▸", ">"}, {"↻", "~"},
    {"●", "o"}, {"├", "|"}, {"─", "-"}, {"∥", "||"}, {"←", "<-"},
};

} // namespace

std::string Style::shown(std::string text) const
{
    if (unicode)
        return text;
    for (const auto& [symbol, stand_in] : k_stand_ins)
        for (auto at = text.find(symbol); at != std::string::npos; at = text.find(symbol, at + stand_in.size()))
            text.replace(at, symbol.size(), stand_in);
    return text;
}

std::string Style::paint(const char* sgr, std::string_view text) const
{
    if (!colours)
        return std::string(text);
    return "\x1b[" + std::string(sgr) + "m" + std::string(text) + "\x1b[0m";
}

} // namespace gantry::app
