#include "pipeline/expression.hpp"
#include "pipeline/frontend/reader.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"

#include <algorithm>

// Texts with `${{ }}`, and where their expressions stand in the file.

namespace gantry::pipeline::native {

namespace {

constexpr std::string_view k_open = "${{";

std::size_t count_of(std::string_view text, std::string_view word)
{
    std::size_t count = 0;
    for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + word.size()))
        ++count;
    return count;
}

// First byte of the content of a scalar in its file: behind the quote, or on the line below `|`.
std::size_t content_offset(const Node& node, std::string_view file)
{
    std::size_t at = node.offset;
    if (at >= file.size())
        return file.size();
    if (node.style == Node::Style::quoted && (file[at] == '"' || file[at] == '\''))
        return at + 1;
    if (node.style != Node::Style::block)
        return at;
    at = std::min(file.find('\n', at), file.size() - 1) + 1;
    const auto content = file.find_first_not_of(" \r\n", at);
    return content == std::string_view::npos ? file.size() : content;
}

// Turns rising offsets of a file into marks, in one pass over what lies between them.
class Walker {
public:
    Walker(std::string_view file, const Node& start) : file_(file), mark_(start.mark), offset_(start.offset) {}

    Mark at(std::size_t offset)
    {
        for (; offset_ < offset; ++offset_) {
            mark_.line += file_[offset_] == '\n' ? 1 : 0;
            mark_.column = file_[offset_] == '\n' ? 1 : mark_.column + 1;
        }
        return mark_;
    }

private:
    std::string_view file_;
    Mark mark_;
    std::size_t offset_;
};

} // namespace

Mark Reader::mark_of_offset(const Node& node, std::size_t file_offset) const
{
    return Walker(file_text(node), node).at(file_offset);
}

Mark Reader::mark_inside(const Node& scalar, std::size_t offset) const
{
    const auto file = file_text(scalar);
    auto at = content_offset(scalar, file);
    const std::string_view text = std::string_view(scalar.text).substr(0, offset);
    // Block scalars lose the indentation of each line, so their lines are counted; the rest is taken as it stands.
    if (scalar.style == Node::Style::block && !scalar.text.empty() && scalar.text.front() != '\n') {
        const auto indent = static_cast<std::size_t>(mark_of_offset(scalar, at).column - 1);
        const auto lines = std::count(text.begin(), text.end(), '\n');
        const auto line_in_text = text.rfind('\n');
        for (auto i = lines; i > 0 && at < file.size(); --i)
            at = std::min(file.find('\n', at), file.size() - 1) + 1;
        const auto column = line_in_text == std::string_view::npos ? text.size() : text.size() - line_in_text - 1;
        at += column + (lines > 0 ? indent : 0);
    } else {
        at += text.size();
    }
    return mark_of_offset(scalar, std::min(at, file.size()));
}

std::optional<Text> Reader::text(const Node& node, bool any_scalar)
{
    const auto value = any_scalar ? scalar(node) : string(node);
    return value ? std::optional(text_part(node, *value)) : std::nullopt;
}

Text Reader::text_part(const Node& node, std::string_view part, std::size_t offset)
{
    const bool plain = part.find(k_open) == std::string_view::npos;
    auto [split, problems] = split_text(part, plain ? node.mark : mark_inside(node, offset));
    for (auto& problem : problems)
        error_inside(node, offset + problem.offset, "expression", std::move(problem.message));
    if (plain)
        return split;
    // The n-th `${{` of the value is the n-th in the file, whatever folding and quotes have done to what is between.
    const auto file = file_text(node);
    Walker walker(file, node);
    auto at = content_offset(node, file);
    const auto next = [&] { return std::min(file.find(k_open, at), file.size()); };
    for (auto skip = count_of(std::string_view(node.text).substr(0, offset), k_open); skip > 0; --skip)
        at = std::min(next() + k_open.size(), file.size());
    auto parts = split.parts();
    for (auto& piece : parts) {
        if (!piece.is_expression) {
            for (auto wrong = count_of(piece.text, k_open); wrong > 0; --wrong)
                at = std::min(next() + k_open.size(), file.size());
            continue;
        }
        at = std::min(next() + k_open.size(), file.size());
        if (at == file.size())
            break; // written with escapes: the marks of split_text() are near enough
        piece.mark = walker.at(std::min(file.find_first_not_of(" \t\r\n", at), file.size()));
        for (auto inner = count_of(piece.text, k_open); inner > 0; --inner)
            at = std::min(next() + k_open.size(), file.size());
    }
    return Text(std::move(parts));
}

std::optional<Text> Reader::condition(const Node& node)
{
    if (!node.is_scalar()) {
        wrong_type(node, "an expression", "for example: if: ${{ branch == 'main' }}");
        return std::nullopt;
    }
    const auto source = trim(node.text);
    if (source.empty()) {
        error(node, "bad-value", "the condition is empty", "remove it, or write always()");
        return std::nullopt;
    }
    if (source.find(k_open) == std::string_view::npos) {
        const auto offset = static_cast<std::size_t>(source.data() - node.text.data());
        // It is printed inside of braces, so it must end where they do.
        std::optional<SplitError> problem;
        const auto braced = split_text("${{ " + std::string(source) + " }}", node.mark, &problem);
        if (problem || braced.parts().size() != 1) {
            error(node, "expression", problem ? problem->message : "'}}' cannot stand inside an expression");
            return std::nullopt;
        }
        return Text(std::vector<Text::Part>{{true, std::string(source), mark_inside(node, offset)}});
    }
    const auto before = diagnostics_.size();
    auto text = text_part(node, source, static_cast<std::size_t>(source.data() - node.text.data()));
    if (diagnostics_.size() != before)
        return std::nullopt;
    if (text.parts().size() != 1 || !text.parts()[0].is_expression) {
        error(node, "expression", "a condition is one expression", "put all of it into one ${{ }}");
        return std::nullopt;
    }
    return text;
}

} // namespace gantry::pipeline::native
