#include "pipeline/frontend/container_types.hpp"

#include "pipeline/frontend/yaml_problems.hpp"
#include "pipeline/host_name.hpp"
#include "pipeline/subnet.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unordered_set>
#include <utility>

// ports, links, networks, addresses, extra_hosts, depends_on: who talks to whom.

namespace gantry::pipeline::native {

namespace {

// ---- ports

constexpr std::string_view k_all_ports = "all"; // that the image exposes

bool is_protocol(std::string_view text) { return text == "tcp" || text == "udp" || text == "sctp"; }

// Takes the text behind the last ':' that is not inside of brackets off `rest`.
std::string take_last(std::string& rest)
{
    const auto colon = rest.rfind(':');
    if (colon == std::string::npos || (!rest.empty() && rest.back() == ']'))
        return std::exchange(rest, "");
    std::string last = rest.substr(colon + 1);
    rest.resize(colon);
    return last;
}

bool check_port(Reader& reader, const Node& node, const PortMapping& port)
{
    if (port.target == k_all_ports && port.published.empty() && port.host_ip.empty() && port.protocol == "tcp")
        return true;
    const int inside = count_ports(port.target);
    const int outside = port.published.empty() ? inside : count_ports(port.published);
    std::string message;
    if (inside == 0 || outside == 0)
        message = fmt::format("'{}' is not a port", clip(inside == 0 ? port.target : port.published));
    else if (inside != outside && inside != 1) // Compose: of a range for one port, a free one is taken
        message = fmt::format("{} and {} are not as many ports", port.published, port.target);
    else if (!port.host_ip.empty() && !is_address(port.host_ip))
        message = fmt::format("'{}' is not an address", clip(port.host_ip));
    else if (!is_protocol(port.protocol))
        message = fmt::format("'{}' is not a protocol", clip(port.protocol));
    else
        return true;
    reader.error(node, "bad-value", message, "write \"8080:80\", \"127.0.0.1:8080:80/tcp\", 80, or all");
    return false;
}

bool read_short_port(Reader& reader, const Node& node, PortMapping& port)
{
    const auto text = reader.string(node);
    if (!text || !reader.is_fixed(node, *text))
        return false;
    std::string rest = *text;
    if (const auto slash = rest.rfind('/'); slash != std::string::npos) {
        port.protocol = rest.substr(slash + 1);
        rest.resize(slash);
    }
    port.target = take_last(rest);
    port.published = take_last(rest);
    if (rest.size() > 1 && rest.front() == '[' && rest.back() == ']')
        rest = rest.substr(1, rest.size() - 2);
    port.host_ip = rest;
    return check_port(reader, node, port);
}

const Words k_port_modes{{"host", "ingress"}, "a mode of a port"};

const ObjectKeys& port_keys()
{
    using Note = UnkeptType<StringType, PortMapping>;
    using Mode = UnkeptType<WordType<k_port_modes>, PortMapping>;
    static const Key rows[] = {
        key<StringType, &PortMapping::target>("target", "Port inside the container, or a range."),
        key<StringType, &PortMapping::published>("published", "Port on the host; absent: a free one."),
        key<StringType, &PortMapping::host_ip>("host_ip", "Address on the host."),
        key<StringType, &PortMapping::protocol>("protocol", "tcp, udp or sctp."),
        whole<Note>("name", "What it is for; for people."),
        whole<Note>("app_protocol", "What is spoken on it; for people."),
        whole<Mode>("mode", "host or ingress: the same on one machine."),
    };
    static const ObjectKeys keys{"port", "a port", {{rows}}, {"target"}};
    return keys;
}

// ---- networks

const ObjectKeys& attachment_keys()
{
    static const Key rows[] = {
        key<OneOrListType<StringType>, &NetworkAttachment::aliases>("aliases", "Further names in this network."),
        key<AddressType, &NetworkAttachment::ipv4_address>("ipv4_address", "Fixed address."),
        key<AddressType, &NetworkAttachment::ipv6_address>("ipv6_address", "Fixed address."),
    };
    static const ObjectKeys keys{"network_attachment", "a network of a container", {{rows}}};
    return keys;
}

// ---- extra_hosts

struct WrittenHost {
    std::string name, addresses; // one, or several with commas; of IPv6 also as Compose has it: [::1]
};

void read_host(Reader& reader, const Node& at, const WrittenHost& host, std::vector<std::string>& value)
{
    for (const auto& written : split(host.addresses, ',')) {
        auto address = std::string(trim(written));
        if (address.size() > 2 && address.front() == '[' && address.back() == ']')
            address = address.substr(1, address.size() - 2);
        if (address == "host-gateway" || is_address(address))
            value.push_back(host.name + ':' + address);
        else
            reader.error(at, "bad-value", fmt::format("'{}' is not an address", clip(written)),
                         "write one of IPv4 or IPv6, or host-gateway: db:10.0.0.2");
    }
}

// ---- depends_on

const Words k_conditions{{"service_started", "service_healthy", "service_completed_successfully"}, "a condition"};

const ObjectKeys& dependency_keys()
{
    static const Key rows[] = {
        key<EnumType<Condition, k_conditions>, &Dependency::condition>("condition", "What to wait for."),
        key<BooleanType, &Dependency::required>("required", "False: only if the service exists."),
        whole<UnkeptType<BooleanType, Dependency>>("restart", "No effect: services are not restarted."),
    };
    static const ObjectKeys keys{"dependency", "a dependency", {{rows}}};
    return keys;
}

// A list of names, or a map of names with objects that may be null. `Item` has `name_member` and a mark.
template <class Item> bool read_named(Reader& reader, const Node& node, std::string Item::*name, const ObjectKeys& keys, std::vector<Item>& value)
{
    if (node.is_map()) {
        for (std::size_t i = 0; i < node.pairs(); ++i) {
            const Reader::Inside inside(reader, node.key(i));
            Item item;
            item.*name = node.key(i).text;
            item.mark = node.key(i).mark;
            if (node.value(i).is_null() || read_object(reader, node.value(i), keys, &item))
                value.push_back(std::move(item));
        }
        return true;
    }
    if (!node.is_list()) {
        reader.wrong_type(node, "a list of names or a map", node.is_scalar() ? fmt::format("write [{}]", clip(node.text)) : "");
        return false;
    }
    std::unordered_set<std::string> names;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        const Reader::Inside inside(reader, i);
        Item item;
        item.mark = node.items[i]->mark;
        if (!NameType::read(reader, *node.items[i], item.*name))
            continue;
        if (names.insert(item.*name).second)
            value.push_back(std::move(item));
        else
            reader.error(*node.items[i], "duplicate-key", fmt::format("'{}' stands twice in this list", clip(item.*name)));
    }
    return true;
}

template <class Item> Out write_named(const std::vector<Item>& value, std::string Item::*name, const ObjectKeys& keys)
{
    Out map = Out::map();
    for (const auto& item : value)
        map.pairs.emplace_back(item.*name, write_object(keys, &item));
    return map;
}

Out named_schema(SchemaBuilder& builder, const ObjectKeys& keys)
{
    return either_schema({list_schema(NameType::schema(builder)),
                          map_schema(either_schema({Out::map({{"type", Out("null")}}), builder.ref(keys)}))});
}

} // namespace

