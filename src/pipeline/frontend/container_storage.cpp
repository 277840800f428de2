#include "pipeline/frontend/container_types.hpp"

#include "pipeline/expression.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

// volumes, devices, env_file: what of the host or the repository a container gets.

namespace gantry::pipeline::native {

namespace {

const Words k_volume_types{{"volume", "bind", "tmpfs"}, "a type of mount"};

// The long form has sections for each type; they fill the mount they stand in.
template <const ObjectKeys& (*Keys)()> struct SectionType {
    using Value = VolumeMount;
    static bool read(Reader& reader, const Node& node, Value& value) { return read_object(reader, node, Keys(), &value); }
    static Out write(const Value& value)
    {
        Out map = write_object(Keys(), &value);
        return map.pairs.empty() ? Out() : map;
    }
    static Out schema(SchemaBuilder& builder) { return builder.ref(Keys()); }
};

const ObjectKeys& volume_section()
{
    static const Key rows[] = {
        key<BooleanType, &VolumeMount::nocopy>("nocopy", "Do not fill a new volume from the image."),
        key<StringType, &VolumeMount::subpath>("subpath", "Folder inside the volume."),
    };
    static const ObjectKeys keys{"volume_options", "the options of a volume", {{rows}}};
    return keys;
}

const Words k_propagations{{"rprivate", "private", "rshared", "shared", "rslave", "slave"}, "a propagation"};
const Words k_relabels{{"z", "Z"}, "a label for SELinux"};
const Words k_consistencies{{"consistent", "cached", "delegated"}, "a consistency"};

const ObjectKeys& bind_section()
{
    using Relabel = UnkeptType<WordType<k_relabels>, VolumeMount>;
    static const Key rows[] = {
        key<WordType<k_propagations>, &VolumeMount::propagation>("propagation", "Whether mounts inside of it are seen outside, and back."),
        key<BooleanType, &VolumeMount::create_host_path>("create_host_path", "Make the folder of the host where there is none."),
        whole<Relabel>("selinux", "z or Z; has no effect here."),
    };
    static const ObjectKeys keys{"bind_options", "the options of a bind", {{rows}}};
    return keys;
}

const ObjectKeys& tmpfs_section()
{
    static const Key rows[] = {
        key<SizeType, &VolumeMount::tmpfs_size_bytes>("size", "How much it may hold: 64m."),
        key<FileModeType, &VolumeMount::tmpfs_mode>("mode", "Its file mode, such as 0o1777."),
    };
    static const ObjectKeys keys{"tmpfs_options", "the options of a tmpfs", {{rows}}};
    return keys;
}

const ObjectKeys& mount_keys()
{
    using Consistency = UnkeptType<WordType<k_consistencies>, VolumeMount>;
    static const Key rows[] = {
        key<EnumType<VolumeMount::Type, k_volume_types>, &VolumeMount::type>("type", "volume, bind (a host path) or tmpfs."),
        key<FilledTextType, &VolumeMount::source>("source", "Name of the volume or path on the host; absent: anonymous."),
        key<FilledTextType, &VolumeMount::target>("target", "Path in the container."),
        key<BooleanType, &VolumeMount::read_only>("read_only", "It cannot be written to."),
        whole<SectionType<volume_section>>("volume", "Options of a volume."),
        whole<SectionType<bind_section>>("bind", "Options of a host path."),
        whole<SectionType<tmpfs_section>>("tmpfs", "Options of a tmpfs."),
        whole<Consistency>("consistency", "consistent, cached or delegated; changes nothing here."),
    };
    static const ObjectKeys keys{"mount", "a volume", {{rows}}, {"target"}};
    return keys;
}

bool is_one_of(const Words& words, std::string_view word)
{
    return std::find(words.words.begin(), words.words.end(), word) != words.words.end();
}

bool apply_options(Reader& reader, const Node& node, std::string_view written, VolumeMount& mount)
{
    auto options = parse_mount_options(written);
    if (!options.unknown.empty()) {
        reader.error(node, "bad-value", fmt::format("'{}' is not an option of a volume", clip(options.unknown)), k_mount_options_hint);
        return false;
    }
    mount.read_only = options.read_only;
    mount.nocopy = options.nocopy;
    mount.propagation = std::move(options.propagation);
    if (options.relabels && mount.type == VolumeMount::Type::bind)
        warn_of_relabel(reader, node);
    return true;
}

// Where what the section `bind` says is without effect, or cannot be.
bool check_bind_options(Reader& reader, const Node& node, const VolumeMount& mount)
{
    const Node* bind = node.find("bind");
    const Node& at = bind ? *bind : node;
    const bool is_bind = mount.type == VolumeMount::Type::bind;
    const bool good = is_bind || (mount.propagation.empty() && !mount.create_host_path);
    if (!good)
        reader.error(at, "conflict", "only a host path can be bound", "write type: bind, or a source that begins with '/'");
    else if (const Node* selinux = bind ? bind->find("selinux") : nullptr; is_bind && selinux)
        warn_of_relabel(reader, *selinux);
    return good;
}

bool is_host_path(const Text& source)
{
    const auto& parts = source.parts();
    return !parts.empty() && !parts[0].is_expression && std::string_view("/.~").find(parts[0].text[0]) != std::string_view::npos;
}

// "target", "source:target", "source:target:options".
bool read_short_mount(Reader& reader, const Node& node, VolumeMount& mount)
{
    const auto text = reader.string(node);
    if (!text)
        return false;
    const auto colons = colons_outside_expressions(*text);
    const std::string_view whole = *text;
    const auto hint = "write name:/path, /host/path:/path:ro or /path";
    if (colons.size() > 2 || text->size() > 8192) {
        reader.error(node, "bad-value", fmt::format("'{}' is not a volume", clip(*text)), hint);
        return false;
    }
    const auto target_start = colons.empty() ? 0 : colons[0] + 1;
    const auto target_end = colons.size() == 2 ? colons[1] : whole.size();
    if (!colons.empty())
        mount.source = reader.text_part(node, whole.substr(0, colons[0]));
    mount.target = reader.text_part(node, whole.substr(target_start, target_end - target_start), target_start);
    mount.type = is_host_path(mount.source) ? VolumeMount::Type::bind : VolumeMount::Type::volume;
    if (colons.size() == 2 && !(apply_options(reader, node, whole.substr(colons[1] + 1), mount) && check_bind_options(reader, node, mount)))
        return false;
    if (!mount.target.empty() && (colons.empty() || !mount.source.empty()))
        return true;
    reader.error(node, "bad-value", fmt::format("'{}' is not a volume", clip(*text)), hint);
    return false;
}

// What the parts of the long form say of each other.
bool check_mount(Reader& reader, const Node& node, const VolumeMount& mount)
{
    if (mount.type == VolumeMount::Type::bind && mount.source.empty())
        reader.error(node, "missing-key", "a bind mount needs 'source'");
    else if (mount.type == VolumeMount::Type::tmpfs && !mount.source.empty())
        reader.error(node, "conflict", "a tmpfs has no 'source'");
    else
        return check_bind_options(reader, node, mount) && !mount.target.empty();
    return false;
}

// ---- devices

struct Device {
    std::string source, target, permissions;
};

bool is_device_path(std::string_view text) { return text.starts_with('/') && text.find(':') == std::string_view::npos; }
bool is_device_access(std::string_view text) { return !text.empty() && text.find_first_not_of("rwm") == std::string_view::npos; }

constexpr const char* k_device_hint = "write { source: /dev/fuse, target: /dev/fuse, permissions: rwm }";
const ValueRule k_device_path_rule{is_device_path, "a path of a device", k_device_hint};
const ValueRule k_device_access_rule{is_device_access, "a right to a device", k_device_hint};

const ObjectKeys& device_keys()
{
    using Path = RuledStringType<k_device_path_rule>;
    static const Key rows[] = {
        key<Path, &Device::source>("source", "The device of the host, such as /dev/fuse."),
        key<Path, &Device::target>("target", "Its path in the container; absent: the same."),
        key<RuledStringType<k_device_access_rule>, &Device::permissions>("permissions", "What may be done: r, w and m (default rwm)."),
    };
    static const ObjectKeys keys{"device", "a device", {{rows}}, {"source"}};
    return keys;
}

// ---- env_file

const Words k_env_formats{{"raw"}, "a format of an env_file"};

struct RawFormatType { // raw, or absent
    using Value = bool;
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        value = read_word(reader, node, k_env_formats).has_value();
        return value;
    }
    static Out write(Value) { return "raw"; }
    static Out schema(SchemaBuilder&) { return words_schema(k_env_formats); }
};

const ObjectKeys& env_file_keys()
{
    static const Key rows[] = {
        key<StringType, &EnvFileEntry::path>("path", "The file, from the root of the repository."),
        key<BooleanType, &EnvFileEntry::required>("required", "False: it is passed over where there is none."),
        key<RawFormatType, &EnvFileEntry::raw>("format", "raw: values as they stand, quotes included."),
    };
    static const ObjectKeys keys{"env_file", "an env_file", {{rows}}, {"path"}};
    return keys;
}

const ObjectKeys& device_rate_keys()
{
    static const Key rows[] = {
        key<StringType, &DeviceRate::path>("path", "The block device, such as /dev/sda."),
        key<IntegerType<std::uint64_t, 0>, &DeviceRate::rate>("rate", "Operations per second."),
    };
    static const ObjectKeys keys{"device_rate", "a limit of a device", {{rows}}, {"path", "rate"}};
    return keys;
}

} // namespace

