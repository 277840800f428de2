#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::pipeline {

// A pattern for branches, tags and paths, matched against the whole text in time linear in both:
// `*` and `?` stay within a path element, `**` crosses slashes ("src/**", "**/x" also matches "x", "a/**/b" also "a/b"),
// [a-z] and [!a-z] are one of these, {a,b} alternatives, a backslash takes the next byte as it is. A leading "./" is
// dropped, and a final slash means everything below. Brackets that are not closed stand for themselves.
class Glob {
public:
    explicit Glob(std::string_view pattern);

    bool matches(std::string_view text) const;
    // Why the pattern matches nothing at all ("longer than 1024 bytes"); empty when it is fine.
    const std::string& problem() const { return problem_; }

private:
    struct Compiled;
    std::shared_ptr<const Compiled> compiled_;
    std::string problem_;
};

// Patterns of which the last one that matches decides; `!pattern` excludes. A list that begins with an exclusion starts
// from everything. An empty list matches nothing.
class GlobList {
public:
    explicit GlobList(const std::vector<std::string>& patterns);

    bool matches(std::string_view text) const;

private:
    struct Entry {
        Glob glob;
        bool excludes;
    };
    std::vector<Entry> entries_;
};

} // namespace gantry::pipeline
