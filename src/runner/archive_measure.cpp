#include "runner/archive_measure.hpp"

#include "base/error.hpp"
#include "base/tar_format.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace gantry::runner {

namespace {

constexpr std::size_t k_extension_limit_bytes = 1 << 20;
constexpr std::size_t k_size_at = 124, k_size_length = 12, k_type_at = 156;

[[noreturn]] void refuse_layer(const char* why)
{
    throw Error(Errc::bad_input, std::string("the archive of a cache: ") + why);
}

// Octal digits, or, with the top bit set, base 256 (GNU).
std::uint64_t size_in(std::string_view header)
{
    const auto field = header.substr(k_size_at, k_size_length);
    std::uint64_t size = 0;
    if (static_cast<unsigned char>(field[0]) & 0x80) {
        for (const char byte : field.substr(4))
            size = size << 8 | static_cast<unsigned char>(byte);
        return size;
    }
    for (const char digit : field)
        if (digit >= '0' && digit <= '7')
            size = size * 8 + static_cast<std::uint64_t>(digit - '0');
    return size;
}

// The value of "size" in pax records: "<length> key=value\n".
std::optional<std::uint64_t> size_of_pax(std::string_view records)
{
    while (!records.empty()) {
        std::size_t length = 0;
        const auto [end, problem] = std::from_chars(records.data(), records.data() + records.size(), length);
        const auto digits = static_cast<std::size_t>(end - records.data());
        if (problem != std::errc() || length <= digits + 1 || length > records.size())
            refuse_layer("a pax record is wrong");
        const auto record = records.substr(digits + 1, length - digits - 2);
        if (record.starts_with("size=")) {
            std::uint64_t size = 0;
            std::from_chars(record.data() + 5, record.data() + record.size(), size);
            return size;
        }
        records.remove_prefix(length);
    }
    return std::nullopt;
}

bool is_extension(char type)
{
    return type == 'x' || type == 'g' || type == 'L' || type == 'K';
}

} // namespace

void ArchiveMeasure::feed(std::string_view bytes)
{
    while (!bytes.empty() && part_ != Part::end) {
        if (part_ == Part::header) {
            const auto count = std::min(k_tar_block_bytes - block_.size(), bytes.size());
            block_.append(bytes.substr(0, count));
            bytes.remove_prefix(count);
            if (block_.size() == k_tar_block_bytes)
                begin_entry();
            continue;
        }
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
        const auto piece = bytes.substr(0, count);
        if (!is_top_)
            digest_.add(piece);
        if (type_ == 'x')
            extension_.append(piece.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(unpadded_ - extension_.size(), count))));
        bytes.remove_prefix(count);
        left_ -= count;
        if (left_ == 0)
            end_extension();
    }
}

void ArchiveMeasure::begin_entry()
{
    const auto header = std::exchange(block_, {});
    if (header.front() == '\0') { // two empty blocks end it
        part_ = Part::end;
        return;
    }
    type_ = header[k_type_at];
    unpadded_ = std::exchange(has_next_size_, false) && !is_extension(type_) ? next_size_ : size_in(header);
    if (unpadded_ > std::uint64_t(1) << 60 || (type_ == 'x' && unpadded_ > k_extension_limit_bytes))
        refuse_layer("a size in it cannot be");
    if (!is_top_) {
        digest_.add(header);
        if (!is_extension(type_)) {
            ++sum_.entries;
            sum_.size_bytes += unpadded_;
        }
    }
    left_ = (unpadded_ + k_tar_block_bytes - 1) / k_tar_block_bytes * k_tar_block_bytes;
    part_ = Part::contents;
    if (left_ == 0)
        end_extension();
}

void ArchiveMeasure::end_extension()
{
    if (type_ == 'x')
        if (const auto size = size_of_pax(std::exchange(extension_, {}))) {
            next_size_ = *size;
            has_next_size_ = true;
        }
    if (!is_extension(type_))
        is_top_ = false;
    part_ = Part::header;
}

ArchiveSize ArchiveMeasure::finish()
{
    if (part_ != Part::end)
        refuse_layer("it is cut off");
    sum_.digest = digest_.hex();
    return sum_;
}

} // namespace gantry::runner
