#include "pipeline/diagnostic.hpp"

#include "base/columns.hpp"
#include "base/format.hpp"
#include "base/utf8.hpp"
#include "pipeline/line_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

// Diagnostics as people see them.

namespace gantry::pipeline {

namespace {

constexpr int k_widest_line = 100; // columns of the user's line that are shown

struct Style {
    const char *bold = "", *red = "", *yellow = "", *dim = "", *off = "";
};

Style style_of(Ansi ansi)
{
    return ansi == Ansi::off ? Style{} : Style{"\x1b[1m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[2m", "\x1b[0m"};
}

// The lines of each file, found when the first of it is shown.
class Shown {
public:
    explicit Shown(const Sources& sources) : sources_(sources) {}

    std::string_view line(const Mark& mark)
    {
        if (mark.file < 0 || static_cast<std::size_t>(mark.file) >= sources_.size())
            return {};
        return files_.try_emplace(mark.file, sources_[static_cast<std::size_t>(mark.file)].text).first->second.line(mark.line);
    }

private:
    const Sources& sources_;
    std::map<int, LineIndex> files_;
};

// One character of the line as it is printed.
struct Cell {
    std::string text;
    int columns = 1;
    std::size_t offset = 0; // of its first byte in the line
};

std::vector<Cell> cells_of(std::string_view line)
{
    std::vector<Cell> cells;
    for (std::size_t at = 0; at < line.size();) {
        const auto rest = line.substr(at);
        const auto character = first_character(rest);
        const auto bytes = character ? character->bytes : 1;
        if (rest.starts_with('\t')) {
            cells.push_back({"    ", 4, at});
        } else {
            auto shown = terminal_safe(rest.substr(0, bytes));
            const bool is_itself = character && shown == rest.substr(0, bytes);
            const auto columns = is_itself ? columns_of(character->code) : static_cast<int>(shown.size());
            cells.push_back({std::move(shown), columns, at});
        }
        at += bytes;
    }
    return cells;
}

// The line and what is below it: the caret stands under the first byte, '~' under the others.
struct Excerpt {
    std::string line, marker;
};

// A wide line is cut to a window around what is marked.
Excerpt excerpt_of(std::string_view whole, std::size_t column, std::size_t length)
{
    // Lines may be a megabyte long: look only at what could be shown.
    constexpr std::size_t k_reach = 4 * k_widest_line;
    auto skip = column > k_reach ? column - k_reach : 0;
    while (skip > 0 && skip < whole.size() && continues_character(whole[skip]))
        --skip;
    skip = std::min(skip, whole.size());
    const auto line = whole.substr(skip, 2 * k_reach);
    const auto cells = cells_of(line);
    const auto start = std::max<std::size_t>(column, 1) - 1 - skip;
    int total = 0, before = 0;
    for (const auto& cell : cells) {
        before += cell.offset < start ? cell.columns : 0;
        total += cell.columns;
    }
    const bool wide = total > k_widest_line || skip > 0;
    const int first = wide && before > k_widest_line / 2 ? before - k_widest_line / 2 : 0;
    Excerpt excerpt;
    if (first > 0 || skip > 0)
        excerpt.line = "…", excerpt.marker = " ";
    int at = 0, marked = 0;
    for (const auto& cell : cells) {
        const int cell_start = at;
        at += cell.columns;
        if (cell_start < first)
            continue;
        if (at > first + k_widest_line) {
            excerpt.line += "…";
            break;
        }
        excerpt.line += cell.text;
        if (cell.offset < start)
            excerpt.marker += std::string(static_cast<std::size_t>(cell.columns), ' ');
        else if (cell.offset < start + length)
            marked += cell.columns;
    }
    excerpt.marker += '^' + std::string(static_cast<std::size_t>(std::max(marked - 1, 0)), '~');
    return excerpt;
}

void render_one(const Diagnostic& diagnostic, const Sources& sources, Shown& shown, const Style& style, std::string& out)
{
    const auto& mark = diagnostic.mark;
    const bool has_file = mark.file >= 0 && static_cast<std::size_t>(mark.file) < sources.size();
    const auto path = terminal_safe(has_file ? sources[static_cast<std::size_t>(mark.file)].path : "?");
    const bool error = diagnostic.severity == Severity::error;
    out += fmt::format("{}{}{}:{} {}{}{}: {}\n", style.bold, path, mark.known() ? fmt::format(":{}:{}", mark.line, mark.column) : "",
                       style.off, error ? style.red : style.yellow, error ? "error" : "warning", style.off,
                       terminal_safe(diagnostic.message));
    const auto hint = terminal_safe(diagnostic.hint);
    if (!mark.known()) {
        out += hint.empty() ? "" : fmt::format("     {}\n", hint);
        return;
    }
    const auto excerpt = excerpt_of(shown.line(mark), static_cast<std::size_t>(mark.column), diagnostic.length);
    out += fmt::format("{}{:>4} │{}{}{}\n", style.dim, mark.line, style.off, excerpt.line.empty() ? "" : " ", excerpt.line);
    out += fmt::format("{}     │{} {}{}{}{}{}\n", style.dim + std::string(std::to_string(mark.line).size() > 4 ? std::to_string(mark.line).size() - 4 : 0, ' '),
                       style.off, error ? style.red : style.yellow, excerpt.marker, style.off, hint.empty() ? "" : " ", hint);
}

} // namespace

std::string render_text(const Diagnostics& diagnostics, const Sources& sources, Ansi ansi)
{
    if (diagnostics.empty())
        return "";
    std::string out;
    Shown shown(sources);
    std::set<int> files;
    for (const auto& diagnostic : diagnostics) {
        render_one(diagnostic, sources, shown, style_of(ansi), out);
        files.insert(diagnostic.mark.file);
    }
    return out + format_count(diagnostics.size(), "problem") + " in " + format_count(files.size(), "file") + '\n';
}

} // namespace gantry::pipeline
