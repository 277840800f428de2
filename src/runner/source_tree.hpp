#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::runner {

// One name in a tree of files, with what tells whether it has changed since (as git's index does).
// Plain bytes: a tree is stored as they lie in memory.
struct TreeNode {
    enum class Type : std::uint8_t { folder, file, link, ignored };
    enum Flag : std::uint8_t {
        racy = 1,   // changed so shortly before it was looked at that a later change may not show: compare the content
        forced = 2, // git would ignore it, but it is tracked
    };

    std::uint32_t end = 0;  // position behind the last node below this one: where the next sibling is
    std::uint32_t name_offset = 0;
    std::uint32_t name_bytes = 0;
    std::uint32_t layer = 0; // number of the layer that holds it
    std::uint64_t size_bytes = 0, inode = 0;
    std::int64_t mtime_ns = 0, ctime_ns = 0;
    Type type = Type::file;
    std::uint8_t flags = 0;
    std::uint16_t mode = 0; // 0644 or 0755, as git has it
    std::uint32_t unused = 0;

    // The same by what stat tells; says nothing about racy ones.
    bool same_stat(const TreeNode& other) const;
};

// Nodes in depth-first order, names of one folder in byte order; the root is nodes[0].
struct SourceTree {
    std::vector<TreeNode> nodes;
    std::string names;

    std::string_view name(const TreeNode& node) const { return std::string_view(names).substr(node.name_offset, node.name_bytes); }
    // Adds a node at the end; its `end` is to be set once all below it is there.
    std::uint32_t add(TreeNode node, std::string_view name);
    std::uint64_t file_count() const;
    std::uint64_t size_bytes() const;
};

// A tree, the layers that it lies in, and what it was made under.
struct SourceManifest {
    std::vector<std::uint32_t> layers; // numbers, lowest last
    std::string rules;                 // fingerprint of what decides about ignoring, outside of the tree's own .gitignore
    std::string boot;                  // id of the boot: layers are not synced, so another boot does not trust them
    SourceTree tree;
};
std::string encode(const SourceManifest& manifest);
// False when the bytes are not a whole manifest of this version.
bool decode(std::string_view bytes, SourceManifest& manifest);

} // namespace gantry::runner
