#include "runner/tar_reader.hpp"

#include "base/error.hpp"
#include "base/tar_format.hpp"

#include <algorithm>
#include <utility>

namespace gantry::runner {

namespace {

// Old programs took bytes as signed.
void check_sum(std::string_view header)
{
    std::int64_t plain = 0, with_signs = 0;
    for (std::size_t i = 0; i < header.size(); ++i) {
        const char byte = i >= tar_field::sum.at && i < tar_field::sum.at + tar_field::sum.size ? ' ' : header[i];
        plain += static_cast<unsigned char>(byte);
        with_signs += static_cast<signed char>(byte);
    }
    const auto told = number_in_tar(header, tar_field::sum);
    if (told != plain && told != with_signs)
        refuse_tar("the sum of a header is wrong");
}

std::uint64_t natural_in_pax(const std::string& value)
{
    const auto number = number_in_pax(value);
    if (number < 0)
        refuse_tar("a number of a pax record is negative");
    return static_cast<std::uint64_t>(number);
}

// "1700000000.25", also before 1970: "-1.5" is half a second before -1.
void read_time(const std::string& text, TarEntry& entry)
{
    const auto point = text.find('.');
    entry.mtime = number_in_pax(std::string_view(text).substr(0, point));
    auto fraction = point == std::string::npos ? std::string() : text.substr(point + 1, 9);
    fraction.resize(9, '0');
    entry.mtime_nanoseconds = static_cast<std::uint32_t>(natural_in_pax(fraction));
    if (text.starts_with('-') && entry.mtime_nanoseconds > 0) {
        --entry.mtime;
        entry.mtime_nanoseconds = 1'000'000'000U - entry.mtime_nanoseconds;
    }
}

void apply_record(const std::string& key, const std::string& value, TarEntry& entry)
{
    if ((key == "path" || key == "linkpath") && value.find('\0') != std::string::npos)
        refuse_tar("a name has a zero in it");
    if (key == "path")
        entry.path = value;
    else if (key == "linkpath")
        entry.link = value;
    else if (key == "size")
        entry.size_bytes = size_in_pax(value);
    else if (key == "uid")
        entry.uid = natural_in_pax(value);
    else if (key == "gid")
        entry.gid = natural_in_pax(value);
    else if (key == "mtime")
        read_time(value, entry);
    else if (key.starts_with("GNU.sparse"))
        refuse_tar("it has sparse files");
}

TarEntry::Type type_of(char type, const std::string& path)
{
    switch (type) {
    case '0':
    case '7':
    case '\0': return path.ends_with('/') ? TarEntry::Type::folder : TarEntry::Type::file;
    case '1': return TarEntry::Type::hard_link;
    case '2': return TarEntry::Type::symlink;
    case '5': return TarEntry::Type::folder;
    case '3':
    case '4':
    case '6': return TarEntry::Type::other;
    default: break;
    }
    refuse_tar("it has something of a kind that is not known");
}

void tidy(std::string& path)
{
    while (path.starts_with("./"))
        path.erase(0, 2);
    while (path.size() > 1 && path.ends_with('/'))
        path.pop_back();
}

} // namespace

void TarReader::feed(std::string_view bytes)
{
    while (!bytes.empty() && phase_ != Phase::over) {
        if (phase_ == Phase::contents || phase_ == Phase::padding) {
            auto& left = phase_ == Phase::contents ? left_ : padding_;
            const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes.size()));
            if (phase_ == Phase::contents)
                sink_.contents(bytes.substr(0, count));
            bytes.remove_prefix(count);
            left -= count;
            if (left == 0)
                end_contents();
            continue;
        }
        const auto wanted = phase_ == Phase::header ? k_tar_block_bytes : static_cast<std::size_t>(left_ + padding_);
        const auto count = std::min(wanted - block_.size(), bytes.size());
        block_.append(bytes.substr(0, count));
        bytes.remove_prefix(count);
        if (block_.size() < wanted)
            return;
        if (phase_ == Phase::header)
            take_header();
        else
            take_extension();
        block_.clear();
    }
}

void TarReader::end_contents()
{
    if (phase_ == Phase::contents)
        sink_.end();
    phase_ = phase_ == Phase::contents && padding_ > 0 ? Phase::padding : Phase::header;
}

void TarReader::take_header()
{
    if (ends_tar(block_)) {
        phase_ = Phase::over;
        return;
    }
    check_sum(block_);
    const char type = block_[tar_field::type.at];
    if (!is_tar_extension(type))
        return begin_entry();
    left_ = size_in_tar(block_, tar_field::size);
    if (left_ > k_tar_extension_limit_bytes)
        refuse_tar("a name has more than a megabyte");
    padding_ = tar_padding_bytes(left_);
    extension_ = type;
    phase_ = left_ > 0 ? Phase::extension : Phase::header;
}

void TarReader::take_extension()
{
    block_.resize(static_cast<std::size_t>(left_));
    phase_ = Phase::header;
    if (extension_ == 'x' || extension_ == 'g')
        return take_records();
    auto& name = extension_ == 'L' ? long_name_ : long_link_;
    if (!name.empty())
        refuse_tar("a name is there twice");
    name = block_.substr(0, block_.find('\0'));
}

void TarReader::take_records()
{
    if (extension_ == 'x' && std::exchange(has_records_, true))
        refuse_tar("two pax headers for one entry");
    auto records = pax_records(block_);
    if (extension_ == 'x')
        records_ = std::move(records);
    else
        for (const auto& [key, value] : records)
            if (key == "path" || key == "linkpath" || key == "size" || key.starts_with("GNU.sparse"))
                refuse_tar("one name or size for all");
}

void TarReader::begin_entry()
{
    TarEntry entry;
    entry.path = name_in_tar(block_);
    entry.link = text_in_tar(block_, tar_field::link);
    entry.mode = static_cast<unsigned>(number_in_tar(block_, tar_field::mode)) & 07777U;
    entry.uid = static_cast<std::uint64_t>(number_in_tar(block_, tar_field::uid));
    entry.gid = static_cast<std::uint64_t>(number_in_tar(block_, tar_field::gid));
    entry.mtime = number_in_tar(block_, tar_field::mtime);
    entry.size_bytes = size_in_tar(block_, tar_field::size);
    if (!long_name_.empty())
        entry.path = std::exchange(long_name_, {});
    if (!long_link_.empty())
        entry.link = std::exchange(long_link_, {});
    for (const auto& [key, value] : std::exchange(records_, {}))
        apply_record(key, value, entry);
    has_records_ = false;
    entry.type = type_of(block_[tar_field::type.at], entry.path);
    if (entry.type != TarEntry::Type::file)
        entry.size_bytes = 0;
    tidy(entry.path);
    if (entry.type == TarEntry::Type::hard_link)
        tidy(entry.link);

    left_ = entry.size_bytes;
    padding_ = tar_padding_bytes(left_);
    phase_ = left_ > 0 ? Phase::contents : Phase::header;
    sink_.begin(entry);
    if (left_ == 0)
        sink_.end();
}

void TarReader::finish() const
{
    if (phase_ != Phase::over)
        throw Error(Errc::unavailable, "the engine's archive was cut off");
}

} // namespace gantry::runner
