#include "runner/artifact_collector.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gantry::runner {

namespace {

constexpr std::uint64_t k_most_seen = 10'000'000;
constexpr std::size_t k_most_told = 5;

[[noreturn]] void refuse_entry(const std::string& path, const std::string& why)
{
    throw Error(Errc::bad_input, "archive entry '" + terminal_safe(path) + "' " + why);
}

cache::Artifact artifact_of(const TarEntry& entry, const std::string& path)
{
    cache::Artifact artifact;
    artifact.path = path;
    artifact.mode = entry.mode & 0777U;
    artifact.mtime = entry.mtime;
    artifact.mtime_nanoseconds = entry.mtime_nanoseconds;
    return artifact;
}

} // namespace

std::string path_in_workspace(const std::string& place, const std::string& path_in_archive)
{
    if (path_in_archive.empty() || path_in_archive.front() == '/' || path_in_archive.find('\0') != std::string::npos)
        refuse_entry(path_in_archive, "has a name that cannot be");
    const auto slash = path_in_archive.find('/');
    const auto below = slash == std::string::npos ? std::string() : path_in_archive.substr(slash + 1);
    for (const auto& name : split(path_in_archive, '/'))
        if (name.empty() || name == "." || name == "..")
            refuse_entry(path_in_archive, "leads elsewhere");
    if (place.empty() || below.empty())
        return place + below;
    return place + "/" + below;
}

ArtifactCollector::ArtifactCollector(ArtifactPatterns* patterns, cache::ArtifactDraft* draft,
                                     cache::ArtifactLimits limits, StageReports* reports)
    : patterns_(patterns), draft_(draft), limits_(limits), reports_(reports)
{
}

void ArtifactCollector::start(std::string place)
{
    place_ = std::move(place);
}

void ArtifactCollector::begin(const TarEntry& entry)
{
    if (++seen_ > k_most_seen)
        refuse_more(fmt::format("more than {} files to look through", k_most_seen));
    const auto path = path_in_workspace(place_, entry.path);
    if (path.empty())
        return;
    const bool is_kept = patterns_ && draft_ && patterns_->matches(path);
    const bool is_file = entry.type == TarEntry::Type::file || entry.type == TarEntry::Type::hard_link;
    const bool is_report = is_file && reports_ && reports_->wants(path);
    if (is_kept)
        keep(entry, path);
    if (!is_report)
        return;
    report_path_ = path;
    if (entry.type == TarEntry::Type::hard_link) {
        if (again_.empty() || again_.back() != path)
            again_.push_back(path);
    } else if (entry.size_bytes > StageReports::k_file_limit_bytes) {
        reports_->too_large(path, entry.size_bytes);
    } else {
        report_.emplace();
    }
}

void ArtifactCollector::keep(const TarEntry& entry, const std::string& path)
{
    if (!cache::is_artifact_path(path))
        return leave_out(path, "its path is too long");
    if (positions_.contains(path)) {
        // Kept as another name of an earlier file; it comes again, alone, because it is a report as well.
        if (entry.type == TarEntry::Type::file && artifacts_[positions_.at(path)].type == cache::Artifact::Type::file && place_ == path)
            return;
        refuse_entry(path, "is there twice");
    }
    check_place(path);
    auto artifact = artifact_of(entry, path);
    switch (entry.type) {
    case TarEntry::Type::file: return keep_file(entry, path);
    case TarEntry::Type::hard_link: return keep_again(path, path_in_workspace(place_, entry.link));
    case TarEntry::Type::folder:
        artifact.type = cache::Artifact::Type::folder;
        return add(std::move(artifact));
    case TarEntry::Type::symlink:
        if (!cache::is_inside(path, entry.link))
            return leave_out(path, "a link that leads out of the workspace");
        artifact.type = cache::Artifact::Type::link;
        artifact.mode = 0777;
        artifact.target = entry.link;
        return add(std::move(artifact));
    case TarEntry::Type::other: return leave_out(path, "no file, folder or link");
    }
}

void ArtifactCollector::keep_file(const TarEntry& entry, const std::string& path)
{
    file_ = artifact_of(entry, path);
    file_->size_bytes = entry.size_bytes;
    check_size(entry.size_bytes);
}

void ArtifactCollector::keep_again(const std::string& path, const std::string& original)
{
    const auto found = positions_.find(original);
    if (found == positions_.end()) {
        check_count(artifacts_.size() + again_.size());
        again_.push_back(path);
        return;
    }
    auto artifact = artifacts_[found->second];
    if (artifact.type != cache::Artifact::Type::file)
        refuse_entry(path, "is a hard link to something that is no file");
    check_size(artifact.size_bytes);
    artifact.path = path;
    add(std::move(artifact));
}

void ArtifactCollector::add(cache::Artifact artifact)
{
    check_count(artifacts_.size());
    sum_.files += artifact.type == cache::Artifact::Type::folder ? 0 : 1;
    sum_.size_bytes += artifact.size_bytes;
    positions_[artifact.path] = artifacts_.size();
    artifacts_.push_back(std::move(artifact));
}

// Nothing lies behind a file or a link in an archive that was made by walking through folders.
void ArtifactCollector::check_place(const std::string& path) const
{
    for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        const auto above = positions_.find(path.substr(0, slash));
        if (above != positions_.end() && artifacts_[above->second].type != cache::Artifact::Type::folder)
            refuse_entry(path, "lies behind a file or a link");
    }
}

void ArtifactCollector::contents(std::string_view bytes)
{
    if (file_)
        draft_->add(bytes);
    if (report_)
        report_->append(bytes);
}

void ArtifactCollector::end()
{
    if (file_) {
        file_->digest = draft_->end_file();
        auto artifact = std::move(*file_);
        file_.reset();
        add(std::move(artifact));
    }
    if (report_) {
        auto bytes = std::move(*report_);
        report_.reset();
        reports_->add(report_path_, std::move(bytes));
    }
}

void ArtifactCollector::leave_out(const std::string& path, const std::string& why)
{
    if (++left_out_count_ <= k_most_told)
        left_out_.push_back(terminal_safe(path) + " (" + why + ")");
}

void ArtifactCollector::check_size(std::uint64_t more_bytes)
{
    if (more_bytes > limits_.size_bytes - std::min(limits_.size_bytes, sum_.size_bytes))
        refuse_more("more than " + format_size(limits_.size_bytes));
}

void ArtifactCollector::check_count(std::size_t kept)
{
    if (kept >= limits_.files)
        refuse_more(fmt::format("more than {} files, folders and links", limits_.files));
}

void ArtifactCollector::refuse_more(std::string what)
{
    over_limit_ = what;
    throw Error(Errc::bad_input, std::move(what));
}

} // namespace gantry::runner
