#include "pipeline/frontend/include.hpp"

#include "pipeline/frontend/repository_file.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace gantry::pipeline::native {

namespace {

class Includer {
public:
    Includer(const ReadFile& read_file, NodePool& pool, Sources& sources, Diagnostics& diagnostics)
        : read_file_(read_file), pool_(pool), sources_(sources), diagnostics_(diagnostics)
    {
    }

    // `from` is the include's node, null for the first file.
    Node* load(const std::string& path, const Node* from)
    {
        const auto text = read(path, from);
        if (!text)
            return nullptr;
        const auto index = static_cast<int>(sources_.size());
        text_bytes_ += text->size();
        if (from && text_bytes_ > k_max_text_bytes) {
            report(*from, "limit", fmt::format("the files have more than {} bytes together", k_max_text_bytes));
            return nullptr;
        }
        sources_.push_back({path, *text});
        Node* root = read_yaml(sources_.back(), index, pool_, diagnostics_);
        if (!root)
            return nullptr;
        if (!root->is_map()) {
            report(*root, "wrong-type", "a pipeline is a map (key: value)", "start with image: and steps:");
            return nullptr;
        }
        open_.push_back(path);
        Node* merged = with_includes(*root);
        open_.pop_back();
        return merged;
    }

private:
    void report(const Node& node, std::string code, std::string message, std::string hint = {})
    {
        const auto& text = sources_[static_cast<std::size_t>(node.mark.file)].text;
        diagnostics_.push_back({Severity::error, std::move(code), std::move(message), node.mark, extent(node, text), "include",
                                std::move(hint)});
    }

    std::optional<std::string> read(const std::string& path, const Node* from)
    {
        auto file = read_repository_file(read_file_, path);
        if (file.text)
            return std::move(file.text);
        if (file.is_missing && from)
            file.hint = "paths start at the root of the repository";
        if (from) {
            report(*from, "include", file.problem, file.hint);
        } else {
            sources_.push_back({path, ""});
            diagnostics_.push_back({Severity::error, "missing-file", file.problem, {0, 0, 0}, 1, "", file.hint});
        }
        return std::nullopt;
    }

    Node* with_includes(Node& root)
    {
        const Node* include = root.find("include");
        if (!include)
            return &root;
        Node* base = nullptr;
        if (include->is_list()) {
            for (const Node* item : include->items)
                base = merge(base, included(*item));
        } else {
            base = included(*include);
        }
        return merge(base, &root);
    }

    Node* included(const Node& node)
    {
        if (!node.is_scalar() || node.text.empty()) {
            report(node, "wrong-type", "'include' takes paths of files in this repository", "write include: [ci/common.yml]");
            return nullptr;
        }
        const auto path = repository_path("", node.text);
        if (!path || *path == ".")
            report(node, "include", fmt::format("'{}' is outside of the repository", clip(node.text)), "write a path inside it, from its root");
        else if (std::find(open_.begin(), open_.end(), *path) != open_.end())
            report(node, "include", fmt::format("'{}' includes itself", clip(*path)), join(open_, " → ") + " → " + *path);
        else if (++includes_ > k_max_includes)
            report(node, "limit", fmt::format("more than {} includes", k_max_includes));
        else
            return load(*path, &node);
        return nullptr;
    }

    Node* copy(const Node& node) { return &pool_.emplace_back(node); }

    // What a map is, as far as that says what its keys mean.
    enum class Kind { top, stage, container, services, other };

    static Kind kind_below(Kind kind, std::string_view key)
    {
        if (kind == Kind::services)
            return Kind::container;
        if ((kind == Kind::top || kind == Kind::stage) && key == "services")
            return Kind::services;
        return kind == Kind::top && key == "defaults" ? Kind::container : Kind::other;
    }

    static bool is_of_container(Kind kind) { return kind != Kind::services && kind != Kind::other; }

    // The one name of a key that has two.
    static std::string_view canonical(Kind kind, std::string_view key)
    {
        return is_of_container(kind) && key == "env" ? "environment" : key;
    }

