#pragma once

#include "runner/snapshot.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What we ask of git repositories, by libgit2 alone: no git program, no hook, no filter and no credential helper is ever run,
// so a repository of another user is read like any other.

namespace gantry::runner {

class GitRepository {
public:
    // The repository that `folder` is in, if any. A broken one throws.
    static std::unique_ptr<GitRepository> find(const std::string& folder);
    ~GitRepository();

    const std::string& root() const;       // of the work tree, without a final slash; empty for a bare repository
    const std::string& git_folder() const; // of this work tree
    const std::string& common_folder() const; // shared by all work trees; equal to git_folder() for the main one

    // Branch, commit, tag, remote. `changed` is left 0. Of HEAD, or of the commit that `rev` means: then the branch is `rev`, if
    // that is one, or else the one that is checked out. Throws not_found.
    SourceInfo facts(const std::string& rev = {}) const;
    // How many files differ from HEAD, untracked ones (that are not ignored) included.
    int count_changed() const;
    std::optional<std::vector<std::string>> changed_files(const std::string& base, const std::string& head, bool with_working_tree) const;

    // ---- the work tree. Paths are relative to the root.

    // By the rules alone, tracked or not. Folders end with '/'.
    bool is_ignored(const std::string& path) const;
    // In the index. A submodule is a tracked path, too.
    bool is_tracked(const std::string& path) const;
    // Whether any path that begins with `folder` (which ends with '/') is.
    bool has_tracked_below(const std::string& folder) const;
    // Changes when the index or a rule outside of the tree's .gitignore files may have.
    std::string rules_fingerprint() const;

    // ---- commits

    // Full id of the commit that `rev` means. Throws not_found.
    std::string commit_id(const std::string& rev) const;
    // The newest commit that both have behind them; empty when there is none, or no such commit.
    std::string merge_base(const std::string& one, const std::string& other) const;
    std::string tree_id(const std::string& commit) const;
    std::int64_t commit_time(const std::string& commit) const;

    struct Entry {
        std::string path;
        enum class Kind { file, program, link } kind = Kind::file;
        std::string_view bytes; // of the file, or the link's target; valid during the call
    };
    // The entries of a commit whose paths `wants` (all, when it is empty), in git's order; submodules are left out. Paths are
    // as the repository has them: hostile ones, too.
    void walk_commit(const std::string& commit, const std::function<void(const Entry&)>& visit,
                     const std::function<bool(const std::string&)>& wants = {}) const;
    // The text of one file; nothing when there is no such path. A link's text is its target.
    struct Blob {
        std::string bytes;
        bool is_link = false;
    };
    std::optional<Blob> find_blob(const std::string& commit, const std::string& path) const;
    // An index file as `git checkout` would leave it, without times.
    void write_index(const std::string& commit, const std::string& index_path) const;

private:
    struct Impl;
    explicit GitRepository(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// "group/name" of a remote's address (https, ssh, scp-like); empty when it has no path.
std::string repo_name_of(std::string_view remote_url);
// The address without user and password.
std::string without_credentials(std::string_view remote_url);

} // namespace gantry::runner
