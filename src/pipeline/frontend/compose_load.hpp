#pragma once

#include "pipeline/frontend/compose.hpp"
#include "pipeline/frontend/compose_tree.hpp"

#include <map>
#include <string_view>
#include <unordered_map>

namespace gantry::pipeline::native {

// What the stages' loaders share: which of the sources holds a file, by path, and how much has been parsed.
struct ComposeTexts {
    std::map<std::string, int> indices;
    std::size_t bytes = 0;
};

// Reads the Compose files of one stage into one tree: `include` and `extends` carried out, files merged in their order.
class ComposeLoader {
public:
    ComposeLoader(const ComposeInput& input, ComposeWorld& world, ComposeTexts& texts)
        : input_(input), world_(world), texts_(texts)
    {
    }

    // `files`: nodes of `compose`, with paths from the root of the repository. Null pointer when nothing can be made of
    // them; everything that is wrong has been reported. Throws ComposeLimit.
    Node* load(const std::vector<const Node*>& files);

private:
    // A file as it is read from a place: relative paths start at `folder`.
    struct File {
        std::string path, folder;
        auto operator<=>(const File&) const = default;
    };
    struct Service {
        File file;
        std::string name;
        auto operator<=>(const Service&) const = default;
    };

    Node* parse(const std::string& path, const Node& from);
    Node* canonical(const Node& root, const std::string& folder);
    void put_contexts(Node& document, const std::string& folder);
    // Canonical, without `include` and `extends` carried out.
    Node* document(const File& file, const Node& from);
    Node* complete(const File& file, const Node& from);
    Node* included(const Node& include, const File& file);
    Node* included_file(const Node& path, const File& file);
    static std::string folder_of_include(const Node& include, const File& file);
    Node* combine(const Node& other, const Node& own);
    void extend_all(Node& document, const File& file);
    Node* extended(const Service& service, const Node& own, std::vector<Service>& open);
    const Node* service_of(const Node& services, const std::string& name);
    const Node* base_of(const Service& service, const Node& extends, std::vector<Service>& open);

    const ComposeInput& input_;
    ComposeWorld& world_;
    ComposeTexts& texts_;
    std::map<File, Node*> documents_;
    std::map<Service, Node*> extended_;
    std::map<const Node*, std::unordered_map<std::string_view, const Node*>> services_; // of what is extended, by name
    std::vector<std::string> open_files_; // that include each other, outermost first
    int files_ = 0;
};

} // namespace gantry::pipeline::native