int count_ports(std::string_view text)
{
    const auto number = [](std::string_view digits) {
        int value = 0;
        const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        return status == std::errc() && end == digits.data() + digits.size() && value >= 1 && value <= 65535 ? value : 0;
    };
    const auto dash = text.find('-');
    const int first = number(text.substr(0, dash));
    const int last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
    return first > 0 && last >= first ? last - first + 1 : 0;
}

bool PortType::read(Reader& reader, const Node& node, Value& value)
{
    value.mark = node.mark;
    if (!node.is_map())
        return read_short_port(reader, node, value);
    return read_object(reader, node, port_keys(), &value) && !value.target.empty() && check_port(reader, node, value);
}

Out PortType::write(const Value& value) { return write_object(port_keys(), &value); }

Out PortType::schema(SchemaBuilder& builder)
{
    return either_schema({Out::map({{"type", Out("integer")}, {"minimum", Out(1)}, {"maximum", Out(65535)}}),
                          Out::map({{"type", Out("string")}, {"pattern", Out(R"(^(all|(.*:)?[0-9]+(-[0-9]+)?(/(tcp|udp|sctp))?)$)")},
                                    {"examples", Out::list({"8080:80", "127.0.0.1:8080:80/tcp"})}}),
                          builder.ref(port_keys())});
}

