#include "runner/packed_dockerfile.hpp"

#include "base/error.hpp"
#include "runner/archive_reader.hpp"
#include "runner/archive_words.hpp"

#include <archive_entry.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>

namespace gantry::runner {

namespace {

constexpr std::size_t k_kept_bytes = 4 << 20;
constexpr std::size_t k_read_bytes = 32 << 20; // what is packed well could take minutes
constexpr std::size_t k_dockerfile_bytes = 1 << 20;

std::string plain_path(const std::string& path)
{
    return std::filesystem::path(path).lexically_normal().relative_path().string();
}

} // namespace

void PackedDockerfile::see(std::string_view bytes)
{
    start_ += bytes.substr(0, std::min(bytes.size(), k_kept_bytes - start_.size()));
}

std::optional<std::string> PackedDockerfile::find() const
{
    const auto wanted = plain_path(path_);
    try {
        ArchiveReader reader(start_, ArchiveReader::Packing::any);
        std::size_t read = 0;
        while (archive_entry* const entry = reader.next()) {
            const bool is_it = plain_path(text_or_empty(archive_entry_pathname(entry))) == wanted;
            std::string text;
            // Also of the others: what is skipped is unpacked all the same, and would not be counted.
            for (auto piece = reader.read(); !piece.empty(); piece = reader.read()) {
                read += piece.size();
                if (read > k_read_bytes || (is_it && text.size() + piece.size() > k_dockerfile_bytes))
                    return std::nullopt;
                if (is_it)
                    text += piece;
            }
            if (is_it)
                return text;
        }
    } catch (const Error&) { // of what was cut off, or is no archive
    }
    return std::nullopt;
}

} // namespace gantry::runner
