#include "runner/context_filter.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "base/tar_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace gantry::runner {

namespace {

constexpr std::size_t k_most_extension_bytes = 1 << 20;

// Fields of a ustar header: offset, length.
struct Field {
    std::size_t at, size;
};
constexpr Field k_name{0, 100}, k_mode{100, 8}, k_size{124, 12}, k_time{136, 12}, k_sum{148, 8}, k_link{157, 100}, k_prefix{345, 155};
constexpr std::size_t k_type = 156;

constexpr char k_hard_link_type = '1', k_folder_type = '5';

[[noreturn]] void damaged(std::string_view why)
{
    throw Error(Errc::bad_input, fmt::format("the archive of the build context is damaged: {}", why));
}

std::string text_at(const std::string& header, Field field)
{
    const auto text = header.substr(field.at, field.size);
    return text.substr(0, text.find('\0'));
}

// Octal, or GNU's base 256 for what is too large.
std::uint64_t number_at(const std::string& header, Field field)
{
    std::uint64_t value = 0;
    if ((static_cast<unsigned char>(header[field.at]) & 0x80U) != 0) {
        for (std::size_t i = 1; i < field.size; ++i)
            value = (value << 8U) | static_cast<unsigned char>(header[field.at + i]);
        return value;
    }
    const auto text = text_at(header, field);
    const auto digits = trim(text);
    const auto* end = digits.data() + digits.size();
    if (!digits.empty() && std::from_chars(digits.data(), end, value, 8).ptr != end)
        damaged("a number is none");
    return value;
}

void put(std::string& header, Field field, std::string_view text)
{
    header.replace(field.at, field.size, field.size, '\0');
    header.replace(field.at, std::min(field.size, text.size()), text.substr(0, field.size));
}

void seal(std::string& header)
{
    put(header, k_sum, "        ");
    unsigned sum = 0;
    for (const char byte : header)
        sum += static_cast<unsigned char>(byte);
    put(header, k_sum, fmt::format("{:06o}", sum));
    header[k_sum.at + 7] = ' ';
}

std::string new_header(std::string_view name, char type, std::uint64_t size, unsigned mode)
{
    std::string header(k_tar_block_bytes, '\0');
    put(header, k_name, name);
    put(header, k_mode, fmt::format("{:07o}", mode));
    put(header, {108, 8}, "0000000");
    put(header, {116, 8}, "0000000");
    put(header, k_size, fmt::format("{:011o}", size));
    put(header, k_time, "00000000000");
    header[k_type] = type;
    header.replace(257, 8, std::string("ustar\0" "00", 8));
    seal(header);
    return header;
}

// Links, devices and folders have nothing behind their header, whatever size it says.
bool has_contents(char type)
{
    return type < '1' || type > '6';
}

std::vector<std::pair<std::string, std::string>> parse_pax(std::string_view text)
{
    std::vector<std::pair<std::string, std::string>> records;
    while (!text.empty()) {
        std::size_t length = 0;
        const auto blank = text.find(' ');
        const auto read = std::from_chars(text.data(), text.data() + std::min(text.size(), blank), length);
        if (blank == std::string_view::npos || read.ec != std::errc() || length <= blank + 1 || length > text.size())
            damaged("a pax record is none");
        const auto record = text.substr(blank + 1, length - blank - 2);
        const auto equals = record.find('=');
        if (equals == std::string_view::npos)
            damaged("a pax record has no '='");
        records.emplace_back(record.substr(0, equals), record.substr(equals + 1));
        text.remove_prefix(length);
    }
    return records;
}

// Below the folder that was asked for, whose own name comes first: "src/main.c" of "project/src/main.c".
std::string below_top(std::string_view path)
{
    while (path.starts_with("./"))
        path.remove_prefix(2);
    const auto slash = path.find('/');
    auto rest = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    while (rest.ends_with('/'))
        rest.remove_suffix(1);
    return std::string(rest);
}

} // namespace

ContextFilter::ContextFilter(Options options) : options_(std::move(options)) {}

void ContextFilter::feed(std::string_view bytes, std::string& out)
{
    while (!bytes.empty() && phase_ != Phase::over) {
        if (phase_ == Phase::contents || phase_ == Phase::padding) {
            auto& left = phase_ == Phase::contents ? left_ : padding_;
            const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes.size()));
            if (passes_ && (phase_ == Phase::contents || !options_.is_file))
                out.append(bytes.substr(0, count));
            bytes.remove_prefix(count);
            left -= count;
            if (left == 0)
                phase_ = phase_ == Phase::contents && padding_ > 0 ? Phase::padding : Phase::header;
            continue;
        }
        const auto wanted =
            phase_ == Phase::header ? k_tar_block_bytes : static_cast<std::size_t>(left_ + tar_padding_bytes(left_));
        const auto count = std::min(wanted - block_.size(), bytes.size());
        block_.append(bytes.substr(0, count));
        bytes.remove_prefix(count);
        if (block_.size() < wanted)
            return;
        if (phase_ == Phase::header)
            take_header(out);
        else
            take_extension(extension_);
        block_.clear();
    }
}