    // What `over` says by one name, `base` does not say by another: limits have a name of their own and one in a section, and the
    // network is named by one of two keys, but at the top, where `networks` declares them.
    void drop_what_is_said(Node& base, const Node& over, Kind kind)
    {
        if (kind != Kind::top && over.find("network_mode"))
            drop(base, "networks");
        if (kind != Kind::top && over.find("networks"))
            drop(base, "network_mode");
        struct Limit {
            const char *key, *section, *inside;
        };
        constexpr Limit k_limits[] = {{"cpus", "resources", "cpus"},
                                      {"mem_limit", "resources", "memory"},
                                      {"pids_limit", "resources", "pids"},
                                      {"device_read_iops", "blkio_config", "device_read_iops"},
                                      {"device_write_iops", "blkio_config", "device_write_iops"}};
        for (const auto& limit : k_limits) {
            if (const Node* section = over.find(limit.section); section && section->find(limit.inside))
                drop(base, limit.key);
            if (!over.find(limit.key))
                continue;
            for (std::size_t i = 0; i < base.pairs(); ++i)
                if (base.key(i).text == limit.section && base.value(i).find(limit.inside)) {
                    base.items[2 * i + 1] = copy(base.value(i));
                    drop(base.value(i), limit.inside);
                }
        }
    }

    static void drop(Node& map, std::string_view key)
    {
        for (std::size_t i = 0; i < map.pairs(); ++i)
            if (map.key(i).text == key) {
                const auto at = map.items.begin() + static_cast<std::ptrdiff_t>(2 * i);
                map.items.erase(at, at + 2);
                return;
            }
    }

    // `over` wins. Both may be null; what is shared by aliases is copied before it changes.
    Node* merge(Node* base, Node* over, Kind kind = Kind::top)
    {
        if (!base || !over)
            return over ? over : base;
        if (!base->is_map() || !over->is_map())
            return over;
        Node* merged = copy(*base);
        merged->mark = over->mark;
        merged->offset = over->offset;
        if (is_of_container(kind))
            drop_what_is_said(*merged, *over, kind);
        std::unordered_map<std::string_view, std::size_t> places;
        for (std::size_t i = 0; i < merged->pairs(); ++i)
            places.emplace(canonical(kind, merged->key(i).text), i);
        for (std::size_t i = 0; i < over->pairs(); ++i) {
            const auto name = canonical(kind, over->key(i).text);
            const auto place = places.find(name);
            if (place == places.end()) {
                merged->items.insert(merged->items.end(), {&over->key(i), &over->value(i)});
                continue;
            }
            const auto at = place->second;
            places.erase(place); // two names of one key in one file stay two
            Node& old = merged->value(at);
            merged->items[2 * at] = &over->key(i);
            merged->items[2 * at + 1] = kind == Kind::top && name == "stages" && old.is_list() && over->value(i).is_list()
                                            ? merge_stages(old, over->value(i))
                                            : merge(&old, &over->value(i), kind_below(kind, name));
        }
        return merged;
    }

    Node* merge_stages(const Node& base, const Node& over)
    {
        Node* merged = copy(base);
        merged->mark = over.mark;
        merged->offset = over.offset;
        const auto name_of = [](const Node* stage) {
            const Node* name = stage->find("name");
            return name && name->is_scalar() ? std::string_view(name->text) : std::string_view();
        };
        std::unordered_map<std::string_view, std::size_t> places;
        for (std::size_t i = 0; i < merged->items.size(); ++i)
            places.emplace(name_of(merged->items[i]), i);
        for (Node* stage : over.items) {
            const auto place = places.find(name_of(stage));
            if (place == places.end() || place->first.empty())
                merged->items.push_back(stage);
            else
                merged->items[place->second] = merge(merged->items[place->second], stage, Kind::stage);
        }
        return merged;
    }

    const ReadFile& read_file_;
    NodePool& pool_;
    Sources& sources_;
    Diagnostics& diagnostics_;
    std::vector<std::string> open_; // files that are being read, outermost first
    int includes_ = 0;
    std::size_t text_bytes_ = 0;
};

} // namespace

Node* read_with_includes(const std::string& path, const ReadFile& read_file, NodePool& pool, Sources& sources,
                         Diagnostics& diagnostics)
{
    Includer includer(read_file, pool, sources, diagnostics);
    return includer.load(path, nullptr);
}

} // namespace gantry::pipeline::native
