#include "pipeline/frontend/yaml_problems.hpp"

#include "pipeline/frontend/yaml_tree.hpp"

#include "base/format.hpp"
#include "base/utf8.hpp"
#include "pipeline/line_index.hpp"

#include <algorithm>
#include <iterator>

namespace gantry::pipeline::native {

namespace {

bool at_closing_bracket(std::string_view text, std::size_t offset) { return text.substr(offset, 1).find_first_of("]}") == 0; }
bool at_quote(std::string_view text, std::size_t offset) { return text.substr(offset, 1).find_first_of("\"'") == 0; }

bool behind_text(std::string_view text, std::size_t offset)
{
    const auto before = text.substr(0, offset).find_last_not_of(" \t");
    return before != std::string_view::npos && text[before] != '\n';
}

struct Explanation {
    std::string_view problem; // libyaml's words, from its scanner.c and parser.c; empty: any
    std::string_view context; // how they begin; empty: any
    const char* message;
    const char* hint;
    bool at_context = false; // people look where it began, not where it could not go on
    bool (*when)(std::string_view text, std::size_t offset) = nullptr; // what stands there
};

constexpr const char* k_not_open = "a closing bracket without its opening one";
constexpr const char* k_follows = "nothing can follow the value on its line";
constexpr const char* k_quote_all = "put all of it in quotes";
constexpr const char* k_quote_it = "put the text in quotes";
constexpr const char* k_check_its_indentation = "check its indentation";

// The first row that fits.
const Explanation k_explanations[] = {
    {"did not find expected key", "", k_not_open, k_quote_it, false, at_closing_bracket},
    {"did not find expected '-' indicator", "", k_not_open, k_quote_it, false, at_closing_bracket},
    {"did not find expected node content", "while parsing a block", k_not_open, k_quote_it, false, at_closing_bracket},
    {"did not find expected <document start>", "", k_not_open, k_quote_it, false, at_closing_bracket},
    {"did not find expected key", "", k_follows, k_quote_all, false, behind_text},
    {"did not find expected '-' indicator", "", k_follows, k_quote_all, false, behind_text},
    {"did not find expected key", "", "this line does not continue the map above it", k_check_its_indentation},
    {"could not find expected ':'", "", "this quote is closed on another line", "close it where its text ends", true, at_quote},
    {"could not find expected ':'", "", "a ':' is missing behind this key", "write key: value, or check the indentation", true},
    {"did not find expected '-' indicator", "", "this line does not continue the list above it",
     "each item starts with '- ' in the same column"},
    {"did not find expected ',' or '}'", "", "a '{' is not closed", "add '}', or put text that contains { } , in quotes", true},
    {"did not find expected ',' or ']'", "", "a '[' is not closed", "add ']', or put text that contains [ ] , in quotes", true},
    {"did not find expected node content", "while parsing a flow", "something is missing before this, inside of [ ] or { }",
     "put text that contains , [ ] { } in quotes"},
    {"did not find expected node content", "", "this cannot start a value", k_quote_it},
    {"found unexpected end of stream", "", "a quote is not closed", "", true},
    {"found unexpected document indicator", "", "a quote is not closed before '---'", "", true},
    {"mapping values are not allowed in this context", "", "a ':' cannot stand here", "put text that contains ': ' in quotes"},
    {"found unexpected ':'", "", "a ':' cannot stand here", "put text that contains ':' in quotes"},
    {"mapping keys are not allowed in this context", "", "a key cannot stand here", "check the indentation"},
    {"block sequence entries are not allowed in this context", "", "a list item cannot stand here", k_check_its_indentation},
    {"found character that cannot start any token", "", "this character cannot start a value", k_quote_it},
    {"did not find expected <document start>", "", "the document has ended before this", "check the indentation and the brackets"},
    {"found unknown escape character", "", "unknown escape in double quotes",
     "write \\\\ for a backslash, or use single quotes"},
    {"did not find expected hexdecimal number", "", "an escape lacks digits: \\x takes two, \\u four, \\U eight",
     "write \\\\ for a backslash, or use single quotes"},
    {"found invalid Unicode character escape code", "", "no character has this number", ""},
    {"found an indentation indicator equal to 0", "", "0 is not an indentation", ""},
    {"did not find expected comment or line break", "while scanning a block scalar", "only a comment may follow on this line",
     "start the text on the next one"},
    {"", "while scanning an anchor", "a '&' must be followed by a name", "of letters, digits, '_' and '-'; or put the text in quotes", true},
    {"", "while scanning an alias", "a '*' must be followed by the name of an anchor", k_quote_it, true},
    {"", "while scanning a directive", "a line that starts with '%' is an instruction to YAML, and this is none", k_quote_it, true},
    {"", "while scanning a %", "a line that starts with '%' is an instruction to YAML, and this is none", k_quote_it, true},
    {"found duplicate %YAML directive", "", "a second %YAML line", "remove it"},
    {"found duplicate %TAG directive", "", "a second %TAG line for the same tags", "remove it"},
    {"found incompatible YAML document", "", "this is not YAML 1.1 or 1.2", "remove the line"},
    {"", "while scanning a tag", "this is not a tag", k_quote_it, true},
    {"", "while parsing a tag", "this is not a tag", k_quote_it, true},
    {"", "while parsing a %TAG", "this is not a tag", k_quote_it, true},
    {"found undefined tag handle", "", "no %TAG line says what this tag means", k_quote_it},
};

std::string_view line_at(std::string_view text, std::size_t offset)
{
    const auto newline = offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
    const auto start = newline == std::string_view::npos ? 0 : newline + 1;
    return text.substr(start, text.find('\n', start) - start);
}

// `{ image: ${{ x }} }`: the braces of the expression end the map.
bool has_bare_expression_in_brackets(std::string_view line)
{
    const auto expression = line.find("${{");
    const auto bracket = line.find_first_of("{[");
    return expression != std::string_view::npos && bracket < expression && line.find('"') > expression &&
           line.find('\'') > expression;
}

} // namespace

std::string clip(std::string_view text)
{
    constexpr std::size_t k_most = 60;
    const auto kept = first_bytes(text.substr(0, text.find('\n')), k_most);
    return terminal_safe(kept) + (kept.size() < text.size() ? "…" : "");
}

Diagnostic explain_syntax_error(std::string_view text, int file, const YamlError& error)
{
    const LineIndex lines(text);
    Diagnostic told{Severity::error, "yaml", std::string(error.problem), lines.mark(file, error.offset), 1, "", ""};
    const auto line = line_at(text, error.offset);
    const auto tab = line.substr(0, line.find_first_not_of(" \t")).find('\t');
    if (tab != std::string_view::npos || text.substr(error.offset, 1) == "\t") {
        told.message = k_tab_message;
        told.hint = k_tab_hint;
        if (tab != std::string_view::npos)
            told.mark.column = static_cast<int>(tab) + 1;
        return told;
    }
    const auto fits = [&](const Explanation& row) {
        return (row.problem.empty() || row.problem == error.problem) &&
               error.context.substr(0, row.context.size()) == row.context &&
               (!row.when || row.when(text, row.at_context ? error.context_offset : error.offset));
    };
    const auto* row = std::find_if(std::begin(k_explanations), std::end(k_explanations), fits);
    if (row != std::end(k_explanations)) {
        told.message = row->message;
        told.hint = row->hint;
    }
    if (has_bare_expression_in_brackets(line))
        told.hint = "inside { } and [ ], put text with ${{ }} in quotes";
    else if (row != std::end(k_explanations) && row->at_context)
        told.mark = lines.mark(file, error.context_offset);
    return told;
}

// The bytes of a quoted scalar up to and with its closing quote, as far as they stand on one line.
static std::size_t quoted_extent(std::string_view line)
{
    const char quote = line.front();
    for (std::size_t i = 1; i < line.size(); ++i) {
        if (quote == '"' && line[i] == '\\')
            ++i;
        else if (line[i] == quote && quote == '\'' && line.substr(i + 1, 1) == "'")
            ++i;
        else if (line[i] == quote)
            return i + 1;
    }
    return line.size();
}

// A null stands as `~` or `null`, or where its key or its dash is.
static std::size_t null_extent(std::string_view line)
{
    if (line.front() == '"' || line.front() == '\'')
        return quoted_extent(line);
    return line.front() == '~' || line.front() == '-' ? 1 : std::max<std::size_t>(1, std::min(line.size(), line.find_first_of(": ,]}")));
}

std::size_t extent(const Node& node, std::string_view text)
{
    if (node.offset >= text.size())
        return 1;
    auto line = text.substr(node.offset);
    line = line.substr(0, line.find_first_of("\r\n"));
    if (line.empty())
        return 1;
    if (node.is_map() && !node.items.empty() && line.front() != '{')
        return node.items[0]->mark.line == node.mark.line ? extent(*node.items[0], text) : 1;
    if (!node.is_scalar())
        return node.is_null() ? null_extent(line) : 1;
    if (line.front() == '"' || line.front() == '\'')
        return quoted_extent(line);
    if (node.style != Node::Style::plain)
        return 1;
    // A plain scalar stands in the text as it is; one of several lines is folded, so only the first counts.
    std::size_t same = 0;
    while (same < line.size() && same < node.text.size() && line[same] == node.text[same])
        ++same;
    return std::max<std::size_t>(same, 1);
}

} // namespace gantry::pipeline::native
