#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::pipeline {

// Where something stands in the user's files. `line` and `column` count from 1, in bytes; 0 means "nowhere".
// All marks compare equal: two definitions that say the same are equal, wherever they say it.
struct Mark {
    int file = 0; // index into Sources
    int line = 0;
    int column = 0;

    bool known() const { return line > 0; }
    friend bool operator==(const Mark&, const Mark&) { return true; }
    friend std::strong_ordering operator<=>(const Mark&, const Mark&) { return std::strong_ordering::equal; }
};

// The files that one definition was read from; the first is the one that was asked for, the others it includes.
struct SourceFile {
    std::string path; // as people should see it, relative to the repository's root
    std::string text;
};
using Sources = std::vector<SourceFile>;

enum class Severity { error, warning };

// A problem of a user's file. A value: parsers return what they understood together with all of these.
struct Diagnostic {
    Severity severity = Severity::error;
    std::string code;     // stable, for SARIF and for documentation: "unknown-key"
    std::string message;  // "unknown key 'neds' in a stage"
    Mark mark;            // first byte of what is wrong
    std::size_t length = 1; // bytes to underline, on that line
    std::string path;     // "stages[0].neds"
    std::string hint;     // "did you mean 'needs'?"; may be empty
    // Not shown. Of an unknown key: those that may be meant, with blanks between, empty where nobody knows; of a missing one:
    // the key; of a name in an expression: its first part; of keys that cannot stand together: k_both_read where all that they
    // say is known; of a push that misses something: that.
    std::string about;
};
constexpr const char* k_both_read = "both";
using Diagnostics = std::vector<Diagnostic>;

bool has_errors(const Diagnostics& diagnostics);

// More problems than this help nobody, and a hostile file could have any number of them.
constexpr std::size_t k_max_diagnostics = 100;
// Keeps the first so many of these, and says how many more there are: as an error if one of those is.
void keep_first(Diagnostics& diagnostics);

// file, line and column order; equal positions keep their order.
void sort_by_position(Diagnostics& diagnostics);

// For people: "file:line:col: error: message", the line, a caret and the hint; then "2 problems in 1 file".
enum class Ansi { off, on };
std::string render_text(const Diagnostics& diagnostics, const Sources& sources, Ansi ansi = Ansi::off);
// One JSON array; each element has file, line, column, severity, code, message, path, hint.
std::string render_json(const Diagnostics& diagnostics, const Sources& sources);
// SARIF 2.1.0 (OASIS), one run.
std::string render_sarif(const Diagnostics& diagnostics, const Sources& sources, std::string_view tool_version);

} // namespace gantry::pipeline
