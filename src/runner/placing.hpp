#pragma once

#include "engine/engine.hpp"

#include <string>
#include <vector>

namespace gantry::runner {

// What is put into a container before it starts.
struct PlacedEntry {
    std::string path; // from the root
    int mode = 0;
    std::string contents;
    bool is_folder = false; // then without contents, and of a folder that is there already only the mode
};

// An engine puts files into a container whose root is read-only only where a volume is, and what lies below a tmpfs is hidden by
// it. Then each folder that gets some is an anonymous volume: it begins with what the image has there and goes with the container.

// The folder that has it; where that is the root, it is taken for a folder itself.
std::string place_of(const std::string& path);
// Gives `spec` the volumes that files at `paths` need; none where they go into its own layer. Throws bad_input for those that
// cannot be put there: right into a tmpfs, or into what is mounted read-only.
void make_places(engine::ContainerSpec& spec, const std::vector<std::string>& paths);
// The folder in which the archive of what goes into the folder `place` is unpacked: one that is there. Those between come to be.
std::string folder_to_unpack_in(const engine::ContainerSpec& spec, const std::string& place);
// Puts them in; the container is created and not started. Throws what upload() throws.
awaitable<void> place_entries(engine::Engine& engine, const engine::ContainerSpec& spec,
                              std::vector<PlacedEntry> entries);

} // namespace gantry::runner
