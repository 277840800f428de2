#include "runner/source_cache.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "runner/source_files.hpp"
#include "runner/source_layer.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gantry::runner {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t k_deepest_stack = 16;
constexpr std::size_t k_manifest_limit_bytes = std::size_t{1} << 30;

std::string boot_id()
{
    try {
        return std::string(trim(read_file("/proc/sys/kernel/random/boot_id", 256)));
    } catch (const Error&) {
        return {};
    }
}

// Writes the new or changed part of a tree into a layer.
class LayerBuilder {
public:
    LayerBuilder(const std::string& layers, const WalkOptions& options, SourceWalk& walk, std::uint32_t number)
        : layers_(layers), source_(open_directory(options.root)), below_(options.below), stop_(options.stop), walk_(walk), number_(number),
          writer_(layers + "/" + std::to_string(number))
    {
    }

    // On top of what is there. False when a removal cannot be told.
    bool write_changes()
    {
        for (const auto& change : walk_.changes) {
            if (change.kind == SourceChange::Kind::remove) {
                if (!writer_.whiteout(change.path))
                    return false;
            } else {
                put(change.path, walk_.tree.nodes[change.node]);
            }
        }
        return true;
    }

    // All of it, so that no other layer is needed. What is unchanged is linked.
    void write_all_nodes()
    {
        std::string path;
        write_below(0, path);
    }

    void publish() { writer_.publish(); }
    std::uint64_t copied_files() const { return copied_files_; }
    std::uint64_t copied_bytes() const { return copied_bytes_; }

private:
    void write_below(std::uint32_t parent, std::string& path)
    {
        auto& nodes = walk_.tree.nodes;
        for (std::uint32_t at = parent + 1; at < nodes[parent].end; at = nodes[at].end) {
            const std::size_t parent_bytes = path.size();
            if (!path.empty())
                path += '/';
            path += walk_.tree.name(nodes[at]);
            write_node(path, nodes[at]);
            if (nodes[at].type == TreeNode::Type::folder)
                write_below(at, path);
            path.resize(parent_bytes);
        }
    }

    void write_node(const std::string& path, TreeNode& node)
    {
        const std::string existing = layers_ + "/" + std::to_string(node.layer) + "/" + path;
        if (node.type == TreeNode::Type::file && node.layer != 0 && writer_.link_file(existing, path))
            node.layer = number_;
        else
            put(path, node);
    }

    void put(const std::string& path, TreeNode& node)
    {
        check_stop(stop_);
        node.layer = number_;
        switch (node.type) {
        case TreeNode::Type::folder: writer_.folder(path); break;
        case TreeNode::Type::file: put_file(path, node); break;
        case TreeNode::Type::link: put_link(path); break;
        case TreeNode::Type::ignored: break;
        }
    }

    std::string in_source(const std::string& path) const
    {
        return below_.empty() ? path : path.substr(below_.size() + 1);
    }

    void put_file(const std::string& path, TreeNode& node)
    {
        struct stat info = {};
        if (!writer_.copy(source_, in_source(path), path, node.mode == 0755, info)) {
            node.flags |= TreeNode::racy; // gone since the walk: the next one sees that
            return;
        }
        // Told from what the walk saw, it has been written to since, and may have been read in the middle of that.
        if (static_cast<std::uint64_t>(info.st_size) != node.size_bytes)
            node.flags |= TreeNode::racy;
        ++copied_files_;
        copied_bytes_ += static_cast<std::uint64_t>(info.st_size);
    }

    void put_link(const std::string& path)
    {
        char target[PATH_MAX];
        const ssize_t size = ::readlinkat(source_.get(), in_source(path).c_str(), target, sizeof target);
        if (size <= 0 || size == PATH_MAX)
            return;
        writer_.symlink(std::string(target, static_cast<std::size_t>(size)), path);
        ++copied_files_;
    }

    const std::string& layers_;
    Fd source_;
    std::string below_;
    const std::stop_token& stop_;
    SourceWalk& walk_;
    std::uint32_t number_;
    LayerWriter writer_;
    std::uint64_t copied_files_ = 0, copied_bytes_ = 0;
};

