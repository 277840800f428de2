#include "runner/overlay.hpp"

#include "base/format.hpp"

namespace gantry::runner {

namespace {

// A page without what mount(8) and the daemon add.
constexpr std::size_t k_mount_options_limit_bytes = 3900;

std::string overlay_options(const OverlayFolders& folders)
{
    auto options = "lowerdir=" + join(folders.lowers, ":");
    if (!folders.upper.empty())
        options += ",upperdir=" + folders.upper + ",workdir=" + folders.work;
    return options;
}

} // namespace

bool can_be_lower(const std::string& path)
{
    return path.find_first_of(",:\\\"") == std::string::npos;
}

bool fits_overlay(const OverlayFolders& folders)
{
    return overlay_options(folders).size() <= k_mount_options_limit_bytes;
}

engine::VolumeSpec overlay_volume(std::string name, engine::Labels labels, const OverlayFolders& folders)
{
    engine::VolumeSpec spec;
    spec.name = std::move(name);
    spec.labels = std::move(labels);
    spec.options = {{"type", "overlay"}, {"device", "overlay"}, {"o", overlay_options(folders)}};
    return spec;
}

} // namespace gantry::runner
