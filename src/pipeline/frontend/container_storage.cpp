#include "pipeline/frontend/container_types.hpp"

#include "pipeline/expression.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>

// volumes, device rates: what is mounted.

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

const ObjectKeys& tmpfs_section()
{
    static const Key rows[] = {
        key<SizeType, &VolumeMount::tmpfs_size_bytes>("size", "How much it may hold: 64m."),
        key<IntegerType<std::uint32_t, 0, 07777>, &VolumeMount::tmpfs_mode>("mode", "Its file mode, such as 0o1777."),
    };
    static const ObjectKeys keys{"tmpfs_options", "the options of a tmpfs", {{rows}}};
    return keys;
}

const ObjectKeys& mount_keys()
{
    static const Key rows[] = {
        key<EnumType<VolumeMount::Type, k_volume_types>, &VolumeMount::type>("type", "volume, bind (a host path) or tmpfs."),
        key<FilledTextType, &VolumeMount::source>("source", "Name of the volume or path on the host; absent: anonymous."),
        key<FilledTextType, &VolumeMount::target>("target", "Path in the container."),
        key<BooleanType, &VolumeMount::read_only>("read_only", "It cannot be written to."),
        whole<SectionType<volume_section>>("volume", "Options of a volume."),
        whole<SectionType<tmpfs_section>>("tmpfs", "Options of a tmpfs."),
    };
    static const ObjectKeys keys{"mount", "a volume", {{rows}}, {"target"}};
    return keys;
}

bool apply_options(Reader& reader, const Node& node, std::string_view options, VolumeMount& mount)
{
    for (const auto& option : split(options, ',')) {
        if (option == "ro")
            mount.read_only = true;
        else if (option == "nocopy")
            mount.nocopy = true;
        else if (option != "rw") {
            reader.error(node, "bad-value", fmt::format("'{}' is not an option of a volume", clip(option)), "one of: ro, rw, nocopy");
            return false;
        }
    }
    return true;
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
    if (colons.size() == 2 && !apply_options(reader, node, whole.substr(colons[1] + 1), mount))
        return false;
    const auto target_start = colons.empty() ? 0 : colons[0] + 1;
    const auto target_end = colons.size() == 2 ? colons[1] : whole.size();
    if (!colons.empty())
        mount.source = reader.text_part(node, whole.substr(0, colons[0]));
    mount.target = reader.text_part(node, whole.substr(target_start, target_end - target_start), target_start);
    mount.type = is_host_path(mount.source) ? VolumeMount::Type::bind : VolumeMount::Type::volume;
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
        return !mount.target.empty();
    return false;
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
