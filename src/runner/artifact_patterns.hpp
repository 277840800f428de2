#pragma once

#include "pipeline/glob.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::runner {

// Which files of a workspace are meant by globs, and where to look for them. Pure.
//
// A path that matches a pattern counts, and so does all that lies below it. Paths are relative to the workspace, or absolute and
// below it. What Git keeps (".git", at any depth) is never meant.
class ArtifactPatterns {
public:
    // Throws bad_input for a pattern that leads out of the workspace or that matches nothing at all; it is named.
    ArtifactPatterns(const std::vector<std::string>& patterns, const std::vector<std::string>& exclude);

    // True where the path is meant; its pattern counts as used.
    bool matches(std::string_view path);
    // Patterns that have matched nothing so far, as they were written.
    std::vector<std::string> unused() const;
    // The folders or files that hold all that can match: what each pattern begins with before its first wildcard. "" is all of
    // the workspace.
    std::set<std::string> starts() const;

private:
    struct Pattern {
        explicit Pattern(const std::string& text);
        bool matches(std::string_view text) const { return itself.matches(text) || below.matches(text); }

        std::string written, path;
        pipeline::Glob itself, below;
        bool is_used = false;
    };
    std::vector<Pattern> patterns_, exclude_;
};

// Those of `starts` that are below none of the others.
std::set<std::string> outermost(const std::set<std::string>& starts);

} // namespace gantry::runner
