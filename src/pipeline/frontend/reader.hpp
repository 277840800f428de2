#pragma once

#include "pipeline/definition.hpp"
#include "pipeline/frontend/yaml_tree.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace gantry::pipeline::native {

class SeccompProfiles;

constexpr int k_max_objects = 12'000; // stages, steps and services of a pipeline

// Turns nodes into values and collects what is wrong with them. Knows where it is (for the path of a diagnostic and the
// marks of sections); the types of types.hpp and the tables of keys use it.
class Reader {
public:
    Reader(const Sources& sources, Diagnostics& diagnostics, SeccompProfiles& profiles)
        : sources_(sources), diagnostics_(diagnostics), profiles_(profiles)
    {
    }

    // What values name that is kept in a file.
    SeccompProfiles& profiles() { return profiles_; }

    // Compose's reading of scalars: quotes do not matter, so "5" is a number and "true" a boolean where one is wanted,
    // and booleans are text where that is; yes, no, on and off are booleans, too.
    enum class Scalars { strict, loose };
    void set_scalars(Scalars scalars) { scalars_ = scalars; }
    Scalars scalars() const { return scalars_; }

    // Adds a key or an index to the path while it lives.
    class Inside {
    public:
        Inside(Reader& reader, const Node& key) : reader_(reader), outer_key_(reader.key_)
        {
            reader.path_.push_back({key.text, -1});
            reader.key_ = &key;
        }
        Inside(Reader& reader, std::size_t index) : reader_(reader), outer_key_(reader.key_)
        {
            reader.path_.push_back({{}, static_cast<int>(index)});
        }
        Inside(const Inside&) = delete;
        Inside& operator=(const Inside&) = delete;
        ~Inside()
        {
            reader_.path_.pop_back();
            reader_.key_ = outer_key_;
        }

    private:
        Reader& reader_;
        const Node* outer_key_;
    };

    // Where the key that is being read stands: the mark of the section it opens.
    Mark key_mark() const { return key_ ? key_->mark : Mark{}; }

    void error(const Node& at, std::string code, std::string message, std::string hint = {}, std::string about = {});
    void warning(const Node& at, std::string code, std::string message, std::string hint = {});
    // `offset` bytes into the text of a scalar, as far as that can be told from the file.
    void error_inside(const Node& scalar, std::size_t offset, std::string code, std::string message, std::string hint = {});
    void warn_inside(const Node& scalar, std::size_t offset, std::string code, std::string message, std::string hint = {});
    // What stands there is wrong, which has been said: no further error of it is one.
    void set_told(const Node& at) { told_.emplace(at.mark.file, at.mark.line, at.mark.column); }
    bool is_told(const Node& at) const { return told_.count({at.mark.file, at.mark.line, at.mark.column}) > 0; }
    // "'image' must be text, not a list".
    void wrong_type(const Node& node, std::string_view expected, std::string hint = {});

    // A scalar that may not be a boolean or null; numbers keep the text they have in the file. Nothing when it is not one.
    std::optional<std::string> string(const Node& node);
    // Any scalar but null, as it stands in the file.
    std::optional<std::string> scalar(const Node& node);
    std::optional<bool> boolean(const Node& node);
    struct Range {
        std::int64_t least, most;
    };
    std::optional<std::int64_t> integer(const Node& node, Range range);

    // string() and scalar() where `${{ }}` is computed later, with exact marks of the expressions.
    std::optional<Text> text(const Node& node, bool any_scalar = false);
    // A part of a scalar's text; `offset` is where it starts in it.
    Text text_part(const Node& node, std::string_view part, std::size_t offset = 0);
    // One expression, with or without its `${{ }}`.
    std::optional<Text> condition(const Node& node);

    // False, with an error, when the text holds `${{`: nothing computes it here.
    bool is_fixed(const Node& node, std::string_view text);

    // There are so many problems that no more are taken: hints need not be looked for.
    bool is_full() const { return diagnostics_.size() > k_max_diagnostics; }

    // Counts a stage, a step or a service. False, with an error, when there are too many to go on.
    bool count_object(const Node& node);

    std::string path() const;
    std::string_view file_text(const Node& node) const;

private:
    struct Segment {
        std::string_view key;
        int index; // -1: a key
    };

    void add(Diagnostic diagnostic);
    bool has_no_nul(const Node& node);
    // Where in its file the byte `offset` of the scalar's text stands.
    Mark mark_inside(const Node& scalar, std::size_t offset) const;
    Mark mark_of_offset(const Node& node, std::size_t file_offset) const;

    const Sources& sources_;
    Diagnostics& diagnostics_;
    SeccompProfiles& profiles_;
    std::vector<Segment> path_;
    const Node* key_ = nullptr;
    Scalars scalars_ = Scalars::strict;
    int objects_ = 0;
    std::set<std::tuple<int, int, int>> told_; // file, line, column
};

// Compose's booleans, in any case: true, yes, on, y, and their opposites.
std::optional<bool> loose_boolean(std::string_view text);

// Of YAML 1.2's core schema.
bool is_core_boolean(std::string_view text);
bool is_core_number(std::string_view text);

} // namespace gantry::pipeline::native
