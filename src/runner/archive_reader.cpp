#include "runner/archive_reader.hpp"

#include "base/format.hpp"
#include "base/tar_format.hpp"

#include <archive.h>

namespace gantry::runner {

namespace {

constexpr std::size_t k_piece_bytes = 1 << 16;
constexpr std::size_t k_file_block_bytes = 1 << 18;

} // namespace

ArchiveReader::ArchiveReader(Packing packing) : archive_(archive_read_new(), archive_read_free)
{
    archive_read_support_format_tar(archive_.get());
    if (packing == Packing::none)
        return;
    // By name: some of libarchive's own list start programs.
    archive_read_support_filter_gzip(archive_.get());
    archive_read_support_filter_bzip2(archive_.get());
    archive_read_support_filter_xz(archive_.get());
    archive_read_support_filter_zstd(archive_.get());
}

ArchiveReader::ArchiveReader(const Fd& file) : ArchiveReader(Packing::none)
{
    if (archive_read_open_fd(archive_.get(), file.get(), k_file_block_bytes) != ARCHIVE_OK)
        refuse();
}

ArchiveReader::ArchiveReader(std::string_view bytes, Packing packing) : ArchiveReader(packing)
{
    if (archive_read_open_memory(archive_.get(), bytes.data(), bytes.size()) != ARCHIVE_OK)
        refuse();
}

archive_entry* ArchiveReader::next()
{
    archive_entry* entry = nullptr;
    switch (archive_read_next_header(archive_.get(), &entry)) {
    case ARCHIVE_OK:
    case ARCHIVE_WARN: return entry; // a name is not ASCII: without setlocale() it stays as it is
    case ARCHIVE_EOF: return nullptr;
    default: refuse();
    }
}

std::string_view ArchiveReader::read()
{
    piece_.resize(k_piece_bytes);
    const auto count = archive_read_data(archive_.get(), piece_.data(), piece_.size());
    if (count < 0)
        refuse();
    return std::string_view(piece_).substr(0, static_cast<std::size_t>(count));
}

std::optional<ArchiveReader::Block> ArchiveReader::next_block()
{
    const void* bytes = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int code = archive_read_data_block(archive_.get(), &bytes, &size, &offset);
    if (code == ARCHIVE_EOF)
        return std::nullopt;
    if (code != ARCHIVE_OK)
        refuse();
    if (offset < 0)
        refuse_tar("a block of a file lies before it");
    return Block{{static_cast<const char*>(bytes), size}, static_cast<std::uint64_t>(offset)};
}

std::uint64_t ArchiveReader::header_offset_bytes() const
{
    return static_cast<std::uint64_t>(archive_read_header_position(archive_.get()));
}

void ArchiveReader::refuse() const
{
    const char* const why = archive_error_string(archive_.get());
    refuse_tar(why != nullptr ? terminal_safe(why) : "it ends early");
}

} // namespace gantry::runner
