#pragma once

#include "pipeline/diagnostic.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

// YAML as a small tree that knows where everything stands, built from the events of yaml_events.hpp: keys have their
// places, duplicate keys are told, and aliases are followed within bounds.

namespace gantry::pipeline::native {

// Bounds on a pipeline with all it includes; whatever is beyond them is a diagnostic with the code "limit". They keep
// the time of the worst text below 0.1 s.
constexpr std::size_t k_max_text_bytes = 512 * 1024;
constexpr std::size_t k_max_line_bytes = 32 * 1024;
constexpr int k_max_depth = 64;
constexpr std::size_t k_max_nodes = 80'000;       // written out
constexpr std::size_t k_max_alias_nodes = 10'000; // that aliases and merge keys add
constexpr std::size_t k_max_alias_bytes = 2 * 1024 * 1024; // and the text in them

struct Node {
    enum class Kind : std::uint8_t { null, scalar, list, map };
    enum class Style : std::uint8_t { plain, quoted, block }; // of a scalar
    enum class Merge : std::uint8_t { normal, reset, replace }; // Compose's tags !reset and !override
    Kind kind = Kind::null;
    Style style = Style::plain;
    Merge merge = Merge::normal;
    bool complete = false; // false while its end has not been read: an alias to it would be a cycle
    Mark mark;             // first byte, after anchors and tags
    std::uint32_t offset = 0; // the same place, in bytes from the start of its file
    std::uint32_t weight = 1; // nodes in it, aliases counted in full
    std::uint32_t text_bytes = 0; // of all scalars in it, aliases counted in full
    std::string text;         // of a scalar
    // Of a list: its items. Of a map: key, value, key, value, …; keys are scalars without duplicates, merge keys (`<<`)
    // have been carried out. Aliased nodes are shared, so this is a graph without cycles.
    std::vector<Node*> items;

    bool is_null() const { return kind == Kind::null; }
    bool is_scalar() const { return kind == Kind::scalar; }
    bool is_list() const { return kind == Kind::list; }
    bool is_map() const { return kind == Kind::map; }
    bool is_plain() const { return kind == Kind::scalar && style == Style::plain; }
    std::size_t pairs() const { return items.size() / 2; }
    Node& key(std::size_t i) const { return *items[2 * i]; }
    Node& value(std::size_t i) const { return *items[2 * i + 1]; }
    // The value of a key of a map; null pointer when there is none.
    Node* find(std::string_view key) const;
};

// Owns nodes; their addresses are stable.
using NodePool = std::deque<Node>;

// What a text is, for messages.
struct YamlUse {
    const char* one_document = "a second document starts here; one file is one pipeline";
    const char* one_document_hint = "remove the '---', or use a file of .gantry/ for each";
    const char* empty_hint = "start with image: and steps:";
    bool takes_merge_tags = false; // !reset and !override mean something: Node::merge
};

// Reads the one document of `file.text`. The nodes that `pool` holds already count, too. Null pointer when there is
// none to work with; then there is an error in
// `diagnostics`. Never throws for anything the text contains.
Node* read_yaml(const SourceFile& file, int file_index, NodePool& pool, Diagnostics& diagnostics, const YamlUse& use = {});

// Problems of the bytes themselves: too many, too long a line, not UTF-8, NUL, control characters. True when there are none.
bool check_encoding(const SourceFile& file, int file_index, Diagnostics& diagnostics);

// How many bytes of the line `node` starts on belong to it: what to underline. At least 1.
std::size_t extent(const Node& node, std::string_view text);

} // namespace gantry::pipeline::native
