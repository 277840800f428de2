#pragma once

#include "base/file.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct archive;
struct archive_entry;

namespace gantry::runner {

// A tar archive entry by entry, by libarchive. What cannot be read throws bad_input, "the archive is damaged: WHY". Blocks.
class ArchiveReader {
public:
    enum class Packing { none, any }; // none: a compressed archive is damaged; any: gzip, bzip2, xz or zstd

    // From where the file stands. The file, or the bytes, outlive the reader.
    explicit ArchiveReader(const Fd& file);
    explicit ArchiveReader(std::string_view bytes, Packing packing = Packing::none);

    // The next entry, until the next call; null behind the last one.
    archive_entry* next();
    // The next piece of the entry's contents, until the next call, with zeros for holes; empty behind the last one.
    std::string_view read();
    struct Block {
        std::string_view bytes;
        std::uint64_t offset = 0; // in the contents: what is between two blocks is a hole
    };
    // The same without the holes, instead of read(); nothing behind the last one.
    std::optional<Block> next_block();
    // Where the header of the entry is, from the beginning of the archive.
    std::uint64_t header_offset_bytes() const;

private:
    explicit ArchiveReader(Packing packing);
    [[noreturn]] void refuse() const;

    std::unique_ptr<archive, int (*)(archive*)> archive_;
    std::string piece_;
};

} // namespace gantry::runner
