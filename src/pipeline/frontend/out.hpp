#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::pipeline::native {

// A tree to print: as YAML (definitions) or as JSON (the schema). Maps keep their order.
struct Out {
    enum class Kind { null, boolean, number, text, list, map };

    Out() = default;
    Out(std::string value) : kind(Kind::text), text(std::move(value)) {}
    Out(std::string_view value) : Out(std::string(value)) {}
    Out(const char* value) : Out(std::string(value)) {}
    Out(bool value) : kind(Kind::boolean), text(value ? "true" : "false") {}
    Out(std::int64_t value) : kind(Kind::number), text(std::to_string(value)) {}
    Out(int value) : Out(static_cast<std::int64_t>(value)) {}
    Out(double value); // the shortest text that reads back as the same number

    static Out list(std::vector<Out> items = {});
    static Out map(std::vector<std::pair<std::string, Out>> pairs = {});

    Out& add(Out item); // to a list; gives the tree itself
    Out& set(std::string key, Out value); // adds a pair, or replaces the value of the key
    Out* find(std::string_view key);

    Kind kind = Kind::null;
    std::string text;
    std::vector<Out> items;                         // of a list
    std::vector<std::pair<std::string, Out>> pairs; // of a map
};

std::string print_json(const Out& tree); // indented by two; UTF-8 stays
std::string print_yaml(const Out& map);  // block style; text is quoted where it could be taken for something else

} // namespace gantry::pipeline::native
