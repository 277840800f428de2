#pragma once

#include "cache/artifact_store.hpp"

#include <string>
#include <vector>

namespace gantry::runner {

// What somebody asks for of the artifacts of a run: each with the stage that kept it.
struct ChosenArtifact {
    std::string stage;
    cache::Artifact artifact;
};

// Those that the patterns mean (as `artifacts.paths` do), of all these manifests; all where there are none. Throws not_found for
// a pattern that nothing matches, conflict where two stages kept different things under one path.
std::vector<ChosenArtifact> choose_artifacts(const std::vector<cache::Manifest>& manifests, const std::vector<std::string>& patterns);

enum class Existing { refuse, replace };
// Writes them into a folder of the user's, which is made: by names alone, so that no link in it is followed, with modes and times.
// A file appears whole, after its contents were found to be those that were kept. Throws conflict before anything is written for
// what is there already (a folder in the place of a file is never replaced), bad_input where a link or file stands in the way,
// internal for contents that were damaged on the disk. Blocking.
cache::ArtifactSum write_artifacts(const cache::ArtifactStore& store, const std::vector<ChosenArtifact>& chosen,
                                   const std::string& folder, Existing existing);

} // namespace gantry::runner
