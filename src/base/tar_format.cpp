#include "base/tar_format.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace gantry {

void refuse_tar(const std::string& why)
{
    throw Error(Errc::bad_input, "the archive is damaged: " + why);
}

std::string text_in_tar(std::string_view header, tar_field::Place field)
{
    const auto text = header.substr(field.at, field.size);
    return std::string(text.substr(0, text.find('\0')));
}

std::int64_t number_in_tar(std::string_view header, tar_field::Place field)
{
    const auto bytes = header.substr(field.at, field.size);
    if (const auto first = static_cast<unsigned char>(bytes.front()); (first & 0x80U) != 0) {
        const bool is_negative = (first & 0x40U) != 0;
        std::int64_t value = is_negative ? static_cast<std::int64_t>(first) - 0x100 : static_cast<std::int64_t>(first & 0x7fU);
        for (const char byte : bytes.substr(1)) {
            if (value > std::numeric_limits<std::int64_t>::max() >> 8 || value < std::numeric_limits<std::int64_t>::min() >> 8)
                refuse_tar("a number is too large");
            value = value * 256 + static_cast<unsigned char>(byte);
        }
        return value;
    }
    const auto text = text_in_tar(header, field);
    const auto digits = trim(text);
    std::int64_t value = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value, 8);
    if (!digits.empty() && (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || value < 0))
        refuse_tar("a number is none");
    return value;
}

namespace {

std::uint64_t size_of(std::int64_t number)
{
    if (number < 0 || static_cast<std::uint64_t>(number) > k_tar_size_limit_bytes)
        refuse_tar("a size cannot be");
    return static_cast<std::uint64_t>(number);
}

} // namespace

std::uint64_t size_in_tar(std::string_view header, tar_field::Place field)
{
    return size_of(number_in_tar(header, field));
}

std::string name_in_tar(std::string_view header)
{
    constexpr std::string_view k_ustar("ustar\0", 6);
    const auto name = text_in_tar(header, tar_field::name), prefix = text_in_tar(header, tar_field::prefix);
    const bool is_ustar = header.substr(tar_field::magic.at, tar_field::magic.size) == k_ustar;
    return is_ustar && !prefix.empty() ? prefix + "/" + name : name;
}

bool ends_tar(std::string_view block)
{
    return block.find_first_not_of('\0') == std::string_view::npos;
}

bool is_tar_extension(char type)
{
    return type == 'x' || type == 'g' || type == 'L' || type == 'K';
}

bool has_tar_contents(char type)
{
    return type < '1' || type > '6';
}

std::string new_tar_header(std::string_view name, char type)
{
    std::string header(k_tar_block_bytes, '\0');
    put_in_tar(header, tar_field::name, name);
    put_number_in_tar(header, tar_field::mode, 0644);
    for (const auto field : {tar_field::uid, tar_field::gid, tar_field::size, tar_field::mtime})
        put_number_in_tar(header, field, 0);
    header[tar_field::type.at] = type;
    put_in_tar(header, {tar_field::magic.at, 8}, std::string_view("ustar\0" "00", 8));
    return header;
}

void put_in_tar(std::string& header, tar_field::Place field, std::string_view text)
{
    header.replace(field.at, field.size, field.size, '\0');
    header.replace(field.at, std::min(field.size, text.size()), text.substr(0, field.size));
}

void put_number_in_tar(std::string& header, tar_field::Place field, std::uint64_t number)
{
    const auto digits = field.size - 1;
    const bool fits = number >> (3 * digits) == 0;
    put_in_tar(header, field, fmt::format("{:0{}o}", fits ? number : 0, digits));
}

void seal_tar_header(std::string& header)
{
    put_in_tar(header, tar_field::sum, "        ");
    unsigned sum = 0;
    for (const char byte : header)
        sum += static_cast<unsigned char>(byte);
    header.replace(tar_field::sum.at, 7, fmt::format("{:06o}", sum) + '\0');
}

std::string pax_record(const std::string& key, const std::string& value)
{
    const auto rest = " " + key + "=" + value + "\n";
    auto length = rest.size() + 1;
    while (length != rest.size() + std::to_string(length).size())
        ++length;
    return std::to_string(length) + rest;
}

void append_pax_header(const std::string& records, std::string& out)
{
    if (records.empty())
        return;
    auto header = new_tar_header("pax", 'x');
    put_number_in_tar(header, tar_field::size, records.size());
    seal_tar_header(header);
    out += header;
    out += records;
    out.append(tar_padding_bytes(records.size()), '\0');
}

std::vector<std::pair<std::string, std::string>> pax_records(std::string_view text)
{
    std::vector<std::pair<std::string, std::string>> records;
    while (!text.empty()) {
        std::size_t length = 0;
        const auto blank = text.find(' ');
        const auto read = std::from_chars(text.data(), text.data() + std::min(text.size(), blank), length);
        if (blank == std::string_view::npos || read.ec != std::errc() || read.ptr != text.data() + blank || length <= blank + 1 ||
            length > text.size() || text[length - 1] != '\n')
            refuse_tar("a pax record is none");
        const auto record = text.substr(blank + 1, length - blank - 2);
        const auto equals = record.find('=');
        if (equals == std::string_view::npos)
            refuse_tar("a pax record is none");
        records.emplace_back(record.substr(0, equals), record.substr(equals + 1));
        text.remove_prefix(length);
    }
    return records;
}

std::int64_t number_in_pax(std::string_view value)
{
    std::int64_t number = 0;
    const auto read = std::from_chars(value.data(), value.data() + value.size(), number);
    if (read.ec != std::errc() || read.ptr != value.data() + value.size())
        refuse_tar("a number of a pax record is none");
    return number;
}

std::uint64_t size_in_pax(std::string_view value)
{
    return size_of(number_in_pax(value));
}

} // namespace gantry
