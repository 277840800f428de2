#include "runner/layer_changes.hpp"

#include "base/sha256.hpp"
#include "base/tar_format.hpp"
#include "runner/archive_reader.hpp"
#include "runner/archive_words.hpp"
#include "runner/overlay_marks.hpp"

#include <archive_entry.h>

#include <algorithm>
#include <utility>

namespace gantry::runner {

namespace {

// "1/src/a.txt" → "src/a.txt", "1/src/" → "src".
std::string without_top(std::string_view path)
{
    std::string below;
    bool is_top = true;
    while (!path.empty()) {
        const auto name = path.substr(0, path.find('/'));
        path.remove_prefix(std::min(path.size(), name.size() + 1));
        if (name == "..")
            refuse_tar("a name leads out of it");
        if (name.empty() || name == "." || std::exchange(is_top, false))
            continue;
        if (!below.empty())
            below += '/';
        below += name;
    }
    return below;
}

std::string digest_of(ArchiveReader& reader, archive_entry* entry)
{
    Sha256 digest;
    const auto type = archive_entry_filetype(entry);
    digest.add(std::to_string(type) + ' ' + std::to_string(archive_entry_perm(entry)) + ' ');
    if (type == AE_IFCHR || type == AE_IFBLK)
        digest.add(std::to_string(archive_entry_rdevmajor(entry)) + ' ' + std::to_string(archive_entry_rdevminor(entry)));
    if (type == AE_IFLNK)
        digest.add(text_or_empty(archive_entry_symlink(entry)));
    if (type == AE_IFREG)
        for (auto piece = reader.read(); !piece.empty(); piece = reader.read())
            digest.add(piece);
    return digest.hex();
}

LayerChange change_of(ArchiveReader& reader, archive_entry* entry)
{
    LayerChange change;
    if (archive_entry_filetype(entry) == AE_IFDIR) {
        change.kind = LayerChange::Kind::folder;
        change.is_opaque = is_opaque(entry);
    } else if (is_whiteout(entry)) {
        change.kind = LayerChange::Kind::removed;
    } else {
        change.size_bytes = static_cast<std::uint64_t>(std::max<la_int64_t>(archive_entry_size(entry), 0));
        change.digest = digest_of(reader, entry);
    }
    return change;
}

bool is_beneath(std::string_view path, std::string_view folder)
{
    return path.size() > folder.size() && path[folder.size()] == '/' && path.starts_with(folder);
}

// The outermost path of a layer so far that hides what others have beneath it, while paths come in their order.
class Cover {
public:
    // Whether `path` lies beneath it; `change` is what the layer itself has there, if it has.
    bool is_over(const std::string& path, const LayerChange* change)
    {
        if (top_ && is_beneath(path, *top_))
            return true;
        top_ = change && (change->kind != LayerChange::Kind::folder || change->is_opaque) ? &path : nullptr;
        return false;
    }

private:
    const std::string* top_ = nullptr;
};

bool are_same(const LayerChange& one, const LayerChange& other)
{
    return one.kind == other.kind && one.digest == other.digest;
}

// Nothing at both is the same, too.
bool is_lost(const LayerChange* change, bool is_hidden)
{
    return change && is_hidden && change->kind != LayerChange::Kind::removed;
}

} // namespace

bool PathOrder::operator()(std::string_view one, std::string_view other) const
{
    const auto [at, beside] = std::mismatch(one.begin(), one.end(), other.begin(), other.end());
    if (at == one.end() || beside == other.end())
        return at == one.end() && beside != other.end();
    if (*at == '/' || *beside == '/')
        return *at == '/';
    return static_cast<unsigned char>(*at) < static_cast<unsigned char>(*beside);
}

LayerChanges changes_of(const Fd& archive)
{
    LayerChanges changes;
    ArchiveReader reader(archive);
    while (archive_entry* const entry = reader.next()) {
        const auto path = without_top(text_or_empty(archive_entry_pathname(entry)));
        if (path.empty())
            continue;
        if (const char* const link = archive_entry_hardlink(entry)) {
            const auto first = changes.find(without_top(link));
            if (first == changes.end())
                refuse_tar("a hard link leads to what is not there");
            changes[path] = first->second;
            continue;
        }
        changes[path] = change_of(reader, entry);
    }
    return changes;
}

std::set<std::string> folders_in_doubt(const LayerChanges& layer, const LayerChanges& other)
{
    std::set<std::string> folders;
    for (const auto& [path, change] : other) {
        const auto slash = path.rfind('/');
        if (slash == std::string::npos || change.kind == LayerChange::Kind::removed || layer.contains(path))
            continue;
        const auto folder = layer.find(path.substr(0, slash));
        if (folder != layer.end() && folder->second.kind == LayerChange::Kind::folder && !folder->second.is_opaque)
            folders.insert(folder->first);
    }
    return folders;
}

std::optional<std::string> first_conflict(const LayerChanges& one, const LayerChanges& other)
{
    const PathOrder is_before;
    Cover cover, other_cover;
    auto at = one.begin(), other_at = other.begin();
    while (at != one.end() || other_at != other.end()) {
        const bool is_in_one = other_at == other.end() || (at != one.end() && !is_before(other_at->first, at->first));
        const bool is_in_other = at == one.end() || (other_at != other.end() && !is_before(at->first, other_at->first));
        const auto& path = is_in_one ? at->first : other_at->first;
        const auto* const change = is_in_one ? &at++->second : nullptr;
        const auto* const other_change = is_in_other ? &other_at++->second : nullptr;
        const bool is_hidden = other_cover.is_over(path, other_change);
        const bool is_other_hidden = cover.is_over(path, change);
        const bool differ = change && other_change ? !are_same(*change, *other_change)
                                                   : is_lost(change, is_hidden) || is_lost(other_change, is_other_hidden);
        if (differ)
            return path;
    }
    return std::nullopt;
}

} // namespace gantry::runner
