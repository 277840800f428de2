#pragma once

#include "runner/tar_reader.hpp"

#include <cstdio>
#include <string>
#include <vector>

// Archives for tests: sound ones entry by entry, and blocks of any kind.

namespace gantry::test {

inline std::string tar_entry(const runner::TarEntry& entry, const std::string& contents = {})
{
    std::string out;
    runner::append_tar_header(entry, out);
    return out + contents + runner::tar_padding(contents.size());
}

inline runner::TarEntry entry_of(runner::TarEntry::Type type, const std::string& path, unsigned mode)
{
    runner::TarEntry entry;
    entry.type = type;
    entry.path = path;
    entry.mode = mode;
    return entry;
}

inline std::string tar_file(const std::string& path, const std::string& contents, unsigned mode = 0644)
{
    auto entry = entry_of(runner::TarEntry::Type::file, path, mode);
    entry.size_bytes = contents.size();
    return tar_entry(entry, contents);
}

inline std::string tar_folder(const std::string& path, unsigned mode = 0755)
{
    return tar_entry(entry_of(runner::TarEntry::Type::folder, path, mode));
}

inline std::string tar_link(const std::string& path, const std::string& target)
{
    auto entry = entry_of(runner::TarEntry::Type::symlink, path, 0777);
    entry.link = target;
    return tar_entry(entry);
}

inline std::string tar_hard_link(const std::string& path, const std::string& original)
{
    auto entry = entry_of(runner::TarEntry::Type::hard_link, path, 0644);
    entry.link = original;
    return tar_entry(entry);
}

// A header with this letter for its type, these twelve bytes for its size, and a sum that fits.
inline std::string tar_block(const std::string& name, char type, std::string size = "00000000000", const std::string& link = {})
{
    std::string block(512, '\0');
    const auto put = [&block](std::size_t at, const std::string& text) { block.replace(at, text.size(), text); };
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    size.resize(12, '\0');
    put(124, size);
    put(136, "00000000000");
    put(148, "        ");
    block[156] = type;
    put(157, link);
    put(257, std::string("ustar\0" "00", 8));
    unsigned sum = 0;
    for (const char byte : block)
        sum += static_cast<unsigned char>(byte);
    char digits[8];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    put(148, std::string(digits, 7));
    return block;
}

// A pax header of these records, whole lines each.
inline std::string tar_pax(const std::string& records)
{
    char size[12];
    std::snprintf(size, sizeof size, "%011zo", records.size());
    return tar_block("pax", 'x', size) + records + runner::tar_padding(records.size());
}

inline std::string archive_of(const std::vector<std::string>& entries)
{
    std::string bytes;
    for (const auto& entry : entries)
        bytes += entry;
    return bytes + runner::tar_end();
}

} // namespace gantry::test
