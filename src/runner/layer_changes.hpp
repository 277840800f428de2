#pragma once

#include "base/file.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

// What stages changed, and whether two of them can be put together (Linux, Documentation/filesystems/overlayfs.rst).

namespace gantry::runner {

// What a layer has at one path.
struct LayerChange {
    enum class Kind { folder, removed, other };
    Kind kind = Kind::other;
    bool is_opaque = false;       // a folder: nothing that lower layers have in it is seen
    std::uint64_t size_bytes = 0; // of a file's contents
    std::string digest;           // of `other`: its kind, mode and contents, whatever further names it has
};

// Whatever is in a folder stands right behind it.
struct PathOrder {
    bool operator()(std::string_view one, std::string_view other) const;
};
// By path in the workspace. An archive has all folders above what it has.
using LayerChanges = std::map<std::string, LayerChange, PathOrder>;

// Of the archive of a layer's folder, from where the file stands; the folder's own name, which every name begins with, is not in
// the paths. Throws bad_input for a damaged one. Memory grows with names, not with contents. Blocks.
LayerChanges changes_of(const Fd& archive);

// Folders of a layer which, if they are opaque, hide something that the other has: most archives do not say whether they are.
std::set<std::string> folders_in_doubt(const LayerChanges& layer, const LayerChanges& other);

// The first path at which one layer hides or replaces what the other has. The same at both is no conflict; modes of folders are
// not compared. Linear.
std::optional<std::string> first_conflict(const LayerChanges& one, const LayerChanges& other);

} // namespace gantry::runner
