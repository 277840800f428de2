#pragma once

#include "pipeline/frontend/compose_template.hpp"
#include "pipeline/frontend/reader.hpp"
#include "pipeline/frontend/word_list.hpp"

#include <string>
#include <unordered_map>
#include <unordered_set>

// What the parts of compose.hpp share. Compose files stay trees until the end: read, interpolated, brought into one form,
// merged, chosen from, and rewritten in the words of our own services, volumes and networks, which are then read by the
// tables that read .gantry.yml. Every node keeps the mark of the text it came from.

namespace gantry::pipeline::native {

// Bounds on what `compose` makes of the texts of all stages together; beyond them there is an error with the code "limit".
constexpr int k_max_compose_files = 64;                      // read for one stage, `include` and `extends` counted
constexpr std::size_t k_max_compose_nodes = 400'000;         // made, or read by the tables
constexpr std::size_t k_max_compose_bytes = 4 * 1024 * 1024; // of what variables give

// Leaves the work on a stage's Compose files; the limit that was met has not been reported yet.
struct ComposeLimit {
    std::string message;
};

// Makes nodes. Throws ComposeLimit.
class ComposeTree {
public:
    explicit ComposeTree(NodePool& pool) : pool_(pool) {}

    Node* scalar(std::string text, const Node& at);
    Node* map(const Node& at);
    Node* list(const Node& at);
    Node* null(const Node& at);
    // The node itself; what is below stays shared.
    Node* copy(const Node& of);

    // Counts what reading `node` costs, shared nodes as often as they are met.
    void charge(const Node& node);
    void charge_nodes(std::size_t nodes);
    void charge_bytes(std::size_t bytes);

private:
    Node* make(Node::Kind kind, const Node& at);

    NodePool& pool_;
    std::size_t nodes_ = 0, bytes_ = 0;
};

// Changes the pairs of a map. put() replaces the value of an equal key and keeps its place.
class MapEditor {
public:
    explicit MapEditor(Node& map);
    // The value's place; null pointer when there is no such key.
    Node** find(std::string_view key);
    void put(Node& key, Node& value);

private:
    Node& map_;
    std::unordered_map<std::string_view, std::size_t> places_;
};
// For maps with few keys; a key that is text stands where the value does.
void put(Node& map, Node& key, Node& value);
void put(ComposeTree& tree, Node& map, std::string key, Node& value);
void remove(Node& map, std::string_view key);
// The key itself, for the path of what is said below it; the map where it has none.
const Node& key_of(const Node& map, std::string_view key);

struct ComposeWorld {
    Reader& reader;
    ComposeTree& tree;
    const FindVariable& find;
    const ReadFile& read_file;
    std::unordered_set<std::string> warned{};       // variables without value that were told of
    std::unordered_set<const Node*> interpolated{}; // anchors make nodes part of several sections

    // Tells of a variable once, and of the first few only: errors must have room. `at` is where it stands.
    void warn_unset(const Node& at, std::size_t offset, const std::string& name, std::string message);
    // The same of one in the value of `name`, in a file of variables. As that may be a password, nothing of it is told.
    void warn_unset_in_file(const Node& at, const std::string& file, const std::string& name);
};

// Carries out `$` in every value below, each node once; a value with a problem, which is reported, stays as
// it is, but for its `${{`, and no further error of it is one.
void interpolate_below(ComposeWorld& world, Node& node);

// One form for what may be written in several: maps for NAME=value lists, lists for single values, long forms of volumes,
// configs and secrets, maps for builds; paths from the root of the repository. `folder` is what relative paths start at.
// Null pointer for what is no map; that has been reported.
Node* canonical_service(ComposeWorld& world, const Node& service, const std::string& folder);
// A config's or secret's declaration.
Node* canonical_source(ComposeWorld& world, const Node& declaration, const std::string& folder);

// `over` into `base` by Compose's rules ("Merge" in its specification): maps by key, lists appended, equal entries once,
// and what has an identity (a port, the target of a volume, …) replaced; commands replaced; !override replaces all
// of `base`, !reset stays for without_resets(). Both are canonical; neither changes. `what` is the key that both are the
// values of: "services" for a map of services.
Node* merge_compose(ComposeTree& tree, const Node& base, const Node& over, std::string_view what);

// Whether two canonical values say the same.
bool is_same_compose(ComposeTree& tree, const Node& one, const Node& other);

// `node` without what !reset takes away; the node itself where nothing is.
Node* without_resets(ComposeTree& tree, Node& node);
// `node` whose values replace nothing any more: of a service that another extends. The node itself where none does.
Node* without_overrides(ComposeTree& tree, Node& node);

// Leaves the services that are not wanted out of a merged file: those whose profiles are not named by COMPOSE_PROFILES,
// unless one that is taken requires them; also dependencies on what is left out, where they are not required.
void select_services(ComposeWorld& world, Node& file);

// A merged file in our own words: {services, volumes, networks}, of which the last two hold what the services use.
Node* lower_compose(ComposeWorld& world, const Node& file);

} // namespace gantry::pipeline::native
