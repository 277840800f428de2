#include "engine/fake/tar.hpp"

#include "base/error.hpp"
#include "base/tar_format.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace gantry::engine {

namespace {

void put_name(std::string& header, const std::string& name)
{
    if (name.size() <= tar_field::name.size)
        return;
    // The shortest prefix that leaves a name that fits.
    const auto cut = name.find('/', name.size() - tar_field::name.size - 1);
    if (cut == std::string::npos || cut > tar_field::prefix.size || cut + 1 == name.size())
        throw Error(Errc::unsupported, "fake engine: a path too long for its archives: " + name);
    put_in_tar(header, tar_field::prefix, std::string_view(name).substr(0, cut));
    put_in_tar(header, tar_field::name, std::string_view(name).substr(cut + 1));
}

std::string header_of(const std::string& name, std::size_t size_bytes)
{
    const bool folder = name.ends_with('/');
    auto header = new_tar_header(name, folder ? '5' : '0');
    put_name(header, name);
    if (folder)
        put_number_in_tar(header, tar_field::mode, 0755);
    put_number_in_tar(header, tar_field::size, size_bytes);
    seal_tar_header(header);
    return header;
}

// What extensions say of the next entry.
struct Extended {
    std::optional<std::string> name;
    std::optional<std::uint64_t> size_bytes;

    void add(char type, std::string_view text)
    {
        if (type == 'L')
            name = std::string(text.substr(0, text.find('\0')));
        if (type != 'x')
            return;
        for (const auto& [key, value] : pax_records(text)) {
            if (key == "path")
                name = value;
            else if (key == "size")
                size_bytes = size_in_pax(value);
        }
    }
};

} // namespace

std::string write_tar(const FakeFiles& files)
{
    std::string archive;
    for (const auto& [name, contents] : files) {
        archive += header_of(name, contents.size());
        archive += contents;
        archive.append(tar_padding_bytes(contents.size()), '\0');
    }
    return archive.append(2 * k_tar_block_bytes, '\0');
}

FakeFiles read_tar(std::string_view archive)
{
    FakeFiles files;
    Extended extended;
    while (archive.size() >= k_tar_block_bytes && !ends_tar(archive.substr(0, k_tar_block_bytes))) {
        const auto header = archive.substr(0, k_tar_block_bytes);
        const char type = header[tar_field::type.at];
        auto size = size_in_tar(header, tar_field::size);
        if (!is_tar_extension(type))
            size = has_tar_contents(type) ? extended.size_bytes.value_or(size) : 0;
        archive.remove_prefix(k_tar_block_bytes);
        if (size + tar_padding_bytes(size) > archive.size())
            throw Error(Errc::bad_input, "fake engine: the archive ends in the middle of a file");
        const auto contents = archive.substr(0, static_cast<std::size_t>(size));
        archive.remove_prefix(static_cast<std::size_t>(size + tar_padding_bytes(size)));
        if (is_tar_extension(type)) {
            extended.add(type, contents);
            continue;
        }
        const auto name = std::exchange(extended, {}).name.value_or(name_in_tar(header));
        if (type == '5')
            files[name.ends_with('/') ? name : name + "/"];
        else if (type == '0' || type == '\0')
            files[name] = std::string(contents);
    }
    return files;
}

} // namespace gantry::engine
