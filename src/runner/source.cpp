#include "runner/source.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "base/sha256.hpp"
#include "pipeline/glob.hpp"
#include "runner/source_walk.hpp"

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <map>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gantry::runner {

namespace {

constexpr std::size_t k_text_limit_bytes = 8 << 20;

std::string absolute(const std::string& folder)
{
    char path[PATH_MAX];
    if (::realpath(folder.c_str(), path) == nullptr) {
        if (errno == ENOENT)
            throw Error(Errc::not_found, "there is no folder " + folder);
        throw errno_error(errno, folder);
    }
    struct stat info = {};
    if (::stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        throw Error(Errc::bad_input, folder + " is not a folder");
    return path;
}

// In its work tree, and not that itself.
bool is_inside(const GitRepository& repository, const std::string& folder)
{
    return !repository.root().empty() && folder.rfind(repository.root() + "/", 0) == 0;
}

// A folder that its repository ignores (somebody's home may be one big repository) is a source of its own.
bool is_ignored_by(const GitRepository& repository, const std::string& folder)
{
    if (!is_inside(repository, folder))
        return false;
    const std::string path = folder.substr(repository.root().size() + 1) + "/";
    return repository.is_ignored(path) && !repository.has_tracked_below(path);
}

} // namespace

Source open_source(const std::string& folder)
{
    Source source;
    source.root = absolute(folder);
    source.repository = GitRepository::find(source.root);
    if (source.repository && is_ignored_by(*source.repository, source.root))
        source.repository.reset();
    if (!source.repository)
        return source;
    const std::string& root = source.repository->root();
    source.root = absolute(root.empty() ? source.repository->git_folder() : root);
    return source;
}

Source open_source(const SourceOptions& options)
{
    if (options.alone) {
        if (!options.rev.empty() || !options.dirty)
            throw Error(Errc::bad_input, options.folder + " is a folder of a repository: it has no commits of its own",
                        "give the repository's root, and -f for the pipeline file");
        Source folder;
        folder.root = absolute(options.folder);
        auto around = GitRepository::find(folder.root);
        if (around && is_inside(*around, folder.root) && !is_ignored_by(*around, folder.root)) {
            folder.place = folder.root.substr(around->root().size() + 1) + "/";
            folder.around = std::move(around);
        }
        return folder;
    }
    Source source = open_source(options.folder);
    if (!source.repository) {
        if (!options.rev.empty())
            throw Error(Errc::bad_input, source.root + " is not a git repository: it has no commit " + options.rev);
        return source;
    }
    if (!options.rev.empty() || !options.dirty || source.repository->root().empty())
        source.commit = source.repository->commit_id(options.rev.empty() ? "HEAD" : options.rev);
    return source;
}

bool is_safe_path(std::string_view path)
{
    if (path.empty() || path.find('\0') != std::string_view::npos)
        return false;
    for (const auto& name : split(path, '/')) {
        if (name.empty() || name == "." || name == ".." || to_lower(name) == ".git")
            return false;
    }
    return true;
}

SourceInfo inspect_source(const std::string& folder)
{
    const Source source = open_source(folder);
    if (!source.repository) {
        SourceInfo info;
        info.root = source.root;
        info.repo = source.root.substr(source.root.rfind('/') + 1);
        return info;
    }
    SourceInfo info = source.repository->facts();
    info.root = source.root;
    info.changed = source.repository->count_changed();
    return info;
}

SourceInfo inspect_commit(const std::string& folder, const std::string& rev)
{
    const Source source = open_source(folder);
    if (!source.repository)
        throw Error(Errc::bad_input, source.root + " is not a git repository: it has no commit " + rev);
    SourceInfo info = source.repository->facts(rev);
    info.root = source.root;
    return info;
}

std::string source_root(const std::string& folder)
{
    return open_source(folder).root;
}

std::optional<std::vector<std::string>> changed_files(const std::string& folder, const std::string& base, const std::string& head,
                                                      bool with_working_tree)
{
    const Source source = open_source(folder);
    if (!source.repository)
        return std::nullopt;
    return source.repository->changed_files(base, head, with_working_tree);
}

std::string commit_id(const std::string& folder, const std::string& rev)
{
    const Source source = open_source(folder);
    try {
        return source.repository ? source.repository->commit_id(rev) : "";
    } catch (const Error& error) {
        if (error.code() != Errc::not_found)
            throw;
        return "";
    }
}

std::string merge_base(const std::string& folder, const std::string& one, const std::string& other)
{
    const Source source = open_source(folder);
    return source.repository ? source.repository->merge_base(one, other) : "";
}

// ---- single files

namespace {

[[noreturn]] void refuse_path(const std::string& path)
{
    throw Error(Errc::bad_input, path + " leads out of the repository");
}

// Resolves the links of a commit by hand: each step stays among its paths.
std::optional<std::string> read_from_commit(const GitRepository& repository, const std::string& commit, std::string path)
{
    constexpr int k_most_links = 8;
    const std::string asked = path;
    for (int links = 0; links < k_most_links; ++links) {
        const auto blob = repository.find_blob(commit, path);
        if (!blob)
            return std::nullopt;
        if (blob->bytes.size() > k_text_limit_bytes)
            throw Error(Errc::bad_input, asked + " is larger than " + format_size(k_text_limit_bytes));
        if (!blob->is_link)
            return blob->bytes;
        if (blob->bytes.empty() || blob->bytes.front() == '/')
            refuse_path(asked);
        std::vector<std::string> parts = split(path, '/');
        parts.pop_back();
        for (const auto& part : split(blob->bytes, '/')) {
            if (part.empty() || part == ".")
                continue;
            if (part != "..")
                parts.push_back(part);
            else if (parts.empty())
                refuse_path(asked);
            else
                parts.pop_back();
        }
        path = join(parts, "/");
    }
    throw Error(Errc::bad_input, asked + ": too many links");
}

std::optional<std::string> read_from_tree(const std::string& root, const std::string& path)
{
    Fd file;
    try {
        file = open_beneath(open_directory(root), path, O_RDONLY | O_NONBLOCK);
    } catch (const Error& error) {
        if (error.code() == Errc::not_found)
            return std::nullopt;
        throw;
    }
    struct stat info = {};
    if (::fstat(file.get(), &info) != 0)
        throw errno_error(errno, path);
    if (!S_ISREG(info.st_mode))
        throw Error(Errc::bad_input, path + " is not a file");
    if (static_cast<std::uint64_t>(info.st_size) > k_text_limit_bytes)
        throw Error(Errc::bad_input, path + " is larger than " + format_size(k_text_limit_bytes));
    return read_file("/proc/self/fd/" + std::to_string(file.get()), k_text_limit_bytes);
}

} // namespace

pipeline::ReadFile make_file_reader(const SourceOptions& options)
{
    const std::shared_ptr<Source> source = std::make_shared<Source>(open_source(options));
    return [source](const std::string& path) -> std::optional<std::string> {
        if (!is_safe_path(path))
            refuse_path(path);
        if (source->commit.empty())
            return read_from_tree(source->root, path);
        return read_from_commit(*source->repository, source->commit, path);
    };
}

// ---- hashFiles

namespace {

using Digests = std::map<std::string, std::string>; // by path

void add_matches(const SourceTree& tree, std::uint32_t folder, std::string& path, const pipeline::GlobList& globs, std::vector<std::string>& matches)
{
    for (std::uint32_t at = folder + 1; at < tree.nodes[folder].end; at = tree.nodes[at].end) {
        const TreeNode& node = tree.nodes[at];
        const std::size_t parent_bytes = path.size();
        path += tree.name(node);
        if (node.type == TreeNode::Type::folder) {
            path += '/';
            add_matches(tree, at, path, globs, matches);
        } else if (node.type != TreeNode::Type::ignored && globs.matches(path)) {
            matches.push_back(path);
        }
        path.resize(parent_bytes);
    }
}

// Of a link the digest of its target.
std::string digest_of(const std::string& path)
{
    char target[PATH_MAX];
    if (const ssize_t size = ::readlink(path.c_str(), target, sizeof target); size > 0)
        return sha256_hex({target, static_cast<std::size_t>(size)});
    Sha256 digest;
    read_pieces(path, Links::refuse, [&digest](std::string_view piece) { digest.add(piece); });
    return digest.hex();
}

Digests digests_of_tree(const Source& source, const SourceOptions& options, const pipeline::GlobList& globs)
{
    WalkOptions walk;
    walk.root = source.root;
    walk.rules = source.rules();
    walk.place = source.place;
    walk.without_git = true;
    walk.cache_folder = options.cache_folder;
    const SourceTree tree = walk_source(walk, {}).tree;
    std::vector<std::string> matches;
    std::string path;
    add_matches(tree, 0, path, globs, matches);
    Digests digests;
    for (const auto& match : matches)
        digests[match] = digest_of(source.root + "/" + match);
    return digests;
}

} // namespace

std::string hash_files(const SourceOptions& options, const std::vector<std::string>& globs)
{
    const Source source = open_source(options);
    const pipeline::GlobList list(globs);
    Digests digests;
    if (source.commit.empty()) {
        digests = digests_of_tree(source, options, list);
    } else {
        source.repository->walk_commit(
            source.commit, [&](const GitRepository::Entry& entry) { digests[entry.path] = sha256_hex(entry.bytes); },
            [&](const std::string& path) { return list.matches(path); });
    }
    if (digests.empty())
        return {};
    std::string all;
    for (const auto& [path, digest] : digests)
        all += path + '\0' + digest + '\n';
    return sha256_hex(all);
}

} // namespace gantry::runner
