#include "runner/source_tree.hpp"

#include <cstring>
#include <type_traits>

namespace gantry::runner {

static_assert(std::is_trivially_copyable_v<TreeNode> && sizeof(TreeNode) == 56);

bool TreeNode::same_stat(const TreeNode& other) const
{
    return type == other.type && mode == other.mode && size_bytes == other.size_bytes && inode == other.inode &&
           mtime_ns == other.mtime_ns && ctime_ns == other.ctime_ns;
}

std::uint32_t SourceTree::add(TreeNode node, std::string_view name)
{
    node.name_offset = static_cast<std::uint32_t>(names.size());
    node.name_bytes = static_cast<std::uint32_t>(name.size());
    names += name;
    nodes.push_back(node);
    nodes.back().end = static_cast<std::uint32_t>(nodes.size());
    return static_cast<std::uint32_t>(nodes.size() - 1);
}

std::uint64_t SourceTree::file_count() const
{
    std::uint64_t count = 0;
    for (const auto& node : nodes)
        count += node.type == TreeNode::Type::file || node.type == TreeNode::Type::link ? 1 : 0;
    return count;
}

std::uint64_t SourceTree::size_bytes() const
{
    std::uint64_t size = 0;
    for (const auto& node : nodes)
        size += node.type == TreeNode::Type::file ? node.size_bytes : 0;
    return size;
}

namespace {

constexpr std::string_view k_magic = "gantry-source-1\n";

void append(std::string& out, std::string_view bytes)
{
    const std::uint64_t size = bytes.size();
    out.append(reinterpret_cast<const char*>(&size), sizeof size);
    out += bytes;
}

template <typename T> void append(std::string& out, const std::vector<T>& values)
{
    append(out, std::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)));
}

bool take(std::string_view& in, std::string_view& bytes)
{
    std::uint64_t size = 0;
    if (in.size() < sizeof size)
        return false;
    std::memcpy(&size, in.data(), sizeof size);
    in.remove_prefix(sizeof size);
    if (size > in.size())
        return false;
    bytes = in.substr(0, size);
    in.remove_prefix(size);
    return true;
}

bool take(std::string_view& in, std::string& text)
{
    std::string_view bytes;
    if (!take(in, bytes))
        return false;
    text = bytes;
    return true;
}

template <typename T>
bool take(std::string_view& in, std::vector<T>& values)
{
    std::string_view bytes;
    if (!take(in, bytes) || bytes.size() % sizeof(T) != 0)
        return false;
    values.resize(bytes.size() / sizeof(T));
    if (!values.empty())
        std::memcpy(static_cast<void*>(values.data()), bytes.data(), bytes.size());
    return true;
}

// Positions lie inside, so that no reader has to look again.
bool is_sound(const SourceTree& tree)
{
    for (std::size_t i = 0; i < tree.nodes.size(); ++i) {
        const auto& node = tree.nodes[i];
        if (node.end <= i || node.end > tree.nodes.size() || node.type > TreeNode::Type::ignored ||
            std::uint64_t{node.name_offset} + node.name_bytes > tree.names.size())
            return false;
    }
    return !tree.nodes.empty() && tree.nodes.front().end == tree.nodes.size();
}

} // namespace

std::string encode(const SourceManifest& manifest)
{
    std::string out(k_magic);
    out.reserve(out.size() + manifest.tree.nodes.size() * sizeof(TreeNode) + manifest.tree.names.size() + 1024);
    append(out, manifest.layers);
    append(out, std::string_view(manifest.rules));
    append(out, std::string_view(manifest.boot));
    append(out, manifest.tree.nodes);
    append(out, std::string_view(manifest.tree.names));
    return out;
}

bool decode(std::string_view bytes, SourceManifest& manifest)
{
    if (bytes.substr(0, k_magic.size()) != k_magic)
        return false;
    bytes.remove_prefix(k_magic.size());
    return take(bytes, manifest.layers) && take(bytes, manifest.rules) && take(bytes, manifest.boot) &&
           take(bytes, manifest.tree.nodes) && take(bytes, manifest.tree.names) && bytes.empty() && is_sound(manifest.tree);
}

} // namespace gantry::runner