bool LinkType::read(Reader& reader, const Node& node, Value& value)
{
    const auto text = reader.string(node);
    if (!text || !reader.is_fixed(node, *text))
        return false;
    value.mark = node.mark;
    const auto colon = text->find(':');
    value.service = text->substr(0, colon);
    value.name = colon == std::string::npos ? value.service : text->substr(colon + 1);
    const bool good = is_host_name(value.service) && is_host_name(value.name);
    if (!good)
        reader.error(node, "bad-value", fmt::format("'{}' is not a link", clip(*text)), "write SERVICE:NAME");
    return good;
}

Out LinkType::write(const Value& value)
{
    return value.name == value.service ? value.service : value.service + ':' + value.name;
}

Out LinkType::schema(SchemaBuilder&)
{
    return Out::map(
        {{"type", Out("string")}, {"pattern", Out(R"(^[^:]+(:[^:]+)?$)")}, {"examples", Out::list({"db:database"})}});
}

bool AddressType::read(Reader& reader, const Node& node, Value& value)
{
    if (!StringType::read(reader, node, value))
        return false;
    const bool good = is_address(value);
    if (!good)
        reader.error(node, "bad-value", fmt::format("'{}' is not {}", clip(value), k_address_rule.what), k_address_rule.hint);
    return good;
}

bool NetworksType::read(Reader& reader, const Node& node, Value& value)
{
    return read_named(reader, node, &NetworkAttachment::name, attachment_keys(), value);
}

Out NetworksType::write(const Value& value) { return write_named(value, &NetworkAttachment::name, attachment_keys()); }

Out NetworksType::schema(SchemaBuilder& builder) { return named_schema(builder, attachment_keys()); }

bool DependsOnType::read(Reader& reader, const Node& node, Value& value)
{
    return read_named(reader, node, &Dependency::service, dependency_keys(), value);
}

Out DependsOnType::write(const Value& value) { return write_named(value, &Dependency::service, dependency_keys()); }

Out DependsOnType::schema(SchemaBuilder& builder) { return named_schema(builder, dependency_keys()); }

bool ExtraHostsType::read(Reader& reader, const Node& node, Value& value)
{
    if (!node.is_map() && !node.is_list()) {
        reader.wrong_type(node, "a list of name:address or a map");
        return false;
    }
    for (std::size_t i = 0; node.is_map() && i < node.pairs(); ++i) {
        const Reader::Inside inside(reader, node.key(i));
        const auto take = [&](const Node& at) {
            if (std::string address; StringType::read(reader, at, address))
                read_host(reader, at, {node.key(i).text, address}, value);
        };
        const auto& addresses = node.value(i);
        if (!addresses.is_list())
            take(addresses);
        for (std::size_t j = 0; addresses.is_list() && j < addresses.items.size(); ++j) {
            const Reader::Inside inside_of_list(reader, j);
            take(*addresses.items[j]);
        }
    }
    for (std::size_t i = 0; node.is_list() && i < node.items.size(); ++i) {
        const Reader::Inside inside(reader, i);
        std::string entry;
        if (!StringType::read(reader, *node.items[i], entry))
            continue;
        const auto separator = entry.find_first_of(":=");
        if (separator == 0 || separator == std::string::npos || separator + 1 == entry.size())
            reader.error(*node.items[i], "bad-value", fmt::format("'{}' is not a host", clip(entry)), "write name:address");
        else
            read_host(reader, *node.items[i], {entry.substr(0, separator), entry.substr(separator + 1)}, value);
    }
    return true;
}

Out ExtraHostsType::schema(SchemaBuilder& builder)
{
    Out item = Out::map({{"type", Out("string")}, {"pattern", Out("^[^:=]+[:=].+$")}, {"examples", Out::list({"db:10.0.0.2"})}});
    Out addresses = either_schema({StringType::schema(builder), list_schema(StringType::schema(builder))});
    return either_schema({list_schema(std::move(item)), map_schema(std::move(addresses))});
}

} // namespace gantry::pipeline::native
