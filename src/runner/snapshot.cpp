#include "runner/snapshot.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "runner/source.hpp"
#include "runner/source_cache.hpp"
#include "runner/source_layer.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>

#include <sys/stat.h>
#include <unistd.h>

namespace gantry::runner {

namespace {

constexpr std::size_t k_index_limit_bytes = std::size_t{1} << 30;

class SnapshotMaker {
public:
    SnapshotMaker(const SourceOptions& options, Source source)
        : options_(options), source_(std::move(source)), cache_(options.cache_folder, source_.root, options.stop)
    {
    }

    Snapshot make()
    {
        if (!source_.commit.empty())
            add_commit();
        else if (source_.repository && source_.repository->git_folder() != source_.root + "/.git")
            add_linked_work_tree();
        else
            add(cache_.update("tree", walk_options(), rules()));
        snapshot_.pin = cache_.pin(names_);
        if (snapshot_.copied_files != 0)
            cache_.prune();
        for (const auto& name : names_)
            snapshot_.layers.push_back(cache_.layer_path(name));
        return std::move(snapshot_);
    }

private:
    WalkOptions walk_options() const
    {
        WalkOptions walk;
        walk.root = source_.root;
        walk.rules = source_.rules();
        walk.place = source_.place;
        walk.cache_folder = options_.cache_folder;
        walk.stop = options_.stop;
        return walk;
    }

    std::string rules() const
    {
        if (source_.repository)
            return source_.repository->rules_fingerprint();
        return source_.around ? source_.around->rules_fingerprint() + ignore_files_above() : std::string();
    }

    // The .gitignore files between the repository's root and the folder that is taken alone.
    std::string ignore_files_above() const
    {
        std::string facts;
        for (std::size_t end = 0; end != std::string::npos && end < source_.place.size();
             end = source_.place.find('/', end + 1)) {
            const auto path = source_.around->root() + "/" + source_.place.substr(0, end) + "/.gitignore";
            struct stat info = {};
            if (::lstat(path.c_str(), &info) == 0)
                facts += fmt::format("\n{} {} {}.{}", path, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
        }
        return facts;
    }

    void add(const SourceCache::Stack& stack)
    {
        names_.insert(names_.end(), stack.layers.begin(), stack.layers.end());
        snapshot_.files += stack.files;
        snapshot_.size_bytes += stack.size_bytes;
        snapshot_.copied_files += stack.copied_files;
        snapshot_.copied_bytes += stack.copied_bytes;
    }

    // The files of a commit without the work tree's; git's own folder with HEAD and an index that fit the commit.
    void add_commit()
    {
        const GitRepository& git = *source_.repository;
        const std::string head = options_.rev.empty() ? read_file(git.git_folder() + "/HEAD", 4096) : source_.commit + "\n";
        add_git_files("commit-" + source_.commit.substr(0, 40) + "-" + sha256_hex(head).substr(0, 8), head, [&](const std::string& path) {
            git.write_index(source_.commit, path);
        });
        add_git_folder();
        const auto once = cache_.make_once("tree-" + git.tree_id(source_.commit), [&](LayerWriter& layer) { write_commit(layer); });
        names_.push_back(once.layer);
        if (!once.made)
            count(once.layer);
    }

    void write_commit(LayerWriter& layer)
    {
        const GitRepository& git = *source_.repository;
        const std::int64_t time = git.commit_time(source_.commit);
        git.walk_commit(source_.commit, [&](const GitRepository::Entry& entry) {
            check_stop(options_.stop);
            if (!is_safe_path(entry.path))
                throw Error(Errc::bad_input, "commit " + source_.commit + " holds the path '" + terminal_safe(entry.path) + "'");
            using Kind = GitRepository::Entry::Kind;
            if (entry.kind == Kind::link)
                layer.symlink(std::string(entry.bytes), entry.path);
            else
                layer.file(entry.path, entry.bytes, entry.kind == Kind::program, time);
            ++snapshot_.files;
            ++snapshot_.copied_files;
            snapshot_.size_bytes += entry.kind == Kind::link ? 0 : entry.bytes.size();
            snapshot_.copied_bytes += entry.bytes.size();
        });
    }

    void count(const std::string& layer)
    {
        WalkOptions walk;
        walk.root = cache_.layer_path(layer);
        const SourceTree tree = walk_source(walk, {}).tree;
        snapshot_.files += tree.file_count();
        snapshot_.size_bytes += tree.size_bytes();
    }

    // A work tree beside the main one has only a file ".git"; a step gets a whole repository of it.
    void add_linked_work_tree()
    {
        const GitRepository& git = *source_.repository;
        const std::string head = read_file(git.git_folder() + "/HEAD", 4096);
        const std::string index_path = git.git_folder() + "/index";
        const std::string index = ::access(index_path.c_str(), F_OK) == 0 ? read_file(index_path, k_index_limit_bytes) : std::string();
        add_git_files("worktree-" + sha256_hex(head + index).substr(0, 16), head, [&](const std::string& path) {
            if (!index.empty())
                write_file_atomic(path, index, 0644);
        });
        add_git_folder();
        auto walk = walk_options();
        walk.without_git = true;
        add(cache_.update("worktree", walk, rules()));
    }

    void add_git_folder()
    {
        WalkOptions walk;
        walk.root = source_.repository->common_folder();
        walk.below = ".git";
        walk.without = {"HEAD", "index", "worktrees"};
        walk.cache_folder = options_.cache_folder;
        walk.stop = options_.stop;
        add(cache_.update("git", walk, {}));
    }

    template <typename WriteIndex>
    void add_git_files(const std::string& name, const std::string& head, const WriteIndex& write_index)
    {
        const auto once = cache_.make_once(name, [&](LayerWriter& layer) {
            layer.file(".git/HEAD", head, false, 0);
            write_index(layer.path_of(".git/index"));
            ::chmod(layer.path_of(".git/index").c_str(), 0644);
        });
        names_.push_back(once.layer);
    }

    const SourceOptions& options_;
    Source source_;
    SourceCache cache_;
    std::vector<std::string> names_;
    Snapshot snapshot_;
};

} // namespace

Snapshot take_snapshot(const SourceOptions& options)
{
    return SnapshotMaker(options, open_source(options)).make();
}

} // namespace gantry::runner
