#pragma once

#include "runner/git.hpp"
#include "runner/snapshot.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace gantry::runner {

// What SourceOptions mean: a work tree, a commit of a repository, or a plain folder.
struct Source {
    std::string root;   // the work tree or the folder, absolute; of a bare repository its git folder
    std::unique_ptr<GitRepository> repository; // none: a plain folder, or one that its repository ignores
    std::string commit; // full id; empty: the files as they are
    std::unique_ptr<GitRepository> around; // of a folder that is taken alone: what this ignores is left out
    std::string place;                     // of that folder in it, with a final slash
    // What git ignores is left out of files as they are; null: everything is in.
    const GitRepository* rules() const { return repository ? repository.get() : around.get(); }
};
Source open_source(const SourceOptions& options);
// The same for a folder as it is. Throws not_found, or bad_input for something that is no folder.
Source open_source(const std::string& folder);

// False for what no repository may hold: "..", ".git" in any case, absolute and empty names.
bool is_safe_path(std::string_view path);

} // namespace gantry::runner
