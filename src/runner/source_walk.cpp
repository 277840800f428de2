#include "runner/source_walk.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "runner/git.hpp"
#include "runner/source_files.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gantry::runner {

namespace {

constexpr std::size_t k_most_names = 1'000'000;
constexpr int k_deepest = 200;

using Type = TreeNode::Type;

std::int64_t nanoseconds(const timespec& time)
{
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

struct Name {
    std::string text;
    unsigned char type; // DT_…
};

std::vector<Name> list(int folder, const std::string& path)
{
    const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* const opened = copy >= 0 ? ::fdopendir(copy) : nullptr;
    if (opened == nullptr)
        throw errno_error(errno, "read " + path);
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(opened, ::closedir);
    std::vector<Name> names;
    while (true) {
        errno = 0;
        const dirent* const entry = ::readdir(stream.get());
        if (entry == nullptr && errno != 0)
            throw errno_error(errno, "read " + path);
        if (entry == nullptr)
            break;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..")
            names.push_back({std::string(name), entry->d_type});
    }
    std::sort(names.begin(), names.end(), [](const Name& a, const Name& b) { return a.text < b.text; });
    return names;
}

class Walker {
public:
    Walker(const WalkOptions& options, const SourceTree& before) : options_(options), before_(before)
    {
        // The clock that stamps files: coarse. A file stamped at or after it may change once more within its tick.
        timespec now = {};
        ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
        begin_ns_ = nanoseconds(now);
        struct stat cache = {};
        if (!options.cache_folder.empty() && ::stat(options.cache_folder.c_str(), &cache) == 0)
            cache_ = {cache.st_dev, cache.st_ino};
    }

    SourceWalk run()
    {
        out_.tree.nodes.reserve(before_.nodes.size() + 64);
        out_.tree.names.reserve(before_.names.size() + 1024);
        const Fd root = open_directory(options_.root);
        const TreeNode* old = before_.nodes.empty() ? nullptr : before_.nodes.data();
        const auto top = out_.tree.add({.type = Type::folder, .mode = 0755}, "");
        if (options_.below.empty()) {
            walk({root.get(), old, options_.rules_unchanged && old != nullptr, options_.rules != nullptr, 0});
        } else {
            old = old != nullptr && before_.nodes.size() > 1 ? old + 1 : nullptr;
            path_ = options_.below;
            const auto inner = put_folder(options_.below, old);
            walk({root.get(), old, false, false, 1});
            out_.tree.nodes[inner].end = static_cast<std::uint32_t>(out_.tree.nodes.size());
        }
        out_.tree.nodes[top].end = static_cast<std::uint32_t>(out_.tree.nodes.size());
        return std::move(out_);
    }

private:
    struct Folder {
        int descriptor;
        const TreeNode* old; // the same one before, if it was a folder
        bool trusted;        // the old verdicts about ignoring hold
        bool filtered;       // git's rules apply
        int depth;
    };

    // The nodes below an old folder, in order.
    struct OldNames {
        const SourceTree& tree;
        std::uint32_t at = 0, end = 0;
        OldNames(const SourceTree& of, const TreeNode* folder) : tree(of)
        {
            if (folder != nullptr) {
                at = static_cast<std::uint32_t>(folder - of.nodes.data()) + 1;
                end = folder->end;
            }
        }
        const TreeNode* here() const { return at < end ? &tree.nodes[at] : nullptr; }
        void next() { at = tree.nodes[at].end; }
    };

    void walk(Folder folder)
    {
        if (folder.depth > k_deepest)
            throw Error(Errc::bad_input, shown() + " is nested deeper than " + std::to_string(k_deepest) + " folders");
        const auto names = list(folder.descriptor, shown());
        const auto has = [&](std::string_view name) {
            return std::any_of(names.begin(), names.end(), [&](const Name& entry) { return entry.text == name; });
        };
        // Repositories inside of the repository are taken as they are.
        if (folder.filtered && folder.depth > 0 && has(".git"))
            folder.filtered = false;
        if (folder.filtered && folder.trusted)
            folder.trusted = same_ignore_file(folder);

        OldNames old(before_, folder.old);
        for (const auto& name : names) {
            if (path_ == options_.below && is_left_out(name.text))
                continue;
            while (old.here() != nullptr && before_.name(*old.here()) < name.text) {
                removed(*old.here());
                old.next();
            }
            const TreeNode* match = nullptr;
            if (old.here() != nullptr && before_.name(*old.here()) == name.text) {
                match = old.here();
                old.next();
            }
            visit(folder, name, match);
        }
        for (; old.here() != nullptr; old.next())
            removed(*old.here());
    }

    bool is_left_out(const std::string& name) const
    {
        return (options_.without_git && name == ".git") ||
               std::find(options_.without.begin(), options_.without.end(), name) != options_.without.end();
    }

    void visit(const Folder& folder, const Name& name, const TreeNode* old)
    {
        const std::size_t parent_bytes = path_.size();
        if (!path_.empty())
            path_ += '/';
        path_ += name.text;
        look_at(folder, name, old);
        path_.resize(parent_bytes);
    }

    void look_at(const Folder& folder, const Name& name, const TreeNode* old)
    {
        check_stop(options_.stop);
        struct stat info = {};
        unsigned char type = name.type;
        if (type != DT_DIR) {
            if (::fstatat(folder.descriptor, name.text.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
                return vanished(old);
            type = S_ISDIR(info.st_mode) ? DT_DIR : S_ISREG(info.st_mode) ? DT_REG : S_ISLNK(info.st_mode) ? DT_LNK : DT_UNKNOWN;
        }
        if (type == DT_UNKNOWN)
            return vanished(old);
        if (out_.tree.nodes.size() >= k_most_names)
            throw Error(Errc::bad_input, options_.root + " holds more than 1,000,000 files", "name what is not needed in .gitignore");

        const bool is_folder = type == DT_DIR;
        // The root's own ".git" is no subject of the rules.
        const bool is_git = folder.filtered && folder.depth == 0 && name.text == ".git";
        if (folder.filtered && !is_git && is_ignored(is_folder, old, folder.trusted))
            return put_ignored(name.text, is_folder, old);
        if (is_folder)
            enter(folder, name, old, is_git);
        else
            put_leaf(name.text, info, type == DT_LNK ? Type::link : Type::file, old);
    }

    bool is_ignored(bool is_folder, const TreeNode* old, bool trusted) const
    {
        if (trusted && old != nullptr) {
            if (old->type == Type::ignored && (old->mode != 0) == is_folder)
                return true;
            if (old->type != Type::ignored && (old->type == Type::folder) == is_folder)
                return false;
        }
        const GitRepository& git = *options_.rules;
        const std::string path = options_.place + path_;
        if (!is_folder)
            return !git.is_tracked(path) && git.is_ignored(path);
        const std::string folder = path + "/";
        return !git.has_tracked_below(folder) && !git.is_tracked(path) && git.is_ignored(folder);
    }

    bool same_ignore_file(const Folder& folder) const
    {
        constexpr const char* k_name = ".gitignore";
        const TreeNode* old = nullptr;
        for (OldNames names(before_, folder.old); names.here() != nullptr && old == nullptr; names.next())
            if (before_.name(*names.here()) == k_name)
                old = names.here();
        struct stat info = {};
        if (::fstatat(folder.descriptor, k_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
            return old == nullptr && folder.old != nullptr;
        return old != nullptr && old->type == Type::file && (old->flags & TreeNode::racy) == 0 && old->same_stat(node_of(info, Type::file));
    }

    void enter(const Folder& parent, const Name& name, const TreeNode* old, bool is_git)
    {
        const Fd opened(::openat(parent.descriptor, name.text.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!opened && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
            return vanished(old);
        if (!opened)
            throw errno_error(errno, "read " + shown()).with_hint("make it readable, or name it in .gitignore");
        struct stat info = {};
        if (::fstat(opened.get(), &info) == 0 && std::pair(info.st_dev, info.st_ino) == cache_)
            return vanished(old);

        if (old != nullptr && old->type != Type::folder) {
            out_.differs = true;
            old = nullptr;
        }
        const auto node = put_folder(name.text, old);
        walk({opened.get(), old, parent.trusted && old != nullptr, parent.filtered && !is_git, parent.depth + 1});
        out_.tree.nodes[node].end = static_cast<std::uint32_t>(out_.tree.nodes.size());
    }

    std::uint32_t put_folder(std::string_view name, const TreeNode* old)
    {
        const auto node = out_.tree.add({.layer = old != nullptr ? old->layer : 0, .type = Type::folder, .mode = 0755}, name);
        if (old == nullptr)
            put(node);
        return node;
    }

    void put_ignored(const std::string& name, bool is_folder, const TreeNode* old)
    {
        out_.tree.add({.type = Type::ignored, .mode = static_cast<std::uint16_t>(is_folder ? 1 : 0)}, name);
        if (old == nullptr || old->type != Type::ignored || (old->mode != 0) != is_folder)
            out_.differs = true;
        vanished(old);
    }

    void put_leaf(const std::string& name, const struct stat& info, Type type, const TreeNode* old)
    {
        TreeNode node = node_of(info, type);
        if (node.ctime_ns >= begin_ns_ || node.mtime_ns >= begin_ns_)
            node.flags = TreeNode::racy;
        const bool same_stat = old != nullptr && old->same_stat(node);
        if (same_stat && (old->flags & TreeNode::racy) == 0) {
            node.layer = old->layer;
            out_.tree.add(node, name);
            return;
        }
        const bool alike = old != nullptr && old->type == type && old->mode == node.mode && old->size_bytes == node.size_bytes &&
                           old->mtime_ns == node.mtime_ns;
        put(out_.tree.add(node, name), alike ? old : nullptr);
    }

    void put(std::uint32_t node, const TreeNode* alike = nullptr)
    {
        out_.differs = true;
        out_.changes.push_back({SourceChange::Kind::put, path_, node, alike != nullptr, alike != nullptr ? alike->layer : 0});
    }

    // An old name of the folder in path_ that is not there any more.
    void removed(const TreeNode& old)
    {
        out_.differs = true;
        const std::string name(before_.name(old));
        if (old.type != Type::ignored)
            out_.changes.push_back({SourceChange::Kind::remove, path_.empty() ? name : path_ + "/" + name});
    }

    // While its name is being visited it is in path_ already.
    void vanished(const TreeNode* old)
    {
        if (old == nullptr || old->type == Type::ignored)
            return;
        out_.differs = true;
        out_.changes.push_back({SourceChange::Kind::remove, path_});
    }

    static TreeNode node_of(const struct stat& info, Type type)
    {
        TreeNode node;
        node.type = type;
        node.mode = type == Type::file && (info.st_mode & 0100) != 0 ? 0755 : 0644;
        node.size_bytes = static_cast<std::uint64_t>(info.st_size);
        node.inode = info.st_ino;
        node.mtime_ns = nanoseconds(info.st_mtim);
        node.ctime_ns = nanoseconds(info.st_ctim);
        return node;
    }

    std::string shown() const { return path_.empty() ? options_.root : options_.root + "/" + path_; }

    const WalkOptions& options_;
    const SourceTree& before_;
    SourceWalk out_;
    std::string path_;
    std::int64_t begin_ns_ = 0;
    std::pair<dev_t, ino_t> cache_{};
};

} // namespace

SourceWalk walk_source(const WalkOptions& options, const SourceTree& before)
{
    return Walker(options, before).run();
}

} // namespace gantry::runner
