#include "runner/context_filter.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "base/tar_format.hpp"
#include "runner/archive_words.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::runner {

namespace {

constexpr char k_hard_link_type = '1', k_folder_type = '5';
constexpr std::uint64_t k_shown_bytes = 1 << 20;

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
            if (shows_ && phase_ == Phase::contents)
                shown_->append(bytes.substr(0, count));
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
    if (ends_tar(block_)) {
        phase_ = Phase::over;
        return;
    }
    const char type = block_[tar_field::type.at];
    left_ = size_in_tar(block_, tar_field::size);
    if (is_tar_extension(type)) {
        if (left_ > k_tar_extension_limit_bytes)
            refuse_tar("a name has more than a megabyte");
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
        records_ = pax_records(block_);
    else if (type == 'L')
        long_name_ = block_.substr(0, block_.find('\0'));
    else if (type == 'K')
        long_link_ = block_.substr(0, block_.find('\0'));
    phase_ = Phase::header;
}

void ContextFilter::begin_entry(std::string& out)
{
    auto path = name_in_tar(header_);
    auto link = text_in_tar(header_, tar_field::link);
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
            left_ = size_in_pax(value);
    }
    const char type = header_[tar_field::type.at];
    if (!has_tar_contents(type))
        left_ = 0;
    padding_ = tar_padding_bytes(left_);

    path = below_top(path);
    if (options_.is_file && !(path.empty() && (has_tar_contents(type) || type == k_folder_type)))
        throw Error(Errc::bad_input, "it is no plain file");
    passes_ = options_.is_file || (!path.empty() && !leaves_out(path));
    if (passes_ && type == k_hard_link_type) {
        link = below_top(link);
        if (options_.replaced.contains(link))
            throw Error(Errc::bad_input,
                        fmt::format("{} is a hard link to {}, in whose place another file is sent", terminal_safe(path), terminal_safe(link)),
                        "make it a copy, or leave it out");
        if (leaves_out(link))
            throw Error(Errc::bad_input,
                        fmt::format("{} is a hard link to {}, which .dockerignore leaves out", terminal_safe(path), terminal_safe(link)),
                        "leave both out, or neither");
    }
    shows_ = passes_ && path == options_.shown && has_tar_contents(type) && type != k_hard_link_type && left_ <= k_shown_bytes;
    if (shows_)
        shown_.emplace();
    if (passes_) {
        files_ += has_tar_contents(type) ? 1 : 0;
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
    const auto is_plain = [](const std::string& text, tar_field::Place field) {
        return text.size() < field.size && std::all_of(text.begin(), text.end(), [](char c) { return c > 0; });
    };
    const auto name = header_[tar_field::type.at] == k_folder_type ? path + "/" : path;
    std::string records;
    for (const auto& [key, value] : records_)
        if (key != "path" && key != "linkpath")
            records += pax_record(key, value);
    if (!is_plain(name, tar_field::name))
        records += pax_record("path", name);
    if (!is_plain(link, tar_field::link))
        records += pax_record("linkpath", link);
    append_pax_header(records, out);
    auto header = header_;
    put_in_tar(header, tar_field::name, name);
    put_in_tar(header, tar_field::link, link);
    put_in_tar(header, {tar_field::magic.at, 8}, std::string_view("ustar\0" "00", 8)); // whatever it was
    put_in_tar(header, tar_field::prefix, {});
    seal_tar_header(header);
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
    auto header = new_tar_header(name, '0');
    put_number_in_tar(header, tar_field::size, contents.size());
    seal_tar_header(header);
    out += header;
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