std::vector<std::size_t> colons_outside_expressions(std::string_view text)
{
    std::vector<std::size_t> colons;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text.substr(at, 3) == "${{")
            at = std::min(end_of_expression(text, at), text.size()) - 1;
        else if (text[at] == ':')
            colons.push_back(at);
    }
    return colons;
}

MountOptions parse_mount_options(std::string_view written)
{
    MountOptions options;
    for (auto& option : split(written, ',')) {
        if (option == "ro")
            options.read_only = true;
        else if (option == "nocopy")
            options.nocopy = true;
        else if (is_one_of(k_relabels, option))
            options.relabels = true;
        else if (is_one_of(k_propagations, option))
            options.propagation = std::move(option);
        else if (option != "rw" && !is_one_of(k_consistencies, option) && options.unknown.empty())
            options.unknown = std::move(option);
    }
    return options;
}

void warn_of_relabel(Reader& reader, const Node& at)
{
    reader.warning(at, "no-effect", "the label for SELinux has no effect: it is not set on the host's folder",
                   "label the folder yourself: chcon -Rt container_file_t PATH");
}

bool read_bind_section(Reader& reader, const Node& node, VolumeMount& mount)
{
    return read_object(reader, node, bind_section(), &mount);
}

bool VolumeType::read(Reader& reader, const Node& node, Value& value)
{
    value.mark = node.mark;
    if (!node.is_map())
        return read_short_mount(reader, node, value);
    return read_object(reader, node, mount_keys(), &value) && check_mount(reader, node, value);
}

