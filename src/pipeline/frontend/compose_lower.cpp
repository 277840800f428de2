#include "pipeline/frontend/compose_mounts.hpp"
#include "pipeline/frontend/compose_service.hpp"
#include "pipeline/frontend/container_types.hpp"
#include "pipeline/frontend/model_types.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include <fmt/format.h>

// A merged Compose file in our own words.

namespace gantry::pipeline::native {

namespace {

constexpr const char* k_one_meaning = "in a pipeline a name means the same to all services";

class FileLowering {
public:
    FileLowering(ComposeWorld& world, const Node& file) : world_(world), file_(file), granted_(world, file) {}

    Node* run(const Node& services)
    {
        Node* result = world_.tree.map(file_);
        Node* lowered = lower_services(services);
        put(world_.tree, *result, "services", *lowered);
        put(world_.tree, *result, "volumes", *declarations<VolumeDeclarationsType>("volumes", volumes_used(*lowered)));
        put(world_.tree, *result, "networks", *declarations<NetworkDeclarationsType>("networks", networks_used(*lowered)));
        return result;
    }

private:
    Node* lower_services(const Node& services)
    {
        const Reader::Inside inside(world_.reader, key_of(file_, "services"));
        for (std::size_t i = 0; i < services.pairs(); ++i)
            lower_service(services.key(i), services.value(i));
        for (std::size_t i = 0; i < services_.size(); ++i)
            for (int number = 1; services_[i].replicas > 1 && number <= services_[i].replicas; ++number)
                further_names_.emplace(replica(services_[i].key->text, number), i);
        for (std::size_t i = 0; i < services_.size(); ++i)
            if (services_[i].replicas > 0 && !services_[i].service->find("network_mode"))
                std::erase_if(services_[i].aliases, [&](const FurtherName& name) { return !claim(services_[i], name, i); });
        for (const auto& service : services_)
            pass_names_on(service);
        Node* lowered = world_.tree.map(services);
        for (auto& service : services_)
            add(*lowered, service);
        return lowered;
    }

    void lower_service(Node& key, const Node& from)
    {
        const Reader::Inside inside(world_.reader, key);
        ComposeService service{world_, file_, from, &key, world_.tree.map(from)};
        lower_keys(service, from, compose_service_keys(), "a service", *service.service);
        lower_mounts(world_, granted_, from, *service.service);
        const Node* named = from.find("container_name");
        if (service.replicas > 1 && named)
            world_.reader.error(*named, "conflict", fmt::format("{} containers cannot have one name", service.replicas),
                                "leave container_name out");
        if (service.replicas > 1)
            check_ports(service);
        places_.emplace(key.text, services_.size());
        services_.push_back(std::move(service));
    }

    // A port of the host is given away once; of a range for one port, each container gets one.
    void check_ports(const ComposeService& service)
    {
        const Node* ports = service.from.find("ports");
        if (!ports || !ports->is_list())
            return;
        const Reader::Inside inside(world_.reader, key_of(service.from, "ports"));
        for (std::size_t i = 0; i < ports->items.size(); ++i) {
            const Reader::Inside inside_of_list(world_.reader, i);
            const Node& port = *ports->items[i];
            PortMapping mapping;
            if (!PortType::read(world_.reader, port, mapping) || mapping.published.empty())
                continue;
            const int count = count_ports(mapping.published);
            if (count_ports(mapping.target) == 1 && count >= service.replicas)
                continue;
            const bool is_range = count_ports(mapping.target) == 1 && count > 1;
            world_.reader.error(port, "conflict",
                                is_range ? fmt::format("{} containers cannot share {} ports of the host", service.replicas, count)
                                         : fmt::format("{} containers cannot have one port of the host", service.replicas),
                                "leave the port of the host out, and the engine picks one for each");
        }
    }

    // The names by which others link to it.
    void pass_names_on(const ComposeService& from)
    {
        for (const auto& link : from.links) {
            const auto place = places_.find(link.service);
            if (place == places_.end())
                continue; // it is in depends_on, too, and told of there
            if (claim(from, link.name, place->second))
                services_[place->second].aliases.push_back(link.name);
        }
    }

