#include "runner/archive_measure.hpp"

#include "base/tar_format.hpp"

#include <algorithm>
#include <utility>

namespace gantry::runner {

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
    if (ends_tar(header)) {
        part_ = Part::end;
        return;
    }
    type_ = header[tar_field::type.at];
    unpadded_ = size_in_tar(header, tar_field::size);
    if (is_tar_extension(type_)) {
        if (unpadded_ > k_tar_extension_limit_bytes)
            refuse_tar("a name has more than a megabyte");
    } else {
        unpadded_ = std::exchange(next_size_, std::nullopt).value_or(unpadded_);
        if (!has_tar_contents(type_))
            unpadded_ = 0;
    }
    if (!is_top_) {
        digest_.add(header);
        if (!is_tar_extension(type_)) {
            ++sum_.entries;
            sum_.size_bytes += unpadded_;
        }
    }
    left_ = unpadded_ + tar_padding_bytes(unpadded_);
    part_ = Part::contents;
    if (left_ == 0)
        end_extension();
}

void ArchiveMeasure::end_extension()
{
    if (type_ == 'x')
        for (const auto& [key, value] : pax_records(std::exchange(extension_, {})))
            if (key == "size")
                next_size_ = size_in_pax(value);
    if (!is_tar_extension(type_))
        is_top_ = false;
    part_ = Part::header;
}

ArchiveSize ArchiveMeasure::finish()
{
    if (part_ != Part::end)
        refuse_tar("it is cut off");
    sum_.digest = digest_.hex();
    return sum_;
}

} // namespace gantry::runner
