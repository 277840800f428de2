#pragma once

#include "cache/artifact_store.hpp"
#include "runner/artifact_patterns.hpp"
#include "runner/stage_reports.hpp"
#include "runner/tar_reader.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gantry::runner {

// Takes out of archives of a workspace what is to be kept, and what reports are to be read; blocking, for a pool.
//
// Files, folders and links are kept, with the nine bits of permission and with their times. A link that leads out of the workspace,
// devices, pipes, sockets and paths that are too long are left out, and told. An archive with names that lead out, with a path
// twice or with something behind a link is refused as a whole.
class ArtifactCollector final : public TarSink {
public:
    // What is given outlives it. `patterns` and `draft` null: nothing is kept; `reports` null: none are read.
    ArtifactCollector(ArtifactPatterns* patterns, cache::ArtifactDraft* draft, cache::ArtifactLimits limits,
                      StageReports* reports);

    // The archive that comes next is of this path in the workspace; "" for all of it.
    void start(std::string place);
    void begin(const TarEntry& entry) override;
    void contents(std::string_view bytes) override;
    void end() override;

    std::vector<cache::Artifact> take_artifacts() { return std::move(artifacts_); }
    const cache::ArtifactSum& sum() const { return sum_; }
    // Hard links to what passed already and was not wanted: the archive of each alone has its contents.
    std::vector<std::string> take_again() { return std::move(again_); }
    // What was left out, and why, as text: "a/pipe (no file, folder or link)"; the first few of them.
    const std::vector<std::string>& left_out() const { return left_out_; }
    std::uint64_t left_out_count() const { return left_out_count_; }
    // What there is more of than there may be, if that is why an exception came; a text for people.
    const std::optional<std::string>& over_limit() const { return over_limit_; }

private:
    void keep(const TarEntry& entry, const std::string& path);
    void keep_file(const TarEntry& entry, const std::string& path);
    void keep_again(const std::string& path, const std::string& original);
    void add(cache::Artifact artifact);
    void check_place(const std::string& path) const;
    void leave_out(const std::string& path, const std::string& why);
    // Whether one more of that size, or after that many, is still within the limits.
    void check_size(std::uint64_t more_bytes);
    void check_count(std::size_t kept);
    [[noreturn]] void refuse_more(std::string what);

    ArtifactPatterns* patterns_;
    cache::ArtifactDraft* draft_;
    cache::ArtifactLimits limits_;
    StageReports* reports_;

    std::string place_;
    std::uint64_t seen_ = 0;
    std::optional<cache::Artifact> file_; // that is being kept
    std::optional<std::string> report_;   // that is being read: its bytes
    std::string report_path_;

    std::vector<cache::Artifact> artifacts_;
    std::map<std::string, std::size_t> positions_; // by path
    cache::ArtifactSum sum_;
    std::vector<std::string> again_, left_out_;
    std::uint64_t left_out_count_ = 0;
    std::optional<std::string> over_limit_;
};

// Where an entry is in the workspace, if its archive is of `place`: the first name of its path stands for that. "" for the
// workspace itself. Throws bad_input for names that lead out.
std::string path_in_workspace(const std::string& place, const std::string& path_in_archive);

} // namespace gantry::runner