void ContextFilter::take_header(std::string& out)
{
    if (block_.find_first_not_of('\0') == std::string::npos) {
        phase_ = Phase::over;
        return;
    }
    const char type = block_[k_type];
    left_ = number_at(block_, k_size);
    if (type == 'x' || type == 'g' || type == 'L' || type == 'K') {
        if (left_ > k_most_extension_bytes)
            damaged("a name of more than a megabyte");
        extension_ = type;
        phase_ = left_ > 0 ? Phase::extension : Phase::header;
        return;
    }
    header_ = block_;
    begin_entry(out);
}

void ContextFilter::take_extension(char type)
{
    block_.resize(static_cast<std::size_t>(left_));
    if (type == 'x')
        records_ = parse_pax(block_);
    else if (type == 'L')
        long_name_ = block_.substr(0, block_.find('\0'));
    else if (type == 'K')
        long_link_ = block_.substr(0, block_.find('\0'));
    phase_ = Phase::header;
}

void ContextFilter::begin_entry(std::string& out)
{
    auto path = text_at(header_, k_name);
    if (const auto prefix = text_at(header_, k_prefix); !prefix.empty() && header_.compare(257, 6, std::string("ustar\0", 6)) == 0)
        path = prefix + "/" + path;
    auto link = text_at(header_, k_link);
    if (!long_name_.empty())
        path = long_name_;
    if (!long_link_.empty())
        link = long_link_;
    for (const auto& [key, value] : records_) {
        if (key == "path")
            path = value;
        else if (key == "linkpath")
            link = value;
        else if (key == "size")
            std::from_chars(value.data(), value.data() + value.size(), left_);
    }
    const char type = header_[k_type];
    if (!has_contents(type))
        left_ = 0;
    padding_ = tar_padding_bytes(left_);

    path = below_top(path);
    if (options_.is_file && !(path.empty() && (has_contents(type) || type == k_folder_type)))
        throw Error(Errc::bad_input, "it is no plain file");
    passes_ = options_.is_file || (!path.empty() && !leaves_out(path));
    if (passes_ && type == k_hard_link_type) {
        link = below_top(link);
        if (leaves_out(link))
            throw Error(Errc::bad_input,
                        fmt::format("{} is a hard link to {}, which .dockerignore leaves out", terminal_safe(path), terminal_safe(link)),
                        "leave both out, or neither");
    }
    if (passes_) {
        files_ += has_contents(type) ? 1 : 0;
        bytes_ += left_;
        if (!options_.is_file)
            write_entry(path, link, out);
    }
    records_.clear();
    long_name_.clear();
    long_link_.clear();
    phase_ = left_ > 0 ? Phase::contents : Phase::header;
}

void ContextFilter::write_entry(const std::string& path, const std::string& link, std::string& out)
{
    const auto is_plain = [](const std::string& text, Field field) {
        return text.size() < field.size && std::all_of(text.begin(), text.end(), [](char c) { return c > 0; });
    };
    const auto name = header_[k_type] == k_folder_type ? path + "/" : path;
    std::string records;
    for (const auto& [key, value] : records_)
        if (key != "path" && key != "linkpath")
            records += pax_record(key, value);
    if (!is_plain(name, k_name))
        records += pax_record("path", name);
    if (!is_plain(link, k_link))
        records += pax_record("linkpath", link);
    if (!records.empty()) {
        out += new_header("pax", 'x', records.size(), 0644);
        out += records;
        out.append(tar_padding_bytes(records.size()), '\0');
    }
    auto header = header_;
    put(header, k_name, name);
    put(header, k_link, link);
    header.replace(257, 8, std::string("ustar\0" "00", 8));
    put(header, k_prefix, "");
    seal(header);
    out += header;
}

bool ContextFilter::leaves_out(const std::string& path) const
{
    if (options_.replaced.contains(path))
        return true;
    return !options_.keep.contains(path) && options_.rules.ignores(path);
}

void ContextFilter::add_file(const std::string& name, std::string_view contents, std::string& out)
{
    out += new_header(name, '0', contents.size(), 0644);
    out += contents;
    out.append(tar_padding_bytes(contents.size()), '\0');
}

void ContextFilter::finish(std::string& out)
{
    if (phase_ != Phase::over)
        throw Error(Errc::unavailable, "the engine's archive of the build context was cut off");
    if (!options_.is_file)
        out.append(2 * k_tar_block_bytes, '\0');
}

} // namespace gantry::runner
