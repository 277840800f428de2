#include "pipeline/frontend/container_types.hpp"
#include "pipeline/frontend/model_types.hpp"
#include "pipeline/frontend/word_list.hpp"
#include "pipeline/frontend/yaml_problems.hpp"
#include "pipeline/subnet.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>

// What stands at the top of a file: the pipeline's own keys, declarations, defaults, and the short form.

namespace gantry::pipeline::native {

namespace {

using Options = SortedType<MapType<ScalarType>>;
using Labels = SortedType<FixedLabelsType>;

// ---- volumes and networks

const Words k_scopes{{"run", "stage"}, "a scope"};
using ScopeType = EnumType<DeclarationScope, k_scopes>;
constexpr const char* k_scope_doc = "run (default): one for all stages; stage: each stage has its own.";

const ObjectKeys& volume_keys()
{
    static const Key rows[] = {
        key<StringType, &VolumeDeclaration::driver>("driver", "The volume driver."),
        key<Options, &VolumeDeclaration::driver_opts>("driver_opts", "The driver's options."),
        key<Labels, &VolumeDeclaration::labels>("labels", "Labels of the volume."),
        key<StringType, &VolumeDeclaration::external_name>("name", "Its name on the engine."),
        key<BooleanType, &VolumeDeclaration::external>("external", "It exists already and stays."),
        key<ScopeType, &VolumeDeclaration::scope>("scope", k_scope_doc),
    };
    static const ObjectKeys keys{"volume_declaration", "a volume", {{rows}}};
    return keys;
}

const ObjectKeys& subnet_keys()
{
    static const Key rows[] = {
        key<RuledStringType<k_subnet_rule>, &NetworkDeclaration::Subnet::subnet>("subnet", "In CIDR form: 172.28.0.0/16."),
        key<RuledStringType<k_address_rule>, &NetworkDeclaration::Subnet::gateway>("gateway", "Address of the gateway."),
        key<RuledStringType<k_subnet_rule>, &NetworkDeclaration::Subnet::ip_range>("ip_range", "Range that addresses are taken from."),
    };
    const auto marks = [](void* subnet) -> std::map<std::string, Mark>* {
        return &static_cast<NetworkDeclaration::Subnet*>(subnet)->marks;
    };
    static const ObjectKeys keys{"subnet", "a subnet", {{rows, nullptr, marks}}};
    return keys;
}

const Words k_ipam_drivers{{"default"}, "a driver of addresses"};

const ObjectKeys& ipam_keys()
{
    using Subnets = ListType<ObjectType<NetworkDeclaration::Subnet, subnet_keys>>;
    static const Key rows[] = {
        key<Subnets, &NetworkDeclaration::ipam>("config", "The subnets."),
        whole<UnkeptType<WordType<k_ipam_drivers>, NetworkDeclaration>>("driver", "default: the engine's own."),
    };
    static const ObjectKeys keys{"ipam", "ipam", {{rows}}};
    return keys;
}

struct IpamType { // fills the network it stands in
    using Value = NetworkDeclaration;
    static bool read(Reader& reader, const Node& node, Value& value) { return read_object(reader, node, ipam_keys(), &value); }
    static Out write(const Value& value) { return value.ipam.empty() ? Out() : write_object(ipam_keys(), &value); }
    static Out schema(SchemaBuilder& builder) { return builder.ref(ipam_keys()); }
};

const ObjectKeys& network_keys()
{
    static const Key rows[] = {
        key<StringType, &NetworkDeclaration::driver>("driver", "The network driver."),
        key<Options, &NetworkDeclaration::driver_opts>("driver_opts", "The driver's options."),
        key<Labels, &NetworkDeclaration::labels>("labels", "Labels of the network."),
        key<StringType, &NetworkDeclaration::external_name>("name", "Its name on the engine."),
        key<BooleanType, &NetworkDeclaration::internal>("internal", "It has no way out."),
        key<BooleanType, &NetworkDeclaration::attachable>("attachable", "Other containers may join it."),
        key<BooleanType, &NetworkDeclaration::external>("external", "It exists already and stays."),
        key<BooleanType, &NetworkDeclaration::enable_ipv6>("enable_ipv6", "It has IPv6 addresses, too."),
        whole<IpamType>("ipam", "Its addresses."),
        key<ScopeType, &NetworkDeclaration::scope>("scope", k_scope_doc),
    };
    static const ObjectKeys keys{"network_declaration", "a network", {{rows}}};
    return keys;
}

// What exists already is as whoever made it wants it.
void check_external(Reader& reader, const Node& declaration, const ObjectKeys& keys)
{
    const auto known = all_keys(keys);
    for (std::size_t i = 0; i < declaration.pairs(); ++i) {
        const auto& key = declaration.key(i);
        const bool is_known = std::any_of(known.begin(), known.end(), [&](const FoundKey& row) { return key.text == row.key->name; });
        if (key.text == "external" || key.text == "name" || !is_known) // unknown ones have been told of
            continue;
        const Reader::Inside inside(reader, key);
        reader.error(key, "conflict", fmt::format("'{}' and 'external: true' cannot stand together", clip(key.text)),
                     "it exists already and stays as it is: take one of them out");
    }
}

void check_own(Reader& reader, const Node& declaration, const ObjectKeys& keys)
{
    const Node* external = declaration.find("external");
    if (external && !is_word_of("false no off", to_lower(external->text))) // it is wrong, which has been said
        return;
    for (std::size_t i = 0; i < declaration.pairs(); ++i) {
        const auto& key = declaration.key(i);
        if (key.text != "name")
            continue;
        const Reader::Inside inside(reader, key);
        reader.error(key, "conflict", fmt::format("{} that belongs to the pipeline has no 'name'", keys.what),
                     "with external: true it names one that exists already; else leave it out: the engine gets a name that is of this run alone");
    }
}

template <class Item> bool read_declarations(Reader& reader, const Node& node, const ObjectKeys& keys, std::vector<Item>& value)
{
    if (!node.is_map()) {
        reader.wrong_type(
            node, "a map of declarations by name",
            node.is_list() ? "write name: {} for each; what is mounted or joined stands in steps, stages or 'defaults'"
                           : "write name: {}");
        return false;
    }
    for (std::size_t i = 0; i < node.pairs(); ++i) {
        const Reader::Inside inside(reader, node.key(i));
        Item item;
        item.mark = node.key(i).mark;
        if (!NameType::read(reader, node.key(i), item.name))
            continue;
        if (!node.value(i).is_null() && !read_object(reader, node.value(i), keys, &item))
            continue;
        const bool is_made_by_us = std::is_same_v<Item, NetworkDeclaration> && item.name == "default"; // see below
        if (item.external && !is_made_by_us)
            check_external(reader, node.value(i), keys);
        else if (!is_made_by_us)
            check_own(reader, node.value(i), keys);
        value.push_back(std::move(item));
    }
    return true;
}

template <class Item> Out write_declarations(const std::vector<Item>& value, const ObjectKeys& keys)
{
    Out map = Out::map();
    for (const auto& item : value)
        map.pairs.emplace_back(item.name, write_object(keys, &item));
    return map;
}

Out declarations_schema(SchemaBuilder& builder, const ObjectKeys& keys)
{
    Out schema = map_schema(either_schema({Out::map({{"type", Out("null")}}), builder.ref(keys)}));
    schema.set("propertyNames", Out::map({{"minLength", Out(1)}, {"maxLength", Out(128)}}));
    return schema;
}

// ---- defaults

const ObjectKeys& defaults_keys()
{
    static const Key rows[] = {
        key<FixedCommandType, &Defaults::shell>("shell", "The shell of every run, with options: [bash, -ec]."),
        key<RetryType, &Defaults::retry>("retry", "How steps are tried again, where they do not say."),
        key<TimeLimitType, &Defaults::timeout>("timeout", "How long a step may take, where it does not say."),
    };
    static const ObjectKeys keys{"defaults", "defaults", {{rows}, container_part<Defaults>(in_defaults)}};
    return keys;
}

// ---- the top

// Carried out on the tree before it is read (include.cpp); printed definitions have no includes left.
struct IncludeType {
    using Value = Definition;
    static bool read(Reader&, const Node&, Definition&) { return true; }
    static Out write(const Definition&) { return {}; }
    static Out schema(SchemaBuilder& builder) { return OneOrListType<NameType>::schema(builder); }
};

constexpr Key k_env = key<AssignmentsType, &Definition::env>("env", "Variables of every step.");

constexpr Key renamed(Key row, const char* name)
{
    row.name = name;
    return row;
}

const Key k_definition_keys[] = {
    key<NameType, &Definition::name>("name", "Name of the pipeline."),
    key<TriggersType, &Definition::on>("on", "What starts it; absent: every push and pull request, and by hand."),
    key<ConcurrencyType, &Definition::concurrency>("concurrency", "How many runs of its kind may run at a time."),
    key<TimeLimitType, &Definition::timeout>("timeout", "How long a run may take."),
    k_env,
    renamed(k_env, "environment").as_alias_of("env"),
    key<ObjectType<Defaults, defaults_keys>, &Definition::defaults>("defaults", "What steps have where neither they nor their stage say."),
    whole<IncludeType>("include", "Files of the repository that are merged first; keys of this file win."),
    key<VolumeDeclarationsType, &Definition::volumes>("volumes", "Named volumes."),
    key<NetworkDeclarationsType, &Definition::networks>("networks", "Networks beside the stage's own."),
    key<ListType<StageType>, &Definition::stages>("stages", "The stages, each with a name and steps."),
};

// Each stage's own network is made by us.
void check_default_network(Reader& reader, const Node& declaration)
{
    for (std::size_t i = 0; i < declaration.pairs(); ++i) {
        const auto& key = declaration.key(i);
        if (key.text.starts_with("x-"))
            continue;
        const Reader::Inside inside(reader, key);
        reader.error(key, "unsupported", fmt::format("'{}' of the network 'default' is not supported", clip(key.text)),
                     "it is the stage's own; declare another network, and join it by 'networks' in steps, services or stages");
    }
}

} // namespace

bool VolumeDeclarationsType::read(Reader& reader, const Node& node, Value& value)
{
    return read_declarations(reader, node, volume_keys(), value);
}
Out VolumeDeclarationsType::write(const Value& value) { return write_declarations(value, volume_keys()); }
Out VolumeDeclarationsType::schema(SchemaBuilder& builder) { return declarations_schema(builder, volume_keys()); }

bool NetworkDeclarationsType::read(Reader& reader, const Node& node, Value& value)
{
    if (!read_declarations(reader, node, network_keys(), value))
        return false;
    for (std::size_t i = 0; i < node.pairs(); ++i)
        if (node.key(i).text == "default" && node.value(i).is_map()) {
            const Reader::Inside inside(reader, node.key(i));
            check_default_network(reader, node.value(i));
        }
    std::erase_if(value, [](const NetworkDeclaration& network) { return network.name == "default"; });
    return true;
}
Out NetworkDeclarationsType::write(const Value& value) { return write_declarations(value, network_keys()); }
Out NetworkDeclarationsType::schema(SchemaBuilder& builder) { return declarations_schema(builder, network_keys()); }

const ObjectKeys& pipeline_keys()
{
    static const ObjectKeys keys = [] {
        const auto definition = [](void* file) -> void* { return &static_cast<PipelineFile*>(file)->definition; };
        const auto main = [](void* file) -> void* { return &static_cast<PipelineFile*>(file)->main; };
        const auto container = [](void* file) -> void* { return &static_cast<PipelineFile*>(file)->main.container; };
        const auto marks = [](void* file) { return &static_cast<PipelineFile*>(file)->main.container.marks; };
        ObjectKeys object{"pipeline", "a pipeline", {}};
        object.parts = {{k_definition_keys, definition}, {stage_own_keys(), main}, {container_keys(), container, marks, in_stage}};
        object.exclusive = {{{"stages", "steps"}, "each stage has its steps: move them there"}, {{"env", "environment"}}};
        object.one_of = {"stages", "steps", "include"};
        object.one_of_hint = "write steps: [{ run: … }]";
        return object;
    }();
    return keys;
}

bool is_short_form_key(std::string_view name)
{
    const auto is = [&](const Key& key) { return name == key.name; };
    const auto containers = container_keys();
    const auto stages = stage_own_keys();
    return std::none_of(std::begin(k_definition_keys), std::end(k_definition_keys), is) &&
           (std::any_of(stages.begin(), stages.end(), is) || std::any_of(containers.begin(), containers.end(), is));
}

bool is_key_of_defaults(std::string_view name)
{
    const auto keys = all_keys(defaults_keys());
    return std::any_of(keys.begin(), keys.end(), [&](const FoundKey& found) { return name == found.key->name; });
}

} // namespace gantry::pipeline::native
