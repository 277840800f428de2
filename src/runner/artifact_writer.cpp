#include "runner/artifact_writer.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "runner/artifact_patterns.hpp"
#include "runner/tree_writer_root.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <array>
#include <map>

namespace gantry::runner {

namespace {

using cache::Artifact;

constexpr std::size_t k_most_shown = 3;

std::string shown_path(const Artifact& artifact)
{
    return terminal_safe(artifact.path);
}

std::vector<std::string> paths_in(const std::vector<cache::Manifest>& manifests)
{
    std::vector<std::string> paths;
    for (const auto& manifest : manifests)
        for (const auto& artifact : manifest.artifacts)
            paths.push_back(artifact.path);
    return paths;
}

// Folders may be there before; what a file takes the place of has to be named.
void refuse_existing(const TreeWriterRoot& root, const std::vector<ChosenArtifact>& chosen, Existing existing)
{
    std::vector<std::string> in_the_way;
    for (const auto& one : chosen) {
        const auto found = root.kind_at(split(one.artifact.path, '/'));
        const bool is_folder = one.artifact.type == Artifact::Type::folder;
        if (found == TreeWriterRoot::Kind::nothing || (is_folder && found == TreeWriterRoot::Kind::folder))
            continue;
        if (existing == Existing::refuse || found == TreeWriterRoot::Kind::folder)
            in_the_way.push_back(shown_path(one.artifact) + (found == TreeWriterRoot::Kind::folder ? "/" : ""));
    }
    if (in_the_way.empty())
        return;
    throw Error(Errc::conflict, "already there: " + some_of(in_the_way, k_most_shown),
                existing == Existing::refuse ? "--to DIR writes elsewhere, --force replaces files"
                                             : "remove the folder first, or write elsewhere with --to DIR");
}

void copy_contents(const cache::ArtifactStore& store, const Artifact& artifact, const Fd& to)
{
    const auto from = store.open(artifact);
    Sha256 digest;
    std::array<char, 1 << 16> buffer;
    for (;;) {
        const auto count = ::read(from.get(), buffer.data(), buffer.size());
        if (count < 0)
            throw errno_error(errno, "read " + shown_path(artifact));
        if (count == 0)
            break;
        const std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
        digest.add(bytes);
        write_all(to, bytes, shown_path(artifact));
    }
    if (digest.hex() != artifact.digest)
        throw Error(Errc::internal, shown_path(artifact) + ": its contents were damaged on the disk", "run the stage again: gantry rerun");
}

} // namespace

std::vector<ChosenArtifact> choose_artifacts(const std::vector<cache::Manifest>& manifests, const std::vector<std::string>& patterns)
{
    ArtifactPatterns wanted(patterns, {});
    std::vector<ChosenArtifact> chosen;
    std::map<std::string, std::size_t> positions;
    for (const auto& manifest : manifests)
        for (const auto& artifact : manifest.artifacts) {
            if (!patterns.empty() && !wanted.matches(artifact.path))
                continue;
            const auto [there, is_new] = positions.emplace(artifact.path, chosen.size());
            if (is_new) {
                chosen.push_back({manifest.stage, artifact});
                continue;
            }
            const auto& other = chosen[there->second];
            const bool is_same = other.artifact.type == artifact.type && other.artifact.digest == artifact.digest && other.artifact.target == artifact.target;
            if (!is_same)
                throw Error(Errc::conflict, fmt::format("{} and {} both kept {}, each its own", other.stage, manifest.stage, shown_path(artifact)),
                            "name one of the two stages");
        }
    if (const auto unused = wanted.unused(); !unused.empty()) {
        const auto meant = nearest(unused.front(), paths_in(manifests));
        throw Error(Errc::not_found, "no artifact matches '" + terminal_safe(unused.front()) + "'",
                    meant ? "did you mean " + terminal_safe(*meant) + "?" : "without a path, all are written");
    }
    return chosen;
}

cache::ArtifactSum write_artifacts(const cache::ArtifactStore& store, const std::vector<ChosenArtifact>& chosen,
                                   const std::string& folder, Existing existing)
{
    make_directories(folder, 0777);
    TreeWriterRoot root(folder, TreeWriterRoot::Modes::exact);
    refuse_existing(root, chosen, existing);
    cache::ArtifactSum sum;
    for (const auto& one : chosen) {
        const auto& artifact = one.artifact;
        const auto names = split(artifact.path, '/');
        const timespec time{static_cast<time_t>(artifact.mtime), static_cast<long>(artifact.mtime_nanoseconds)};
        sum.files += artifact.type == Artifact::Type::folder ? 0 : 1;
        sum.size_bytes += artifact.size_bytes;
        switch (artifact.type) {
        case Artifact::Type::folder: root.folder(names, artifact.mode, false, time); break;
        case Artifact::Type::link: root.symlink(names, artifact.target, time); break;
        case Artifact::Type::file: root.file(names, artifact.mode, time, [&](const Fd& file) { copy_contents(store, artifact, file); }); break;
        }
    }
    root.finish();
    return sum;
}

} // namespace gantry::runner
