#pragma once

#include "pipeline/definition.hpp"
#include "pipeline/event.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

// The source that a run works on, taken from a folder or a git repository, as immutable layers on our own disk: an overlay
// can take them as lower directories, whatever their size. A layer holds only what changed since the one below, so the
// second run of a repository costs what changed. The only place that uses libgit2.

namespace gantry::runner {

struct SourceOptions {
    std::string folder;        // repository or plain folder, or something inside of one
    bool dirty = true;         // the working tree as it is, without what git ignores; false: the commit alone
    std::string rev;           // commit to take instead of HEAD; implies not dirty
    std::string cache_folder;  // where layers are kept, across runs
    bool alone = false;        // the folder as it is, not the repository around it; then neither rev nor not dirty
    std::stop_token stop;      // ends take_snapshot() soon, which throws cancelled
};

// Facts of a folder, for events and expressions.
struct SourceInfo {
    std::string root;          // of the work tree, or the folder itself
    bool is_git = false;
    std::string sha, branch, tag, message, author, author_email, remote_url, repo, default_branch;
    std::int64_t commit_time = 0;
    int changed = 0;           // files that differ from the commit (dirty)
};
// Throws not_found when there is no such folder. Never runs anything that the repository contains (hooks, filters).
SourceInfo inspect_source(const std::string& folder);
// Of the commit that `rev` means, and not of the files in the folder. Throws not_found when there is none, bad_input outside of git.
SourceInfo inspect_commit(const std::string& folder, const std::string& rev);
// Its root alone, which costs no look at the files.
std::string source_root(const std::string& folder);

// Files that changed between two commits (names with '/'), or nothing when that cannot be known.
std::optional<std::vector<std::string>> changed_files(const std::string& folder, const std::string& base, const std::string& head,
                                                      bool with_working_tree);

// Full id of the commit that `rev` means; empty when there is none.
std::string commit_id(const std::string& folder, const std::string& rev);
// The newest commit that both have behind them; empty when that cannot be known.
std::string merge_base(const std::string& folder, const std::string& one, const std::string& other);

// A reader for the pipeline's text and its includes: the work tree (dirty) or the commit. Refuses paths that leave the
// repository, also through links.
pipeline::ReadFile make_file_reader(const SourceOptions& options);

struct Snapshot {
    // Lowest last, as overlayfs' lowerdir lists them. Absolute paths of directories that nobody writes to any more; they
    // stay at least until `pin` goes away.
    std::vector<std::string> layers;
    std::uint64_t files = 0, size_bytes = 0;        // in all
    std::uint64_t copied_files = 0, copied_bytes = 0; // by this call
    std::shared_ptr<void> pin;
};
// Includes `.git` (so that `git describe` works in a step) unless the folder is no repository. Blocking: run it on a pool.
// Deletions are overlay whiteouts (character device 0/0) where we may make them, else the layers are flattened.
// Removes layers that no recent run used. Two processes may do this at once.
Snapshot take_snapshot(const SourceOptions& options);

// Hash over path and content of the files that match the globs, as hex; for hashFiles(). Of the same tree as the snapshot.
std::string hash_files(const SourceOptions& options, const std::vector<std::string>& globs);

// All files of the snapshot merged, as one uncompressed tar in pieces of about 256 KiB (an empty piece ends it), for
// engines that cannot see our disk. Owner 0:0, modes kept.
std::function<std::string()> tar_of(const Snapshot& snapshot);

// Whether it shows something at this path: a file, folder or link.
bool is_in(const Snapshot& snapshot, const std::string& path);

// Applies tars of changes (with overlay whiteouts) to a folder of the user's, for --in-place: descriptor-relative, no link
// is followed, nothing leaves the folder, `.git` is left alone; files belong to the user who runs us.
// Feed pieces, then finish(), for one tar after the other. Throws bad_input for hostile entries. Each is bounded by max_bytes.
class TreeWriter {
public:
    // Of a path below the folder: those who made the changes found something there.
    using Had = std::function<bool(const std::string& path)>;
    virtual ~TreeWriter() = default;
    virtual void feed(std::string_view piece) = 0;
    virtual void finish() = 0;
    // What lies in removed folders and stays: what nobody had who made the changes, and `.git`.
    virtual const std::vector<std::string>& stayed() const = 0;
};
// `top`: the folder of the archive that stands for `folder`; empty: its root. What is removed was there as `had` says, or an
// earlier tar brought it; without `had` all goes.
std::unique_ptr<TreeWriter> make_tree_writer(const std::string& folder, std::uint64_t max_bytes, std::string top = {}, TreeWriter::Had had = {});

} // namespace gantry::runner
