#pragma once

#include "pipeline/frontend/compose_tree.hpp"

// volumes, configs and secrets of a Compose service: what it finds in its file system.
//
// A folder of the repository cannot be bound from the host: the engine may be on another one. So a relative path, and the
// file of a config or secret, becomes one of the service's `files`, which are copied into it before it starts; what it
// changes there is not written back. Paths from the root of the host stay binds.
//
// compose_mounts.cpp makes long forms, compose_files.cpp lowers them.

namespace gantry::pipeline::native {

// An item of `volumes` in the long form of our own volumes. A path of the repository is a bind whose source is "./" and
// the path from its root. Null pointer after an error, which has been reported.
Node* canonical_mount(ComposeWorld& world, Node& item, const std::string& folder);

// An item of a service's `configs` or `secrets` as {source, target, …}; the target stays away where none is named.
Node* canonical_grant(ComposeWorld& world, Node& item, const std::string& folder);

// The configs and secrets that a merged file declares. All are looked at once, also those that no service uses; what is wrong
// with one is reported.
class GrantSources {
public:
    GrantSources(ComposeWorld& world, const Node& file);

    // What a declaration gives, in the words of our `files`: the key `content` or `source`.
    struct Given {
        const char* key = "content";
        Node* value = nullptr; // null: it cannot be had, which has been reported
    };
    // Null pointer where there is no such declaration. The answer stays valid.
    const Given* find(std::string_view kind, const std::string& name);

private:
    struct Declared {
        std::string_view source; // content, environment or file
        Node* value = nullptr;   // null: it is external, or not declared well
        const Node* external = nullptr;
        bool was_asked_for = false;
        Given given = {};
    };
    using ByName = std::unordered_map<std::string_view, Declared>;

    ByName& of_kind(std::string_view kind) { return kind == "configs" ? configs_ : secrets_; }
    void add(const Node& key, const Node& declaration, ByName& declared);
    Given give(const Declared& declared);

    ComposeWorld& world_;
    ByName configs_, secrets_;
};

// Gives `service`, in our words, the `volumes` and `files` of a canonical service.
void lower_mounts(ComposeWorld& world, GrantSources& sources, const Node& from, Node& service);

} // namespace gantry::pipeline::native
