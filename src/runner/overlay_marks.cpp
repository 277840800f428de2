#include "runner/overlay_marks.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <cstddef>
#include <string_view>

namespace gantry::runner {

namespace {

// The name of the first of its extended attributes that is meant.
std::optional<std::string> find_attribute(archive_entry* entry, bool (*is_meant)(std::string_view name, std::string_view value))
{
    archive_entry_xattr_reset(entry);
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
        if (name && is_meant(name, {static_cast<const char*>(value), size}))
            return name;
    return std::nullopt;
}

} // namespace

bool is_whiteout(archive_entry* entry)
{
    return archive_entry_filetype(entry) == AE_IFCHR && archive_entry_rdevmajor(entry) == 0 && archive_entry_rdevminor(entry) == 0;
}

bool is_opaque(archive_entry* entry)
{
    return find_attribute(entry, [](std::string_view name, std::string_view value) {
               return (name == "trusted.overlay.opaque" || name == "user.overlay.opaque") && value.starts_with('y');
           }).has_value();
}

std::optional<std::string> overlay_attribute(archive_entry* entry)
{
    return find_attribute(
        entry, [](std::string_view name, std::string_view) { return name.starts_with("trusted.") || name.starts_with("user.overlay."); });
}

} // namespace gantry::runner
