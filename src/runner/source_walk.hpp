#pragma once

#include "runner/source_tree.hpp"

#include <stop_token>
#include <string>
#include <vector>

#include <sys/types.h>

namespace gantry::runner {

class GitRepository;

struct WalkOptions {
    std::string root;                   // the folder to look at
    std::string below;                  // where the tree has it: "" or ".git"
    const GitRepository* rules = nullptr; // what git ignores is left out; none: everything is in
    std::string place;                    // of the root in the repository of the rules: "", or with a final slash
    bool rules_unchanged = false;       // since the tree before: its verdicts hold where no .gitignore changed
    bool without_git = false;           // leave out the root's ".git"
    std::vector<std::string> without;   // names in the root that are left out
    std::string cache_folder;           // left out wherever it lies
    std::stop_token stop;               // as SourceOptions::stop
};

// What the new tree has that the one before has not.
struct SourceChange {
    enum class Kind { put, remove } kind = Kind::put;
    std::string path;
    std::uint32_t node = 0;   // in the new tree; for `put`
    bool maybe_same = false;  // size, mode and time are as before, in layer `before`: compare the content
    std::uint32_t before = 0;
};

struct SourceWalk {
    SourceTree tree; // nodes of `put` changes have layer 0
    std::vector<SourceChange> changes; // a folder before what it holds
    bool differs = false; // in anything, also in what needs no new layer
};

// Looks at every name below the root; reads no file. Sockets, pipes and devices are left out. Bounded: 1,000,000 names
// and 200 levels, else bad_input. Throws denied for folders that we may not read.
SourceWalk walk_source(const WalkOptions& options, const SourceTree& before);

} // namespace gantry::runner
