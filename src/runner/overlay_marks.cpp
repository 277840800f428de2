#include "runner/overlay_marks.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <cstddef>
#include <string_view>

namespace gantry::runner {

bool is_whiteout(archive_entry* entry)
{
    return archive_entry_filetype(entry) == AE_IFCHR && archive_entry_rdevmajor(entry) == 0 && archive_entry_rdevminor(entry) == 0;
}

bool is_opaque(archive_entry* entry)
{
    archive_entry_xattr_reset(entry);
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        const std::string_view key = name != nullptr ? name : "";
        if ((key == "trusted.overlay.opaque" || key == "user.overlay.opaque") && size > 0 && *static_cast<const char*>(value) == 'y')
            return true;
    }
    return false;
}

} // namespace gantry::runner