    // False, with an error, when the name that `by` gives means another service already. As LinkNames of the checks has it.
    bool claim(const ComposeService& by, const FurtherName& name, std::size_t service)
    {
        const Reader::Inside inside(world_.reader, *by.key);
        const Reader::Inside inside_of_key(world_.reader, key_of(by.from, name.key));
        const auto of_service = places_.find(name.name);
        const auto [first, is_new] = further_names_.emplace(name.name, service);
        const bool is_other = of_service != places_.end() && of_service->second != service;
        if (is_other)
            world_.reader.error(*name.at, "conflict", fmt::format("'{}' is the name of another service", clip(name.name)), k_one_meaning);
        else if (first->second != service)
            world_.reader.error(*name.at, "conflict",
                                fmt::format("'{}' is a further name of the service '{}', too", clip(name.name),
                                            clip(services_[first->second].key->text)),
                                k_one_meaning);
        return !is_other && first->second == service;
    }

    // Steps are on the stage's own network, so every service is there, too; its further names are good in all networks.
    void join_networks(ComposeService& service)
    {
        Node* given = service.service->find("networks");
        const bool has_mode = service.service->find("network_mode") != nullptr;
        if (has_mode || (given && !given->is_map()) || (!given && service.aliases.empty()))
            return;
        Node* networks = given ? world_.tree.copy(*given) : world_.tree.map(*service.key);
        if (!networks->find("default"))
            put(world_.tree, *networks, "default", *world_.tree.null(*networks));
        for (std::size_t i = 0; !service.aliases.empty() && i < networks->pairs(); ++i)
            networks->items[2 * i + 1] = with_aliases(networks->value(i), service.aliases);
        put(world_.tree, *service.service, "networks", *networks);
    }

    Node* with_aliases(const Node& network, const std::vector<FurtherName>& names)
    {
        if (!network.is_map() && !network.is_null())
            return world_.tree.copy(network);
        Node* map = network.is_map() ? world_.tree.copy(network) : world_.tree.map(network);
        const Node* old = map->find("aliases");
        Node* aliases = old && old->is_list() ? world_.tree.copy(*old) : world_.tree.list(network);
        std::unordered_set<std::string_view> known;
        for (const Node* alias : aliases->items)
            known.insert(alias->text);
        for (const auto& name : names)
            if (known.insert(name.name).second)
                aliases->items.push_back(world_.tree.scalar(name.name, *name.at));
        put(world_.tree, *map, "aliases", *aliases);
        return map;
    }

    // ---- replicas: "web-1", "web-2", … that are all found as "web"

    static std::string replica(const std::string& name, int number) { return fmt::format("{}-{}", name, number); }

    int replicas_of(const std::string& name) const
    {
        const auto place = places_.find(name);
        return place == places_.end() ? 1 : services_[place->second].replicas;
    }

    void add(Node& lowered, ComposeService& service)
    {
        refer_to_replicas(*service.service);
        if (service.replicas == 1) {
            join_networks(service);
            add_named(lowered, *service.key, *service.service);
            return;
        }
        service.aliases.push_back({service.key->text, service.key, ""});
        join_networks(service);
        for (int number = 1; number <= service.replicas; ++number)
            add_named(lowered, *world_.tree.scalar(replica(service.key->text, number), *service.key), *service.service);
    }

    void add_named(Node& lowered, Node& key, Node& service)
    {
        if (!names_.insert(key.text).second)
            world_.reader.error(key, "duplicate-name",
                                fmt::format("a replica and another service are both called '{}'", clip(key.text)));
        else
            lowered.items.insert(lowered.items.end(), {&key, &service});
    }

    void refer_to_replicas(Node& service)
    {
        const Node* needs = service.find("depends_on");
        if (needs && needs->is_map()) {
            Node* expanded = world_.tree.map(*needs);
            for (std::size_t i = 0; i < needs->pairs(); ++i) {
                Node& key = needs->key(i);
                const int count = replicas_of(key.text);
                for (int number = 1; number <= count; ++number) {
                    Node* name = count == 1 ? &key : world_.tree.scalar(replica(key.text, number), key);
                    expanded->items.insert(expanded->items.end(), {name, &needs->value(i)});
                }
            }
            put(world_.tree, service, "depends_on", *expanded);
        }
        if (const Node* mode = service.find("network_mode");
            mode && mode->text.starts_with("service:") && replicas_of(mode->text.substr(8)) > 1)
            put(world_.tree, service, "network_mode", *world_.tree.scalar(replica(mode->text, 1), *mode));
        if (const Node* from = service.find("volumes_from"); from && from->is_list())
            put(world_.tree, service, "volumes_from", *first_replicas(*from));
    }

