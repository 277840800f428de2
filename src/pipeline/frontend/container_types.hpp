#pragma once

#include "pipeline/container_values.hpp"
#include "pipeline/frontend/types.hpp"

// Compose's types (Compose specification, "services"): each takes the short and the long form.

namespace gantry::pipeline::native {

struct PortType {
    using Value = PortMapping;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

// Of "80" or "80-90", each from 1 to 65535; 0 when it is neither.
int count_ports(std::string_view text);

struct LinkType { // "service" or "service:name"
    using Value = Link;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct AddressType : StringType { // IPv4 or IPv6
    static bool read(Reader& reader, const Node& node, Value& value);
};

struct VolumeType {
    using Value = VolumeMount;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

// What stands behind the second ':' of a volume's short form.
struct MountOptions {
    bool read_only = false, nocopy = false;
    bool relabels = false;   // z or Z: a label of SELinux for the folder of the host
    std::string propagation; // as in VolumeMount
    std::string unknown;     // the first that is none
};
MountOptions parse_mount_options(std::string_view written);
constexpr const char* k_mount_options_hint = "one of: ro, rw, nocopy, z, Z, or a propagation such as rshared";
// Engines take labels for SELinux only with mounts of another kind than ours: says so, where somebody may count on one.
void warn_of_relabel(Reader& reader, const Node& at);
// The section `bind` of a long form; fills `mount`.
bool read_bind_section(Reader& reader, const Node& node, VolumeMount& mount);

struct EnvFileType { // "path", or {path, required, format}
    using Value = EnvFileEntry;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct DeviceType : StringType { // "/dev/a:/dev/b:rwm", or {source, target, permissions}; kept as the former
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct NetworksType { // a list of names, or name: {aliases, …}
    using Value = std::vector<NetworkAttachment>;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct DependsOnType { // a list of names, or name: {condition, required}
    using Value = std::vector<Dependency>;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct HealthcheckType {
    using Value = Healthcheck;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct UlimitType { // a number, or {soft, hard}
    using Value = Ulimit;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct UlimitsType : SortedType<MapType<UlimitType>> { // by the names of setrlimit(2), in any case
    static bool read(Reader& reader, const Node& node, Value& value);
};

struct SysctlsType : SortedType<FixedAssignmentsType> { // of those that a container has for itself
    static bool read(Reader& reader, const Node& node, Value& value);
};

struct MemoryType : SizeType { // 0 for no limit, or what an engine takes for one
    static bool read(Reader& reader, const Node& node, Value& value);
};

struct CpuSharesType : IntegerType<std::int64_t, 0> { // 0 for the usual share, or what the kernel takes for one
    static bool read(Reader& reader, const Node& node, Value& value);
};

struct ExtraHostsType { // a list of "name:address" or "name=address", or name: address or [address]; kept as "name:address"
    using Value = std::vector<std::string>;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value) { return ListType<StringType>::write(value); }
    static Out schema(SchemaBuilder& builder);
};

struct DeviceRateType { // {path, rate}
    using Value = DeviceRate;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct CapabilityType : StringType { // of capabilities(7), with or without CAP_, in any case
    static bool read(Reader& reader, const Node& node, Value& value);
};

struct SecurityOptionType : StringType { // of seccomp=PATH, the profile takes the place of the path
    static bool read(Reader& reader, const Node& node, Value& value);
};

struct HostNameType : TextType {
    static bool read(Reader& reader, const Node& node, Value& value);
};

struct ImageType : FilledTextType { // the name of an image
    static bool read(Reader& reader, const Node& node, Value& value);
};

// Whether its form can be judged here: what is computed is left to the engine, and what should be and cannot has an error.
bool is_written_out(const Text& value);

// False, with an error, when the text breaks the rule. Empty text stands for the engine's own choice.
bool keeps_rule(Reader& reader, const Node& node, const ValueRule& rule, std::string_view text);

template <const ValueRule& Rule> struct RuledStringType : StringType {
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        return StringType::read(reader, node, value) && keeps_rule(reader, node, Rule, value);
    }
};

template <const ValueRule& Rule, class Type = TextType> struct RuledTextType : Type {
    static bool read(Reader& reader, const Node& node, Text& value)
    {
        if (!Type::read(reader, node, value))
            return false;
        return !is_written_out(value) || keeps_rule(reader, node, Rule, value.literal());
    }
};

struct TmpfsType : StringType {
    static bool read(Reader& reader, const Node& node, Value& value);
};

struct LoggingType {
    using Value = Logging;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

// Offsets of the ':' that are outside of `${{ }}`: they part a volume's short form.
std::vector<std::size_t> colons_outside_expressions(std::string_view text);

// The table of a container's keys, and those of them that fill one at `inside` of an object.
std::span<const Key> container_keys();
template <class Owner> KeyPart container_part(unsigned where)
{
    return {container_keys(), [](void* object) -> void* { return &static_cast<Owner*>(object)->container; },
            [](void* object) { return &static_cast<Owner*>(object)->container.marks; }, where};
}

} // namespace gantry::pipeline::native