// Takes out what only looked changed: equal content, seen too shortly after it was written.
void drop_equal_changes(SourceWalk& walk, const WalkOptions& options, const std::string& layers)
{
    const Fd source = open_directory(options.root);
    const auto is_equal = [&](const SourceChange& change) {
        if (!change.maybe_same)
            return false;
        check_stop(options.stop);
        const std::string path = options.below.empty() ? change.path : change.path.substr(options.below.size() + 1);
        const std::string kept = layers + "/" + std::to_string(change.before) + "/" + change.path;
        TreeNode& node = walk.tree.nodes[change.node];
        bool equal = false;
        if (node.type == TreeNode::Type::file) {
            const Fd a(::openat(source.get(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
            const Fd b(::open(kept.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
            equal = a && b && same_contents(a, b, path);
        } else {
            char a[PATH_MAX], b[PATH_MAX];
            const ssize_t size = ::readlinkat(source.get(), path.c_str(), a, sizeof a);
            equal = size > 0 && ::readlink(kept.c_str(), b, sizeof b) == size && std::equal(a, a + size, b);
        }
        if (equal)
            node.layer = change.before;
        return equal;
    };
    walk.changes.erase(std::remove_if(walk.changes.begin(), walk.changes.end(), is_equal), walk.changes.end());
}

} // namespace

SourceCache::SourceCache(const std::string& cache_folder, const std::string& root, const std::stop_token& stop)
    : folder_(cache_folder + "/workspaces/" + sha256_hex(root).substr(0, 16))
{
    make_directories(folder_ + "/layers", 0700);
    make_directories(folder_ + "/stacks", 0700);
    // Copying a big tree for the first time takes its time.
    lock_ = wait_for_lock(folder_ + "/lock", LockKind::exclusive, std::chrono::minutes(10),
                          "another gantry has been copying " + root + " for more than 10 minutes", stop);
}

SourceManifest SourceCache::load(const std::string& what) const
{
    SourceManifest manifest;
    try {
        if (decode(read_file(folder_ + "/" + what + ".manifest", k_manifest_limit_bytes), manifest) && manifest.boot == boot_id() &&
            std::all_of(manifest.layers.begin(), manifest.layers.end(),
                        [&](std::uint32_t layer) { return ::access(layer_path(std::to_string(layer)).c_str(), F_OK) == 0; }))
            return manifest;
    } catch (const Error& error) {
        if (error.code() != Errc::not_found)
            throw;
    }
    return {};
}

std::uint32_t SourceCache::new_layer() const
{
    std::uint32_t number = 0; // which is none
    while (number == 0 || ::access(layer_path(std::to_string(number)).c_str(), F_OK) == 0)
        number = static_cast<std::uint32_t>(std::stoul(random_hex(sizeof number), nullptr, 16));
    return number;
}

SourceCache::Stack SourceCache::update(const std::string& what, WalkOptions options, const std::string& rules)
{
    SourceManifest manifest = load(what);
    options.rules_unchanged = manifest.rules == rules;
    const std::string layers = folder_ + "/layers";
    SourceWalk walk = walk_source(options, manifest.tree);
    drop_equal_changes(walk, options, layers);

    Stack stack;
    if (!walk.changes.empty() || manifest.layers.empty()) {
        const std::uint32_t number = new_layer();
        auto builder = std::make_unique<LayerBuilder>(layers, options, walk, number);
        const bool on_top = !manifest.layers.empty() && manifest.layers.size() < k_deepest_stack;
        if (on_top && builder->write_changes()) {
            manifest.layers.insert(manifest.layers.begin(), number);
        } else {
            if (on_top) { // what is there of it has no use without the removals
                builder.reset();
                builder = std::make_unique<LayerBuilder>(layers, options, walk, number);
            }
            builder->write_all_nodes();
            manifest.layers = {number};
        }
        builder->publish();
        stack.copied_files = builder->copied_files();
        stack.copied_bytes = builder->copied_bytes();
    }
    if (walk.differs || !walk.changes.empty() || manifest.rules != rules) {
        manifest.rules = rules;
        manifest.boot = boot_id();
        manifest.tree = std::move(walk.tree);
        replace_file(folder_ + "/" + what + ".manifest", encode(manifest));
    }
    stack.files = manifest.tree.file_count();
    stack.size_bytes = manifest.tree.size_bytes();
    for (const std::uint32_t layer : manifest.layers)
        stack.layers.push_back(std::to_string(layer));
    return stack;
}

SourceCache::Once SourceCache::make_once(const std::string& what, const std::function<void(LayerWriter&)>& fill)
{
    const std::string name = what + "-" + boot_id().substr(0, 8); // layers are not synced
    const std::string path = layer_path(name);
    if (::access(path.c_str(), F_OK) == 0)
        return {name, false};
    LayerWriter writer(path);
    fill(writer);
    writer.publish();
    return {name, true};
}

std::shared_ptr<void> SourceCache::pin(const std::vector<std::string>& layers)
{
    const std::string names = join(layers, "\n");
    const std::string path = folder_ + "/stacks/" + sha256_hex(names).substr(0, 16);
    if (::access(path.c_str(), F_OK) != 0)
        replace_file(path, names);
    else
        ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
    auto lock = try_lock(path, LockKind::shared);
    GANTRY_ASSERT(lock); // only prune() locks exclusively, and it needs lock_
    return std::make_shared<Fd>(std::move(*lock));
}

void SourceCache::prune()
{
    constexpr std::size_t k_kept = 5;
    constexpr auto k_age = std::chrono::hours(24 * 14);
    std::vector<std::pair<fs::file_time_type, std::string>> stacks;
    for (const auto& entry : fs::directory_iterator(folder_ + "/stacks"))
        stacks.emplace_back(entry.last_write_time(), entry.path().string());
    std::sort(stacks.rbegin(), stacks.rend());

    std::set<std::string> needed;
    for (std::size_t i = 0; i < stacks.size(); ++i) {
        const auto& [used, path] = stacks[i];
        const bool is_old = i >= k_kept || fs::file_time_type::clock::now() - used > k_age;
        if (is_old && try_lock(path, LockKind::exclusive)) {
            ::unlink(path.c_str());
            continue;
        }
        for (auto& name : split(read_file(path, 1 << 20), '\n'))
            needed.insert(std::move(name));
    }
    std::vector<std::string> unneeded;
    for (const auto& entry : fs::directory_iterator(folder_ + "/layers")) {
        if (needed.count(entry.path().filename().string()) == 0)
            unneeded.push_back(entry.path().string());
    }
    for (const auto& path : unneeded)
        remove_layer(path);
}

void remove_layer(const std::string& path)
{
    const auto gone = path.substr(0, path.rfind('/')) + "/gone-" + random_hex(8);
    if (::rename(path.c_str(), gone.c_str()) != 0 && errno != ENOENT)
        throw errno_error(errno, "remove " + path);
    remove_tree(gone);
}

} // namespace gantry::runner
