#include "runner/tar_reader.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "runner/archive_words.hpp"
#include "runner/tar_fields.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace gantry::runner {

namespace {

constexpr std::size_t k_tar_extension_limit_bytes = 1 << 20;
constexpr std::uint64_t k_tar_size_limit_bytes = std::uint64_t(1) << 60;

[[noreturn]] void refuse_archive(const std::string& why)
{
    throw Error(Errc::bad_input, "the archive is damaged: " + why);
}

std::string text_in(std::string_view header, tar_field::Place field)
{
    const auto text = header.substr(field.at, field.size);
    return std::string(text.substr(0, text.find('\0')));
}

// Octal digits, or GNU's base 256, which can be negative.
std::int64_t number_in(std::string_view header, tar_field::Place field)
{
    const auto bytes = header.substr(field.at, field.size);
    if (const auto first = static_cast<unsigned char>(bytes.front()); (first & 0x80U) != 0) {
        const bool is_negative = (first & 0x40U) != 0;
        std::int64_t value = is_negative ? static_cast<std::int64_t>(first) - 0x100 : static_cast<std::int64_t>(first & 0x7fU);
        for (const char byte : bytes.substr(1)) {
            if (value > std::numeric_limits<std::int64_t>::max() >> 8 || value < std::numeric_limits<std::int64_t>::min() >> 8)
                refuse_archive("a number is too large");
            value = value * 256 + static_cast<unsigned char>(byte);
        }
        return value;
    }
    const auto text = text_in(header, field);
    const auto digits = trim(text);
    std::int64_t value = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value, 8);
    if (!digits.empty() && (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || value < 0))
        refuse_archive("a number is none");
    return value;
}

std::uint64_t size_in(std::string_view header, tar_field::Place field)
{
    const auto value = number_in(header, field);
    if (value < 0 || static_cast<std::uint64_t>(value) > k_tar_size_limit_bytes)
        refuse_archive("a size cannot be");
    return static_cast<std::uint64_t>(value);
}

// Old programs took bytes as signed.
void check_sum(std::string_view header)
{
    std::int64_t plain = 0, with_signs = 0;
    for (std::size_t i = 0; i < header.size(); ++i) {
        const char byte = i >= tar_field::sum.at && i < tar_field::sum.at + tar_field::sum.size ? ' ' : header[i];
        plain += static_cast<unsigned char>(byte);
        with_signs += static_cast<signed char>(byte);
    }
    const auto told = number_in(header, tar_field::sum);
    if (told != plain && told != with_signs)
        refuse_archive("the sum of a header is wrong");
}

template <typename Number>
Number decimal(const std::string& text)
{
    Number value{};
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size())
        refuse_archive("a number of a pax record is none");
    return value;
}

// "1700000000.25", also before 1970: "-1.5" is half a second before -1.
void read_time(const std::string& text, TarEntry& entry)
{
    const auto point = text.find('.');
    entry.mtime = decimal<std::int64_t>(text.substr(0, point));
    auto fraction = point == std::string::npos ? std::string() : text.substr(point + 1, 9);
    fraction.resize(9, '0');
    entry.mtime_nanoseconds = decimal<std::uint32_t>(fraction);
    if (text.starts_with('-') && entry.mtime_nanoseconds > 0) {
        --entry.mtime;
        entry.mtime_nanoseconds = 1'000'000'000U - entry.mtime_nanoseconds;
    }
}

void apply_record(const std::string& key, const std::string& value, TarEntry& entry)
{
    if ((key == "path" || key == "linkpath") && value.find('\0') != std::string::npos)
        refuse_archive("a name has a zero in it");
    if (key == "path")
        entry.path = value;
    else if (key == "linkpath")
        entry.link = value;
    else if (key == "size")
        entry.size_bytes = decimal<std::uint64_t>(value);
    else if (key == "uid")
        entry.uid = decimal<std::uint64_t>(value);
    else if (key == "gid")
        entry.gid = decimal<std::uint64_t>(value);
    else if (key == "mtime")
        read_time(value, entry);
    else if (key.starts_with("GNU.sparse"))
        refuse_archive("it has sparse files");
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
    refuse_archive("it has something of a kind that is not known");
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
    if (block_.find_first_not_of('\0') == std::string::npos) {
        phase_ = Phase::over;
        return;
    }
    check_sum(block_);
    const char type = block_[tar_field::type.at];
    if (type != 'x' && type != 'g' && type != 'L' && type != 'K')
        return begin_entry();
    left_ = size_in(block_, tar_field::size);
    if (left_ > k_tar_extension_limit_bytes)
        refuse_archive("a name has more than a megabyte");
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
        refuse_archive("a name is there twice");
    name = block_.substr(0, block_.find('\0'));
}

// "<length> key=value\n", where the length counts itself.
void TarReader::take_records()
{
    if (extension_ == 'x' && std::exchange(has_records_, true))
        refuse_archive("two pax headers for one entry");
    std::string_view text = block_;
    while (!text.empty()) {
        std::size_t length = 0;
        const auto blank = text.find(' ');
        const auto read = std::from_chars(text.data(), text.data() + std::min(text.size(), blank), length);
        if (blank == std::string_view::npos || read.ec != std::errc() || read.ptr != text.data() + blank || length <= blank + 1 ||
            length > text.size() || text[length - 1] != '\n')
            refuse_archive("a pax record is none");
        const auto record = text.substr(blank + 1, length - blank - 2);
        const auto equals = record.find('=');
        if (equals == std::string_view::npos)
            refuse_archive("a pax record is none");
        const auto key = std::string(record.substr(0, equals));
        if (extension_ == 'x')
            records_.emplace_back(key, record.substr(equals + 1));
        else if (key == "path" || key == "linkpath" || key == "size" || key.starts_with("GNU.sparse"))
            refuse_archive("one name or size for all");
        text.remove_prefix(length);
    }
}

void TarReader::begin_entry()
{
    TarEntry entry;
    entry.path = text_in(block_, tar_field::name);
    if (const auto prefix = text_in(block_, tar_field::prefix); !prefix.empty() && block_.compare(tar_field::magic.at, 6, std::string("ustar\0", 6)) == 0)
        entry.path = prefix + "/" + entry.path;
    entry.link = text_in(block_, tar_field::link);
    entry.mode = static_cast<unsigned>(number_in(block_, tar_field::mode)) & 07777U;
    entry.uid = static_cast<std::uint64_t>(number_in(block_, tar_field::uid));
    entry.gid = static_cast<std::uint64_t>(number_in(block_, tar_field::gid));
    entry.mtime = number_in(block_, tar_field::mtime);
    entry.size_bytes = size_in(block_, tar_field::size);
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
    if (entry.size_bytes > k_tar_size_limit_bytes)
        refuse_archive("a size cannot be");
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
