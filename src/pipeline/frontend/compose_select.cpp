#include "pipeline/frontend/compose_tree.hpp"

#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>

// Which services of a file are taken, and in which order they need each other.

namespace gantry::pipeline::native {

namespace {

bool is_false(const Node* node) { return node && node->is_scalar() && loose_boolean(node->text) == false; }

// The service that "service:db" names; empty: none.
std::string service_of(std::string_view text)
{
    return text.starts_with("service:") ? std::string(text.substr(8)) : "";
}

class Selection {
public:
    Selection(ComposeWorld& world, Node& services) : world_(world), services_(services)
    {
        for (std::size_t i = 0; i < services.pairs(); ++i)
            places_.emplace(services.key(i).text, i);
        const auto* text = world.find("COMPOSE_PROFILES");
        if (text && !text->is_literal())
            world.reader.error(
                services, "bad-value",
                "COMPOSE_PROFILES has '${{ }}', but which services there are is settled before that is computed",
                "write the profiles themselves");
        for (const auto& profile : split(text && text->is_literal() ? text->literal() : "", ','))
            active_.insert(std::string(trim(profile)));
    }

    void run()
    {
        for (std::size_t i = 0; i < services_.pairs(); ++i) {
            const Reader::Inside inside(world_.reader, services_.key(i));
            add_implied(i);
            if (const Node* profiles = services_.value(i).find("profiles"); profiles && !profiles->is_list())
                world_.reader.error(*profiles, "wrong-type", "'profiles' must be a list", "write [debug]");
        }
        for (std::size_t i = 0; i < services_.pairs(); ++i)
            if (is_active(services_.value(i)))
                take(i);
        std::vector<Node*> kept;
        for (std::size_t i = 0; i < services_.pairs(); ++i) {
            if (taken_.count(i) == 0)
                continue;
            drop_left_out(services_.value(i));
            kept.insert(kept.end(), {&services_.key(i), &services_.value(i)});
        }
        services_.items = std::move(kept);
    }

private:
    // What a service shares with another one, or calls it, needs that one first.
    void add_implied(std::size_t index)
    {
        Node& service = services_.value(index);
        const Node* needs = service.find("depends_on");
        if (needs && !needs->is_map())
            return;
        Node* changed = needs ? world_.tree.copy(*needs) : world_.tree.map(service);
        MapEditor editor(*changed);
        const auto imply = [&](const Node& at, const std::string& name) {
            if (!name.empty() && !editor.find(name))
                editor.put(*world_.tree.scalar(name, at), *world_.tree.null(at));
        };
        const auto each = [&](const char* key, const auto& name_of) {
            const Node* list = service.find(key);
            for (std::size_t i = 0; list && list->is_list() && i < list->items.size(); ++i)
                if (list->items[i]->is_scalar())
                    imply(*list->items[i], name_of(list->items[i]->text));
        };
        const auto before_colon = [](const std::string& text) { return text.substr(0, text.find(':')); };
        each("links", before_colon);
        each("volumes_from",
             [&](const std::string& text) { return text.starts_with("container:") ? "" : before_colon(text); });
        if (const Node* mode = service.find("network_mode"); mode && mode->is_scalar())
            imply(*mode, service_of(mode->text));
        if (!changed->items.empty())
            put(world_.tree, service, "depends_on", *changed);
    }

    bool is_active(const Node& service)
    {
        const Node* profiles = service.find("profiles");
        if (!profiles || !profiles->is_list() || profiles->items.empty() || active_.count("*") > 0)
            return true;
        return std::any_of(profiles->items.begin(), profiles->items.end(),
                           [&](const Node* profile) { return active_.count(profile->text) > 0; });
    }

    void take(std::size_t index)
    {
        std::vector<std::size_t> open{index};
        while (!open.empty()) {
            const auto at = open.back();
            open.pop_back();
            if (!taken_.insert(at).second)
                continue;
            const Node* needs = services_.value(at).find("depends_on");
            for (std::size_t i = 0; needs && needs->is_map() && i < needs->pairs(); ++i) {
                const auto place = places_.find(needs->key(i).text);
                if (place != places_.end() && !is_false(needs->value(i).find("required")))
                    open.push_back(place->second);
            }
        }
    }

    void drop_left_out(Node& service)
    {
        Node* needs = service.find("depends_on");
        if (!needs || !needs->is_map())
            return;
        Node* kept = world_.tree.map(*needs);
        for (std::size_t i = 0; i < needs->pairs(); ++i) {
            const auto place = places_.find(needs->key(i).text);
            const bool is_there = place != places_.end() && taken_.count(place->second) > 0;
            if (is_there || !is_false(needs->value(i).find("required")))
                kept->items.insert(kept->items.end(), {&needs->key(i), &needs->value(i)});
        }
        put(world_.tree, service, "depends_on", *kept);
    }

    ComposeWorld& world_;
    Node& services_;
    std::unordered_map<std::string_view, std::size_t> places_;
    std::unordered_set<std::string> active_;
    std::unordered_set<std::size_t> taken_;
};

} // namespace

void select_services(ComposeWorld& world, Node& file)
{
    const Reader::Inside inside(world.reader, key_of(file, "services"));
    if (Node* services = file.find("services"))
        Selection(world, *services).run();
}

} // namespace gantry::pipeline::native
