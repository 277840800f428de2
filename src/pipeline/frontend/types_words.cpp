#include "pipeline/frontend/container_types.hpp"

#include "pipeline/expression.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include <fmt/format.h>

#include <algorithm>

// NAME=value lists and commands that are split into words.

namespace gantry::pipeline::native {

bool check_variable_name(Reader& reader, const Node& at, std::string_view name)
{
    const bool bad = std::any_of(name.begin(), name.end(), [](char c) { return c == '=' || static_cast<unsigned char>(c) <= 0x20; });
    if (!name.empty() && !bad)
        return true;
    reader.error(at, "bad-value", fmt::format("'{}' cannot be a name", clip(name)), "names have no blanks and no '='");
    return false;
}

namespace {

// Whether a name may stand alone.
enum class Bare { refused, empty };

// Splits "NAME=value" of a list; false after an error.
bool split_assignment(Reader& reader, const Node& node, Bare bare, std::string& name, std::size_t& value_offset)
{
    const auto text = reader.string(node);
    if (!text)
        return false;
    const auto equals = text->find('=');
    name = text->substr(0, equals);
    if (!check_variable_name(reader, node, name))
        return false;
    if (equals == std::string::npos && bare == Bare::empty) {
        value_offset = text->size();
        return true;
    }
    if (equals == std::string::npos) {
        reader.error(node, "bad-value", fmt::format("'{}' has no value", clip(name)),
                     fmt::format("write {}=value; secrets of the run come in by 'secrets'", clip(name)));
        return false;
    }
    value_offset = equals + 1;
    return true;
}

// Walks both forms; `take` gets each name with its node and where the value starts in the node's text.
template <class Take> bool read_assignments(Reader& reader, const Node& node, Take take, Bare bare = Bare::refused)
{
    if (node.is_map()) {
        for (std::size_t i = 0; i < node.pairs(); ++i) {
            const Reader::Inside inside(reader, node.key(i));
            const auto& value = node.value(i);
            if (!check_variable_name(reader, node.key(i), node.key(i).text))
                continue;
            if (value.is_null() && bare == Bare::empty)
                take(node.key(i).text, value, 0);
            else if (value.is_null())
                reader.error(node.key(i), "bad-value", fmt::format("'{}' has no value", clip(node.key(i).text)),
                             "write \"\" for empty text; secrets come in by 'secrets'");
            else if (reader.scalar(value))
                take(node.key(i).text, value, 0);
        }
        return true;
    }
    if (!node.is_list()) {
        reader.wrong_type(node, "a map or a list of NAME=value");
        return false;
    }
    std::vector<std::string> names;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        const Reader::Inside inside(reader, i);
        std::string name;
        std::size_t offset = 0;
        if (!split_assignment(reader, *node.items[i], bare, name, offset))
            continue;
        names.push_back(name);
        take(std::move(name), *node.items[i], offset);
    }
    std::sort(names.begin(), names.end());
    if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end())
        reader.error(node, "duplicate-key", fmt::format("'{}' stands twice in this list", clip(*twice)));
    return true;
}

constexpr std::size_t k_max_command_bytes = 4 * 1024; // of one text; a list may be longer

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// One word of a command after another, by the quoting rules of POSIX.1-2017, XCU 2.2. An expression is part of a word
// whatever blanks and quotes it holds.
class WordSplitter {
public:
    explicit WordSplitter(std::string_view text) : text_(text) {}

    // False at the end, or when a quote is open (then unclosed() is its offset).
    bool next(std::string& word, std::size_t& start)
    {
        while (at_ < text_.size() && is_blank(text_[at_]))
            ++at_;
        if (at_ >= text_.size())
            return false;
        word.clear();
        start = at_;
        while (at_ < text_.size() && !is_blank(text_[at_]))
            if (!take(word))
                return false;
        return true;
    }
    std::optional<std::size_t> unclosed() const { return unclosed_; }

private:
    bool take(std::string& word)
    {
        const char c = text_[at_];
        if (text_.substr(at_, 3) == "${{")
            return take_expression(word);
        if (c == '\'' || c == '"')
            return take_quoted(word, c);
        if (c == '\\' && at_ + 1 < text_.size())
            ++at_;
        word += text_[at_++];
        return true;
    }

    bool take_expression(std::string& word)
    {
        const auto end = std::min(end_of_expression(text_, at_), text_.size());
        word += text_.substr(at_, end - at_);
        at_ = end;
        return true;
    }

    bool take_quoted(std::string& word, char quote)
    {
        const auto open = at_++;
        while (at_ < text_.size() && text_[at_] != quote) {
            if (text_.substr(at_, 3) == "${{") {
                take_expression(word);
                continue;
            }
            if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size() &&
                std::string_view("\"\\$`").find(text_[at_ + 1]) != std::string_view::npos)
                ++at_;
            word += text_[at_++];
        }
        if (at_ >= text_.size()) {
            unclosed_ = open;
            return false;
        }
        ++at_;
        return true;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::optional<std::size_t> unclosed_;
};

