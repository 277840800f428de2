#pragma once

#include "base/file.hpp"
#include "base/sha256.hpp"
#include "cache/artifact.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// Artifacts on our disk: the contents of files by their SHA-256, so that equal ones take their place once, and a manifest for each
// stage of a run that kept some.
//
//   objects/<2 digits>/<digest>    contents
//   runs/<run>/<stage>.jsonl       a manifest, by a hash of the stage's id; it appears whole
//   runs/<run>/….damaged           one that was set aside
//   new/<random>/                  what a stage has kept so far; locked by its process. One that nobody locks is rubbish
//   lock                           shared while a manifest comes to be, exclusive while something is removed
//
// An object that no manifest names goes with the next remove(). Blocking calls on a local disk: use on_pool. Throws what
// base/file.hpp throws, and unsupported where another version of gantry wrote a manifest.

namespace gantry::cache {

// Files of one stage on their way in; gone with the object, or with the process, unless they are published.
class ArtifactDraft {
public:
    ArtifactDraft(ArtifactDraft&&) = default;
    ~ArtifactDraft();

    // One file after the other: its bytes in pieces, then its digest.
    void add(std::string_view bytes);
    std::string end_file();
    // What was added of a file that is not to be kept after all.
    void drop_file();

private:
    friend class ArtifactStore;
    ArtifactDraft(std::string folder, Fd lock);
    void begin_file();

    std::string folder_; // empty: moved from, or published
    Fd lock_;            // the folder itself
    Fd file_;
    std::unique_ptr<Sha256> digest_;
    std::set<std::string> digests_;
    std::uint64_t files_ = 0;
};

// A manifest, without its artifacts.
struct StoredArtifacts {
    Manifest manifest;
    ArtifactSum sum;  // as if nothing were shared with others
    std::string path; // of the manifest
};

class ArtifactStore {
public:
    // `folder` and those above are made when they are first needed.
    explicit ArtifactStore(std::string folder);

    ArtifactDraft begin();
    // Makes the manifest appear, in one step; the one that was there before goes. Its files are those of the draft. Returns how
    // many bytes of contents are new here.
    std::uint64_t publish(ArtifactDraft draft, const Manifest& manifest);

    // The manifest of that stage. A damaged one is set aside, and throws bad_input. Expired ones are found all the same.
    std::optional<Manifest> find(const std::string& run, const std::string& stage) const;
    // What there is of one run, or of all: by run (as numbers, where they are) and the time of saving. Damaged ones are left out.
    std::vector<StoredArtifacts> list(const std::string& run) const;
    std::vector<StoredArtifacts> list() const;

    // The contents of a file, to be read from the beginning. Throws not_found when it was removed since.
    Fd open(const Artifact& file) const;

    // What the contents take on the disk, each once.
    ArtifactSum usage() const;
    struct Removed {
        std::uint64_t stages = 0;     // manifests
        std::uint64_t files = 0;      // contents
        std::uint64_t size_bytes = 0; // that became free
    };
    // Removes the manifests for which `goes` holds, and then the contents that no manifest names. May be called while runs keep
    // artifacts, in other processes as well: what they are about to keep stays. With Act::only_tell nothing happens, and what
    // would be is told. Waits for those who keep some, up to 60 s; then throws timed_out.
    using Goes = std::function<bool(const StoredArtifacts&)>;
    enum class Act { remove, only_tell };
    Removed remove(const Goes& goes, Act act = Act::remove);

    // remove(), if a look at the beginning of each manifest says that there is something to do. `rules` is asked for that look, and
    // again once nobody can keep anything: what it finds out then is not older than what there is.
    using Rules = std::function<Goes()>;
    void tidy(const Rules& rules);

    const std::string& folder() const { return folder_; }

private:
    Removed remove_by(const Rules& rules, Act act);
    std::string manifest_path(const std::string& run, const std::string& stage) const;
    std::string object_path(const std::string& digest) const;
    std::uint64_t move_in(const std::string& from, const std::string& digest) const;
    void list_run(const std::string& folder, std::vector<StoredArtifacts>& into) const;
    std::set<std::string> named_but(const std::set<std::string>& manifests) const;
    bool has_dead_drafts() const;
    void remove_rubbish() const;

    std::string folder_;
};

// Goes that holds for what expired before `now`, and for what belongs to a run that `runs` does not have.
ArtifactStore::Goes is_over(std::chrono::system_clock::time_point now, std::set<std::string> runs);

} // namespace gantry::cache
