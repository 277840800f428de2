#include "pipeline/frontend/yaml_problems.hpp"

#include "pipeline/frontend/yaml_tree.hpp"

#include "base/format.hpp"

#include <yaml-cpp/exceptions.h>

#include <algorithm>

namespace gantry::pipeline::native {

namespace {

struct Explanation {
    std::string_view of; // yaml-cpp's constant
    const char* message;
    const char* hint;
};

const Explanation k_explanations[] = {
    {YAML::ErrorMsg::END_OF_MAP, "this line does not continue the map above it", "check its indentation"},
    {YAML::ErrorMsg::END_OF_SEQ, "this line does not continue the list above it",
     "each item starts with '- ' in the same column"},
    {YAML::ErrorMsg::END_OF_MAP_FLOW, "a '{' is not closed", "add '}', or put text that contains { } , in quotes"},
    {YAML::ErrorMsg::END_OF_SEQ_FLOW, "a '[' is not closed", "add ']', or put text that contains [ ] , in quotes"},
    {YAML::ErrorMsg::EOF_IN_SCALAR, "a quote is not closed before the end of the file", ""},
    {YAML::ErrorMsg::DOC_IN_SCALAR, "a quote is not closed before '---'", ""},
    {YAML::ErrorMsg::MAP_VALUE, "a ':' cannot stand here", "put text that contains ': ' in quotes"},
    {YAML::ErrorMsg::MAP_KEY, "a key cannot stand here", "check the indentation"},
    {YAML::ErrorMsg::BLOCK_ENTRY, "a list item cannot stand here", "check its indentation"},
    {YAML::ErrorMsg::FLOW_END, "a closing bracket without its opening one", ""},
    {YAML::ErrorMsg::UNKNOWN_TOKEN, "this character cannot start a value", "put the text in quotes"},
    {YAML::ErrorMsg::UNKNOWN_ANCHOR, "no anchor of this name stands above", "define it with &name; or put the text in quotes"},
    {YAML::ErrorMsg::ALIAS_NOT_FOUND, "a '*' must be followed by the name of an anchor", "put the text in quotes"},
    {YAML::ErrorMsg::ANCHOR_NOT_FOUND, "a '&' must be followed by a name", "put the text in quotes"},
    {YAML::ErrorMsg::CHAR_IN_ALIAS, "this is not the name of an anchor", "put the text in quotes"},
    {YAML::ErrorMsg::CHAR_IN_ANCHOR, "this is not a name for an anchor", "put the text in quotes"},
    {YAML::ErrorMsg::ALIAS_CONTENT, "an alias cannot have an anchor or a tag", ""},
    {YAML::ErrorMsg::CHAR_IN_BLOCK, "only a comment may follow on this line", "start the text on the next one"},
    {YAML::ErrorMsg::ZERO_INDENT_IN_BLOCK, "0 is not an indentation", ""},
    {YAML::ErrorMsg::INVALID_ANCHOR, "this is not a name for an anchor", ""},
    {YAML::ErrorMsg::INVALID_ALIAS, "this is not the name of an anchor", ""},
    {YAML::ErrorMsg::BAD_FILE, "nested too deep", ""},
};

std::string_view line_of(std::string_view text, int number)
{
    std::size_t start = 0;
    for (int line = 1; line < number; ++line) {
        const auto newline = text.find('\n', start);
        if (newline == std::string_view::npos)
            return {};
        start = newline + 1;
    }
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
    const auto line = text.substr(0, text.find('\n'));
    if (line.size() == text.size() && text.size() <= k_most)
        return terminal_safe(text);
    auto end = std::min(line.size(), k_most);
    while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
        --end;
    return terminal_safe(text.substr(0, end)) + "…";
}

Diagnostic explain_syntax_error(std::string_view text, Mark mark, std::string_view message, Mark bracket)
{
    Diagnostic problem{Severity::error, "yaml", std::string(message), mark, 1, "", ""};
    const auto line = line_of(text, mark.line);
    const auto tab = line.substr(0, line.find_first_not_of(" \t")).find('\t');
    if (tab != std::string_view::npos) {
        problem.message = k_tab_message;
        problem.hint = k_tab_hint;
        problem.mark.column = static_cast<int>(tab) + 1;
        return problem;
    }
    if (message.rfind(YAML::ErrorMsg::INVALID_ESCAPE, 0) == 0) {
        problem.message = "unknown escape in double quotes";
        problem.hint = "write \\\\ for a backslash, or use single quotes";
    }
    const auto* found = std::find_if(std::begin(k_explanations), std::end(k_explanations),
                                     [&](const Explanation& e) { return e.of == message; });
    if (found != std::end(k_explanations)) {
        problem.message = found->message;
        problem.hint = found->hint;
    }
    if (has_bare_expression_in_brackets(line))
        problem.hint = "inside { } and [ ], put text with ${{ }} in quotes";
    else if (bracket.known() && (message == YAML::ErrorMsg::END_OF_SEQ_FLOW || message == YAML::ErrorMsg::END_OF_MAP_FLOW))
        problem.mark = bracket;
    return problem;
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
