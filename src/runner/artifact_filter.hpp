#pragma once

#include "runner/artifact_patterns.hpp"
#include "runner/tar_reader.hpp"

#include <set>
#include <string>
#include <vector>

namespace gantry::runner {

// Makes an archive of what is handed on out of archives of what a stage changed, while they pass: the files and links that the
// patterns mean, and the folders that hold them, with owners, modes and times. Deletions, devices, pipes and the bits that give
// a program another user are left out. Links stay as they are: they are followed in containers alone.
class ArtifactFilter final : public TarSink {
public:
    // Paths begin with `top` in what is made. `patterns` outlives it.
    ArtifactFilter(ArtifactPatterns& patterns, std::string top);

    // The archive that comes next is of this path in the workspace, which lies in these folders, the outermost first; their paths
    // are those in the workspace.
    void start(std::string place, std::vector<TarEntry> above);
    void begin(const TarEntry& entry) override;
    void contents(std::string_view bytes) override;
    void end() override;

    // The next bytes of what is made.
    std::string take_made() { return std::exchange(made_, {}); }
    // As ArtifactCollector::take_again().
    std::vector<std::string> take_again() { return std::move(again_); }

private:
    void write(TarEntry entry, const std::string& path);
    void write_above(const std::string& path);

    ArtifactPatterns& patterns_;
    std::string top_, place_, made_;
    std::vector<TarEntry> above_;       // folders that hold what comes next; they are written when something in them is
    std::set<std::string> written_;     // paths of files, for hard links, and of folders
    std::vector<std::string> again_;
    bool passes_ = false;
    std::uint64_t size_bytes_ = 0;
};

} // namespace gantry::runner
