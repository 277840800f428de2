#include "pipeline/frontend/compose_load.hpp"

#include "pipeline/frontend/compose_service.hpp"
#include "pipeline/frontend/repository_file.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include <fmt/format.h>

#include <algorithm>

// `extends`: services that start as another one, of the same file or of another.

namespace gantry::pipeline::native {

namespace {

constexpr std::size_t k_max_extends = 32; // in a row

bool has_known_keys(Reader& reader, const Node& service, const Node& extends)
{
    const Reader::Inside inside(reader, key_of(service, "extends"));
    bool good = true;
    for (std::size_t i = 0; i < extends.pairs(); ++i) {
        const Node& key = extends.key(i);
        if (is_word_of("file service", key.text) || key.text.starts_with("x-"))
            continue;
        const Reader::Inside inside_of_it(reader, key);
        report_unknown_key(reader, key, {"file", "service"}, "extends");
        good = false;
    }
    return good;
}

} // namespace

// `services` are as they stand in a file, and do not change.
const Node* ComposeLoader::service_of(const Node& services, const std::string& name)
{
    const auto [known, is_new] = services_.try_emplace(&services);
    for (std::size_t i = 0; is_new && services.is_map() && i < services.pairs(); ++i)
        known->second.emplace(services.key(i).text, &services.value(i));
    const auto found = known->second.find(name);
    return found == known->second.end() ? nullptr : found->second;
}

const Node* ComposeLoader::base_of(const Service& service, const Node& extends, std::vector<Service>& open)
{
    auto& reader = world_.reader;
    const Node* name = extends.is_map() ? extends.find("service") : &extends;
    const Node* path = extends.is_map() ? extends.find("file") : nullptr;
    if (!name || !name->is_scalar() || (path && !path->is_scalar())) {
        reader.error(extends, "bad-value", "'extends' names a service",
                     "write extends: { service: base }, with file: common.yml for another file's");
        return nullptr;
    }
    File file = service.file;
    if (path) {
        const auto in_repository = repository_path(file.folder, path->text);
        if (!in_repository) {
            reader.error(*path, "include", fmt::format("'{}' is outside of the repository", clip(path->text)),
                         "write a path inside it");
            return nullptr;
        }
        file = {*in_repository, folder_of(*in_repository)};
    }
    const Node* document = this->document(file, path ? *path : *name);
    if (!document)
        return nullptr;
    const Node* services = document->find("services");
    const Node* base = services ? service_of(*services, name->text) : nullptr;
    if (!base) {
        reader.error(
            *name, "unknown-service",
            fmt::format("there is no service '{}' in {}", clip(name->text), path ? clip(file.path) : "this file"));
        return nullptr;
    }
    const Service next{file, name->text};
    if (std::find(open.begin(), open.end(), next) != open.end() || open.size() > k_max_extends) {
        reader.error(*name, "cycle",
                     open.size() > k_max_extends ? fmt::format("more than {} services extend each other", k_max_extends)
                                                 : fmt::format("'{}' extends itself", clip(name->text)));
        return nullptr;
    }
    return extended(next, *base, open);
}

Node* ComposeLoader::extended(const Service& service, const Node& own, std::vector<Service>& open)
{
    if (const auto found = extended_.find(service); found != extended_.end())
        return found->second;
    Node* result = world_.tree.copy(own);
    if (const Node* extends = own.find("extends"); extends && extends->merge != Node::Merge::reset) {
        remove(*result, "extends");
        open.push_back(service);
        const bool is_clear = !extends->is_map() || has_known_keys(world_.reader, own, *extends);
        if (const Node* base = is_clear ? base_of(service, *extends, open) : nullptr)
            result = merge_compose(world_.tree, *without_overrides(world_.tree, *world_.tree.copy(*base)), *result, "");
        else if (!result->find("image") && !result->find("build"))
            put(world_.tree, *result, "image", *world_.tree.scalar("unknown", *extends)); // that it is missing is no news
        open.pop_back();
    }
    extended_.emplace(service, result);
    return result;
}

void ComposeLoader::extend_all(Node& document, const File& file)
{
    Node* services = document.find("services");
    if (!services)
        return;
    const Reader::Inside inside(world_.reader, key_of(document, "services"));
    Node* result = world_.tree.copy(*services);
    for (std::size_t i = 0; i < result->pairs(); ++i) {
        const Reader::Inside services_path(world_.reader, result->key(i));
        std::vector<Service> open;
        result->items[2 * i + 1] = extended({file, result->key(i).text}, result->value(i), open);
    }
    put(world_.tree, document, "services", *result);
}

} // namespace gantry::pipeline::native
