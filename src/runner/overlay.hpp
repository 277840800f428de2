#pragma once

#include "engine/spec.hpp"

#include <string>
#include <vector>

// Volumes that the engine's `local` driver mounts as an overlay (Linux, Documentation/filesystems/overlayfs.rst).

namespace gantry::runner {

struct OverlayFolders { // on the engine's host
    std::vector<std::string> lowers; // the topmost first; at least one
    std::string upper, work;         // of one file system; without them nothing can be written, and there are two lowers
};

// Docker splits the options at commas and overlayfs splits lowerdir at colons.
bool can_be_lower(const std::string& path);

// mount(2) takes one page of options. False when these folders do not fit in.
bool fits_overlay(const OverlayFolders& folders);

engine::VolumeSpec overlay_volume(std::string name, engine::Labels labels, const OverlayFolders& folders);

} // namespace gantry::runner
