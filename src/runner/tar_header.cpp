// The writing side of runner/tar_reader.hpp.
#include "runner/tar_reader.hpp"

#include "base/tar_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace gantry::runner {

namespace {

constexpr std::uint64_t k_most_octal_digits_7 = 07777777, k_most_octal_digits_11 = 077777777777;

char type_letter(TarEntry::Type type)
{
    switch (type) {
    case TarEntry::Type::file: return '0';
    case TarEntry::Type::hard_link: return '1';
    case TarEntry::Type::symlink: return '2';
    case TarEntry::Type::folder: return '5';
    case TarEntry::Type::other: break;
    }
    return '6';
}

std::string tar_header_of(const TarEntry& entry, char type)
{
    auto header = new_tar_header(entry.path, type);
    put_number_in_tar(header, tar_field::mode, entry.mode);
    put_number_in_tar(header, tar_field::uid, entry.uid);
    put_number_in_tar(header, tar_field::gid, entry.gid);
    put_number_in_tar(header, tar_field::size, entry.size_bytes);
    put_number_in_tar(header, tar_field::mtime, entry.mtime < 0 ? 0 : static_cast<std::uint64_t>(entry.mtime));
    put_in_tar(header, tar_field::link, entry.link);
    seal_tar_header(header);
    return header;
}

// Seconds and a fraction that counts forward, as one number.
std::string time_text(const TarEntry& entry)
{
    if (entry.mtime_nanoseconds == 0)
        return std::to_string(entry.mtime);
    if (entry.mtime >= 0)
        return fmt::format("{}.{:09}", entry.mtime, entry.mtime_nanoseconds);
    return fmt::format("-{}.{:09}", -(entry.mtime + 1), 1'000'000'000U - entry.mtime_nanoseconds);
}

} // namespace

void append_tar_header(const TarEntry& entry, std::string& out)
{
    auto named = entry;
    if (named.type == TarEntry::Type::folder)
        named.path += '/';
    const auto is_plain = [](const std::string& text) {
        return text.size() <= tar_field::name.size && std::all_of(text.begin(), text.end(), [](char c) { return c > 0; });
    };
    std::string records;
    if (!is_plain(named.path))
        records += pax_record("path", named.path);
    if (!is_plain(named.link))
        records += pax_record("linkpath", named.link);
    if (named.size_bytes > k_most_octal_digits_11)
        records += pax_record("size", std::to_string(named.size_bytes));
    if (named.uid > k_most_octal_digits_7)
        records += pax_record("uid", std::to_string(named.uid));
    if (named.gid > k_most_octal_digits_7)
        records += pax_record("gid", std::to_string(named.gid));
    if (named.mtime_nanoseconds != 0 || named.mtime < 0)
        records += pax_record("mtime", time_text(named));
    append_pax_header(records, out);
    out += tar_header_of(named, type_letter(named.type));
}

std::string tar_padding(std::uint64_t size_bytes)
{
    return std::string(tar_padding_bytes(size_bytes), '\0');
}

std::string tar_end()
{
    return std::string(2 * k_tar_block_bytes, '\0');
}

} // namespace gantry::runner
