#pragma once

#include <optional>
#include <string>

struct archive_entry;

// How overlayfs marks, in the folder of a layer, what lower layers do not show (Linux, Documentation/filesystems/overlayfs.rst).

namespace gantry::runner {

// Something that was removed.
bool is_whiteout(archive_entry* entry);
// A folder that hides what was below it, where the archive says so: Docker's do not.
bool is_opaque(archive_entry* entry);
// The first extended attribute by which an entry could make overlayfs show something else than itself (redirect, metacopy, opaque, …;
// "trusted." as a whole is for the kernel and for root).
std::optional<std::string> overlay_attribute(archive_entry* entry);

} // namespace gantry::runner
