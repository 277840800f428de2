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

std::uint64_t size_in_tar(std::string_view header, tar_field::Place field)
{
    const auto value = number_in_tar(header, field);
    if (value < 0 || static_cast<std::uint64_t>(value) > k_tar_size_limit_bytes)
        refuse_tar("a size cannot be");
    return static_cast<std::uint64_t>(value);
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

void put_in_tar(std::string& header, tar_field::Place field, std::string_view text)
{
    header.replace(field.at, field.size, field.size, '\0');
    header.replace(field.at, std::min(field.size, text.size()), text.substr(0, field.size));
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

} // namespace gantry