Out VolumeType::write(const Value& value) { return write_object(mount_keys(), &value); }

Out VolumeType::schema(SchemaBuilder& builder)
{
    return either_schema({Out::map({{"type", Out("string")}, {"minLength", Out(1)}, {"examples", Out::list({"data:/var/lib/data", "/path"})}}),
                          builder.ref(mount_keys())});
}

bool DeviceType::read(Reader& reader, const Node& node, Value& value)
{
    if (!node.is_map())
        return StringType::read(reader, node, value) && keeps_rule(reader, node, k_device_rule, value);
    Device device;
    if (!read_object(reader, node, device_keys(), &device) || device.source.empty())
        return false;
    const auto& target = device.target.empty() ? device.source : device.target;
    value = fmt::format("{}:{}:{}", device.source, target, device.permissions.empty() ? "rwm" : device.permissions);
    return true;
}

Out DeviceType::schema(SchemaBuilder& builder)
{
    return either_schema({Out::map({{"type", Out("string")}, {"examples", Out::list({"/dev/fuse", "/dev/a:/dev/b:rw"})}}),
                          builder.ref(device_keys())});
}

bool EnvFileType::read(Reader& reader, const Node& node, Value& value)
{
    value.mark = node.mark;
    if (!node.is_map())
        return StringType::read(reader, node, value.path);
    return read_object(reader, node, env_file_keys(), &value) && !value.path.empty();
}

Out EnvFileType::write(const Value& value)
{
    return value.required && !value.raw ? Out(value.path) : write_object(env_file_keys(), &value);
}

Out EnvFileType::schema(SchemaBuilder& builder)
{
    return either_schema({StringType::schema(builder), builder.ref(env_file_keys())});
}

bool DeviceRateType::read(Reader& reader, const Node& node, Value& value)
{
    return read_object(reader, node, device_rate_keys(), &value) && !value.path.empty();
}

Out DeviceRateType::write(const Value& value)
{
    return Out::map({{"path", Out(value.path)}, {"rate", Out(static_cast<std::int64_t>(value.rate))}});
}

Out DeviceRateType::schema(SchemaBuilder& builder) { return builder.ref(device_rate_keys()); }

} // namespace gantry::pipeline::native
