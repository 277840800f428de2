#pragma once

#include "base/file.hpp"
#include "runner/snapshot.hpp"
#include "runner/source_tree.hpp"
#include "runner/source_walk.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace gantry::runner {

class LayerWriter;

// Takes a layer's name away before its files: whoever finds the name finds all of them. Its folder's lock is held.
void remove_layer(const std::string& path);

// The layers of one repository or folder, kept across runs. The object holds the lock of them all, so make it late and
// let it go early.
//
//   <cache>/workspaces/<hash of the root>/
//     lock                held while layers are made or removed
//     <what>.manifest     the tree that the top of a stack holds, and its layers
//     layers/<name>/      whole, and never written to again, once it has its name; layers may share files by hard links. The
//                         number of one of update() is given out once: an older manifest may still name a layer that is gone
//     layers/gone-…       one that was being removed when its process died
//     stacks/<hash>       names of the layers of one snapshot; locked (shared) by who uses it, its time is its last use
class SourceCache {
public:
    // Throws timed_out where another process has had the lock for 10 minutes, and cancelled.
    SourceCache(const std::string& cache_folder, const std::string& root, const std::stop_token& stop);

    struct Stack {
        std::vector<std::string> layers; // names, lowest last
        std::uint64_t files = 0, size_bytes = 0, copied_files = 0, copied_bytes = 0;
    };
    // Brings the stack called `what` up to date with the folder.
    Stack update(const std::string& what, WalkOptions options, const std::string& rules);
    struct Once {
        std::string layer;
        bool made = false; // now
    };
    // A layer that `what` alone describes: made when it is not there yet.
    Once make_once(const std::string& what, const std::function<void(LayerWriter&)>& fill);

    std::string layer_path(const std::string& name) const { return folder_ + "/layers/" + name; }
    // Keeps the layers from being removed as long as the result lives.
    std::shared_ptr<void> pin(const std::vector<std::string>& layers);
    // Removes what none of the last five snapshots uses and nobody has pinned; everything that was not used for 14 days.
    void prune();

private:
    SourceManifest load(const std::string& what) const;
    std::uint32_t new_layer() const;

    std::string folder_;
    Fd lock_;
};

} // namespace gantry::runner
