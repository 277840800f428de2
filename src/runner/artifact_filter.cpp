#include "runner/artifact_filter.hpp"

#include "runner/artifact_collector.hpp"

#include <utility>

namespace gantry::runner {

namespace {

constexpr unsigned k_kept_bits = 01777; // permissions and sticky

bool is_above(const std::string& folder, const std::string& path)
{
    return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

} // namespace

ArtifactFilter::ArtifactFilter(ArtifactPatterns& patterns, std::string top) : patterns_(patterns), top_(std::move(top)) {}

void ArtifactFilter::start(std::string place, std::vector<TarEntry> above)
{
    place_ = std::move(place);
    above_ = std::move(above);
}

void ArtifactFilter::begin(const TarEntry& entry)
{
    passes_ = false;
    const auto path = path_in_workspace(place_, entry.path);
    while (!above_.empty() && !is_above(above_.back().path, path))
        above_.pop_back();
    if (entry.type == TarEntry::Type::folder && !path.empty()) {
        above_.push_back(entry);
        above_.back().path = path;
    }
    if (path.empty() || entry.type == TarEntry::Type::other || !patterns_.matches(path))
        return;
    write_above(path);
    if (entry.type == TarEntry::Type::folder)
        return; // one of those above
    if (entry.type == TarEntry::Type::hard_link) {
        const auto original = path_in_workspace(place_, entry.link);
        if (!written_.contains(original)) {
            again_.push_back(path);
            return;
        }
        auto linked = entry;
        linked.link = top_ + "/" + original;
        return write(std::move(linked), path);
    }
    write(entry, path);
    passes_ = entry.type == TarEntry::Type::file;
    size_bytes_ = entry.size_bytes;
}

void ArtifactFilter::write_above(const std::string& path)
{
    for (const auto& folder : above_)
        if ((folder.path == path || is_above(folder.path, path)) && !written_.contains(folder.path))
            write(folder, folder.path);
}

void ArtifactFilter::write(TarEntry entry, const std::string& path)
{
    written_.insert(path);
    entry.path = top_ + "/" + path;
    entry.mode &= k_kept_bits;
    append_tar_header(entry, made_);
}

void ArtifactFilter::contents(std::string_view bytes)
{
    if (passes_)
        made_.append(bytes);
}

void ArtifactFilter::end()
{
    if (passes_)
        made_ += tar_padding(size_bytes_);
}

} // namespace gantry::runner
