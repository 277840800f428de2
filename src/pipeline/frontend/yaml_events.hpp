#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

// A YAML text as its events, one after the other: a thin shell around libyaml, which is what most CI systems read their
// files with. It knows neither limits nor what a text means; yaml_tree.hpp does.

namespace gantry::pipeline::native {

struct YamlEvent {
    enum class Kind : std::uint8_t { document, alias, scalar, list, map, end }; // `end`: of a list or map
    enum class Style : std::uint8_t { plain, quoted, block };
    Kind kind = Kind::document;
    Style style = Style::plain; // of a scalar
    std::size_t offset = 0;     // its first byte in the text, that of its anchor or tag if it has one
    std::string_view text;      // of a scalar: what it means; of an alias: the name of the anchor
    std::string_view anchor;    // empty: none
    std::string_view tag;       // resolved, as in "tag:yaml.org,2002:str"; empty: none, or the bare "!"
};

// Why a text is not YAML, in libyaml's words.
struct YamlError {
    std::string_view problem;
    std::string_view context; // what was being read; empty: unknown
    std::size_t offset = 0;
    std::size_t context_offset = 0; // where that began; `offset` when it is unknown
};

class YamlEvents {
public:
    // `text` is UTF-8 without a byte order mark and without what YAML forbids (check_encoding); it has to outlive this.
    explicit YamlEvents(std::string_view text);
    ~YamlEvents();
    YamlEvents(const YamlEvents&) = delete;
    YamlEvents& operator=(const YamlEvents&) = delete;

    // Valid until the next call. Null pointer at the end of the text and at its first error.
    const YamlEvent* next();
    // Set when next() has ended before the text.
    const std::optional<YamlError>& error() const { return error_; }

private:
    struct Parser;
    std::size_t byte_at(std::size_t character) const;
    void fail();

    std::string_view text_;
    std::vector<std::uint32_t> characters_; // the byte where each starts; empty: they are the bytes
    std::unique_ptr<Parser> parser_;
    YamlEvent event_;
    std::optional<YamlError> error_;
};

} // namespace gantry::pipeline::native