template <class Take> bool read_command(Reader& reader, const Node& node, Take take)
{
    const auto text = reader.scalar(node);
    if (!text)
        return false;
    if (text->size() > k_max_command_bytes) {
        reader.error(node, "limit", fmt::format("a command has at most {} bytes", k_max_command_bytes), "use 'run', or write a list");
        return false;
    }
    WordSplitter splitter(*text);
    std::string word;
    std::size_t start = 0;
    while (splitter.next(word, start))
        take(word, start);
    if (!splitter.unclosed())
        return true;
    reader.error_inside(node, *splitter.unclosed(), "bad-value", "a quote is not closed in this command");
    return false;
}

bool read_texts(Reader& reader, const Node& node, AssignmentsType::Value& value, Bare bare)
{
    const auto take = [&](std::string name, const Node& at, std::size_t offset) {
        value.emplace_back(std::move(name), reader.text_part(at, std::string_view(at.text).substr(offset), offset));
    };
    return read_assignments(reader, node, take, bare);
}

bool read_fixed(Reader& reader, const Node& node, FixedAssignmentsType::Value& value, Bare bare)
{
    const auto take = [&](std::string name, const Node& at, std::size_t offset) {
        auto text = at.text.substr(offset);
        if (reader.is_fixed(at, text))
            value.emplace_back(std::move(name), std::move(text));
    };
    return read_assignments(reader, node, take, bare);
}

// False, with an error at each, when there are labels that only gantry sets.
bool check_labels(Reader& reader, const Node& node)
{
    bool good = true;
    const auto check = [&](const Node& at, const std::string& name) {
        good = keeps_rule(reader, at, k_label_rule, name) && good;
    };
    for (std::size_t i = 0; node.is_map() && i < node.pairs(); ++i)
        check(node.key(i), node.key(i).text);
    for (std::size_t i = 0; node.is_list() && i < node.items.size(); ++i)
        check(*node.items[i], node.items[i]->text.substr(0, node.items[i]->text.find('=')));
    return good;
}

Out assignments_schema(Out value, Out item)
{
    Out map = map_schema(std::move(value));
    map.set("propertyNames", Out::map({{"pattern", Out("^[^= ]+$")}}));
    return either_schema({std::move(map), list_schema(std::move(item))});
}

} // namespace

bool AssignmentsType::read(Reader& reader, const Node& node, Value& value) { return read_texts(reader, node, value, Bare::refused); }

Out AssignmentsType::schema(SchemaBuilder& builder)
{
    Out item = Out::map({{"type", Out("string")}, {"pattern", Out("^[^=]+=")}, {"examples", Out::list({"NAME=value"})}});
    return assignments_schema(ScalarType::schema(builder), std::move(item));
}

bool FixedAssignmentsType::read(Reader& reader, const Node& node, Value& value) { return read_fixed(reader, node, value, Bare::refused); }

bool LabelsType::read(Reader& reader, const Node& node, Value& value)
{
    const bool are_free = check_labels(reader, node);
    return read_texts(reader, node, value, Bare::empty) && are_free;
}

Out LabelsType::schema(SchemaBuilder& builder)
{
    Out value = either_schema({ScalarType::schema(builder), Out::map({{"type", Out("null")}})});
    Out item = Out::map({{"type", Out("string")}, {"pattern", Out("^[^= ]+(=|$)")}, {"examples", Out::list({"NAME=value", "NAME"})}});
    return assignments_schema(std::move(value), std::move(item));
}

bool FixedLabelsType::read(Reader& reader, const Node& node, Value& value)
{
    const bool are_free = check_labels(reader, node);
    return read_fixed(reader, node, value, Bare::empty) && are_free;
}

bool CommandType::read(Reader& reader, const Node& node, Value& value)
{
    if (node.is_null())
        return false;
    if (node.is_list())
        return ListType<AnyTextType>::read(reader, node, value);
    return read_command(reader, node, [&](const std::string& word, std::size_t start) {
        value.push_back(reader.text_part(node, word, start));
    });
}

Out CommandType::schema(SchemaBuilder& builder)
{
    return either_schema({Out::map({{"type", Out("null")}}), ScalarType::schema(builder), list_schema(ScalarType::schema(builder))});
}

Out FixedCommandType::schema(SchemaBuilder& builder)
{
    return either_schema({ScalarType::schema(builder), list_schema(ScalarType::schema(builder))});
}

bool FixedCommandType::read(Reader& reader, const Node& node, Value& value)
{
    if (node.is_list())
        return ListType<ScalarType>::read(reader, node, value);
    return read_command(reader, node, [&](const std::string& word, std::size_t) {
        if (reader.is_fixed(node, word))
            value.push_back(word);
    });
}

} // namespace gantry::pipeline::native
