#include "engine/fake/tar.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>

namespace gantry::engine {

namespace {

constexpr std::size_t k_block = 512;

struct Field { // of a header block
    std::size_t offset, length;
};
constexpr Field k_name{0, 100}, k_mode{100, 8}, k_uid{108, 8}, k_gid{116, 8}, k_size{124, 12}, k_time{136, 12},
    k_checksum{148, 8}, k_type{156, 1}, k_magic{257, 8}, k_prefix{345, 155};

using Block = std::array<char, k_block>;

void put(Block& block, Field field, std::string_view text)
{
    std::copy(text.begin(), text.end(), block.begin() + static_cast<std::ptrdiff_t>(field.offset));
}

void put_octal(Block& block, Field field, std::uint64_t number)
{
    std::string digits(field.length - 1, '0');
    for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, number /= 8)
        *digit = static_cast<char>('0' + number % 8);
    put(block, field, digits);
}

void put_name(Block& block, const std::string& name)
{
    if (name.size() <= k_name.length)
        return put(block, k_name, name);
    // The shortest prefix that leaves a name that fits.
    const auto cut = name.find('/', name.size() - k_name.length - 1);
    if (cut == std::string::npos || cut > k_prefix.length || cut + 1 == name.size())
        throw Error(Errc::unsupported, "fake engine: a path too long for its archives: " + name);
    put(block, k_prefix, std::string_view(name).substr(0, cut));
    put(block, k_name, std::string_view(name).substr(cut + 1));
}

Block header(const std::string& name, std::size_t size_bytes)
{
    const bool folder = name.ends_with('/');
    Block block{};
    put_name(block, name);
    put_octal(block, k_mode, folder ? 0755 : 0644);
    put_octal(block, k_uid, 0);
    put_octal(block, k_gid, 0);
    put_octal(block, k_size, size_bytes);
    put_octal(block, k_time, 0);
    put(block, k_type, folder ? "5" : "0");
    put(block, k_magic, std::string_view("ustar\00000", 8));
    put(block, k_checksum, "        ");
    std::uint64_t sum = 0;
    for (const char byte : block)
        sum += static_cast<unsigned char>(byte);
    put_octal(block, {k_checksum.offset, 7}, sum);
    return block;
}

std::string_view text_of(std::string_view block, Field field)
{
    const auto text = block.substr(field.offset, field.length);
    return text.substr(0, text.find('\0'));
}

std::size_t octal_of(std::string_view block, Field field)
{
    std::size_t number = 0;
    for (const char digit : text_of(block, field))
        if (digit >= '0' && digit <= '7')
            number = number * 8 + static_cast<std::size_t>(digit - '0');
    return number;
}

// The value of "path" in the records of a pax header: "<length> key=value\n".
std::optional<std::string> path_of_pax(std::string_view records)
{
    while (!records.empty()) {
        std::size_t length = 0, at = 0;
        while (at < records.size() && records[at] >= '0' && records[at] <= '9')
            length = length * 10 + static_cast<std::size_t>(records[at++] - '0');
        if (length <= at + 1 || length > records.size())
            break;
        const auto record = records.substr(at + 1, length - at - 2);
        if (record.starts_with("path="))
            return std::string(record.substr(5));
        records.remove_prefix(length);
    }
    return std::nullopt;
}

std::string full_name(std::string_view block)
{
    const std::string name(text_of(block, k_name));
    const bool ustar = text_of(block, k_magic) == "ustar";
    const auto prefix = ustar ? text_of(block, k_prefix) : std::string_view();
    return prefix.empty() ? name : std::string(prefix) + "/" + name;
}

} // namespace

std::string write_tar(const FakeFiles& files)
{
    std::string archive;
    for (const auto& [name, contents] : files) {
        const auto block = header(name, contents.size());
        archive.append(block.data(), block.size());
        archive += contents;
        archive.append((k_block - archive.size() % k_block) % k_block, '\0');
    }
    return archive.append(2 * k_block, '\0');
}

FakeFiles read_tar(std::string_view archive)
{
    FakeFiles files;
    std::optional<std::string> long_name;
    while (archive.size() >= k_block && archive.front() != '\0') {
        const auto block = archive.substr(0, k_block);
        const auto size = octal_of(block, k_size);
        const auto padded = (size + k_block - 1) / k_block * k_block;
        archive.remove_prefix(k_block);
        if (padded > archive.size())
            throw Error(Errc::bad_input, "fake engine: the archive ends in the middle of a file");
        const auto contents = archive.substr(0, size);
        archive.remove_prefix(padded);

        const char type = block[k_type.offset];
        if (type == 'x') {
            long_name = path_of_pax(contents);
            continue;
        }
        if (type == 'L') {
            long_name = std::string(contents.substr(0, contents.find('\0')));
            continue;
        }
        const auto name = long_name.value_or(full_name(block));
        long_name.reset();
        if (type == '5')
            files[name.ends_with('/') ? name : name + "/"];
        else if (type == '0' || type == '\0')
            files[name] = std::string(contents);
    }
    return files;
}

} // namespace gantry::engine
