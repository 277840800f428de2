#pragma once

#include <string>

// Where Gantry keeps its files (XDG Base Directory Specification 0.8). Absolute paths; they need not exist.
// Relative values in the environment are ignored, as the specification asks. Without a usable HOME the files go to
// /tmp/gantry-<uid>, by private_directory().

namespace gantry {

// Journals, logs, locks: $XDG_STATE_HOME/gantry, else ~/.local/state/gantry.
std::string state_dir();
// What can be made again: $XDG_CACHE_HOME/gantry, else ~/.cache/gantry.
std::string cache_dir();
// What the user wrote: $XDG_CONFIG_HOME/gantry, else ~/.config/gantry.
std::string config_dir();

// What to do where one of these folders cannot be used: `variable` names another place for it.
std::string hint_for_folder(const std::string& folder, const std::string& variable);

// `path`, with mode 0700 and created if it is missing. denied if it is a link, no directory, somebody else's, or was
// open for others to write: they may have put something into it.
std::string private_directory(const std::string& path);

} // namespace gantry