    Node* first_replicas(const Node& list)
    {
        Node* result = world_.tree.copy(list);
        for (Node*& item : result->items) {
            const auto name = item->text.substr(0, item->text.find(':'));
            if (replicas_of(name) > 1)
                item = world_.tree.scalar(replica(name, 1) + item->text.substr(name.size()), *item);
        }
        return result;
    }

    // ---- volumes and networks

    static std::unordered_set<std::string_view> volumes_used(const Node& services)
    {
        std::unordered_set<std::string_view> names;
        for (std::size_t i = 0; i < services.pairs(); ++i) {
            const Node* mounts = services.value(i).find("volumes");
            for (std::size_t j = 0; mounts && mounts->is_list() && j < mounts->items.size(); ++j)
                if (const Node* source = mounts->items[j]->find("source"))
                    names.insert(source->text);
        }
        return names;
    }

    static std::unordered_set<std::string_view> networks_used(const Node& services)
    {
        std::unordered_set<std::string_view> names{"default"};
        for (std::size_t i = 0; i < services.pairs(); ++i) {
            const Node* networks = services.value(i).find("networks");
            for (std::size_t j = 0; networks && networks->is_map() && j < networks->pairs(); ++j)
                names.insert(networks->key(j).text);
        }
        return names;
    }

    // What is used; the rest is left out, but what it says has to be right.
    template <class Type> Node* declarations(const char* kind, const std::unordered_set<std::string_view>& used)
    {
        const Reader::Inside inside(world_.reader, key_of(file_, kind));
        Node* result = world_.tree.map(file_);
        Node* unused = world_.tree.map(file_);
        const Node* declared = file_.find(kind);
        for (std::size_t i = 0; declared && declared->is_map() && i < declared->pairs(); ++i) {
            Node& key = declared->key(i);
            const Reader::Inside inside_of_it(world_.reader, key);
            Node* declaration = declaration_of(declared->value(i), key);
            Node* list = used.count(key.text) > 0 ? result : unused;
            if (std::string_view(kind) == "networks" && key.text == "default")
                check_default(*declaration);
            else
                list->items.insert(list->items.end(), {&key, declaration});
        }
        world_.tree.charge(*unused);
        typename Type::Value left_out;
        Type::read(world_.reader, *unused, left_out);
        return result;
    }

    Node* declaration_of(const Node& from, const Node& key)
    {
        Node* made = from.is_map() ? world_.tree.copy(from) : world_.tree.map(key);
        if (!from.is_map() && !from.is_null())
            world_.reader.error(from, "wrong-type", fmt::format("'{}' must be a map (key: value)", clip(key.text)),
                                "write {} for the defaults");
        const Node* external = made->find("external");
        if (external && external->is_map()) { // of version 2: external: {name: …}
            if (Node* name = external->find("name"))
                put(world_.tree, *made, "name", *name);
            put(world_.tree, *made, "external", *world_.tree.scalar("true", *external));
            external = made->find("external");
        }
        if (!external || loose_boolean(external->text) != true) {
            drop_name(*made);
            put(world_.tree, *made, "scope", *world_.tree.scalar("stage", key));
        }
        return made;
    }

    void drop_name(Node& declaration)
    {
        const auto& key = key_of(declaration, "name");
        if (&key == &declaration)
            return;
        const Reader::Inside inside(world_.reader, key);
        world_.reader.warning(key, "no-effect", "'name' has no effect in a pipeline: the engine gets a name that is of this run alone",
                              "with external: true it names what exists already");
        remove(declaration, "name");
    }

    // The stage's own network is made by us.
    void check_default(const Node& declaration)
    {
        for (std::size_t i = 0; i < declaration.pairs(); ++i) {
            const auto& name = declaration.key(i).text;
            const bool harmless = is_word_of("labels attachable scope", name) || name.starts_with("x-") ||
                                  (name == "driver" && declaration.value(i).text == "bridge");
            if (!harmless)
                world_.reader.error(declaration.key(i), "unsupported",
                                    fmt::format("'{}' of the network 'default' is not supported", clip(name)),
                                    "it is the stage's own; declare another network, and let the services join it");
        }
    }

    ComposeWorld& world_;
    const Node& file_;
    GrantSources granted_;
    std::vector<ComposeService> services_;
    std::unordered_map<std::string_view, std::size_t> places_;
    std::unordered_map<std::string, std::size_t> further_names_; // who they mean, as in services_
    std::unordered_set<std::string_view> names_;
};

} // namespace

Node* lower_compose(ComposeWorld& world, const Node& file)
{
    return FileLowering(world, file).run(*file.find("services"));
}

} // namespace gantry::pipeline::native
