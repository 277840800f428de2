#pragma once

#include "base/file.hpp"

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>
#include <time.h>

namespace gantry::runner {

// A folder of the user's that is written to by names alone: every step goes from one open directory to the next and follows
// no link. Files appear whole; what is in the way is removed first, but a folder that holds `.git` stays.
class TreeWriterRoot {
public:
    using Names = std::vector<std::string>; // of a path; none is "", "." or ".."

    // like_snapshot: of a mode no more is taken than whether a file is a program, and the user may write to all of it.
    enum class Modes { like_snapshot, exact };
    explicit TreeWriterRoot(const std::string& folder, Modes modes = Modes::like_snapshot);

    // What is removed from now on are files for which `may_go` holds, and folders that are empty then. Without it all goes.
    using MayGo = std::function<bool(const std::string& path)>;
    void restrict_removals(MayGo may_go) { may_go_ = std::move(may_go); }
    // What was not removed for that, and each `.git`.
    const std::vector<std::string>& stayed() const { return stayed_; }

    enum class Kind { nothing, folder, other };
    // Where a link or file is on the way, that is `other`, too.
    Kind kind_at(const Names& path) const;
    // What is there keeps its mode and time. `emptied`: and nothing of what it holds.
    void folder(const Names& path, mode_t mode, bool emptied, std::optional<timespec> mtime = {});
    void file(const Names& path, mode_t mode, const timespec& mtime, const std::function<void(const Fd&)>& fill);
    void symlink(const Names& path, const std::string& target, std::optional<timespec> mtime = {});
    void hard_link(const Names& existing, const Names& path);
    void remove(const Names& path);
    // Sets modes and times of folders, which would have been in the way before or would not have lasted.
    void finish();

private:
    // The folder that holds `path`, made if it is not there. Throws bad_input when a link or a file is on the way.
    const Fd& parent_of(const Names& path);
    Fd existing_parent_of(const Names& path) const;
    void replace(const Names& path, const std::function<void(const Fd& parent, const std::string& draft)>& make);
    mode_t mode_for(const Fd& parent, const std::string& name, mode_t mode) const;
    void make_room(const Fd& parent, const Names& path);
    bool remove_all(const Fd& parent, const Names& path);
    bool remove_at(const Fd& parent, const Names& path);
    bool may_go(const Names& path) const;
    void stays(const Names& path);

    struct Folder {
        Names path;
        mode_t mode = 0;
        std::optional<timespec> mtime;
    };

    std::string folder_;
    Modes how_;
    Fd root_;
    Names parent_names_;
    Fd parent_;
    std::vector<Folder> folders_; // that were made
    MayGo may_go_;
    std::vector<std::string> stayed_;
};

} // namespace gantry::runner
