#include "engine/docker/renamed_members.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace gantry::engine::docker {

namespace {

constexpr std::size_t k_block = 512;
constexpr std::uint64_t k_extended_limit_bytes = 1 << 20;

struct HeaderField {
    std::size_t at, size;
};
constexpr HeaderField k_name{0, 100}, k_size{124, 12}, k_sum{148, 8}, k_link{157, 100}, k_prefix{345, 155};
constexpr std::size_t k_type_at = 156;

std::string text_of(std::string_view header, HeaderField field)
{
    const auto text = header.substr(field.at, field.size);
    return std::string(text.substr(0, text.find('\0')));
}

// Octal digits, or binary where the first bit is set (GNU's way beyond 8 GiB).
std::uint64_t size_of(std::string_view header)
{
    const auto digits = header.substr(k_size.at, k_size.size);
    std::uint64_t size = 0;
    if ((static_cast<unsigned char>(digits.front()) & 0x80U) != 0) {
        for (const char byte : digits.substr(4))
            size = size << 8U | static_cast<unsigned char>(byte);
        return size;
    }
    for (const char digit : digits)
        if (digit >= '0' && digit <= '7')
            size = size * 8 + static_cast<std::uint64_t>(digit - '0');
    return size;
}

std::uint64_t padded(std::uint64_t bytes)
{
    return (bytes + k_block - 1) / k_block * k_block;
}

void put(std::string& header, HeaderField field, std::string_view text)
{
    std::fill_n(header.begin() + static_cast<std::ptrdiff_t>(field.at), field.size, '\0');
    std::copy_n(text.begin(), std::min(text.size(), field.size), header.begin() + static_cast<std::ptrdiff_t>(field.at));
}

void put_octal(std::string& header, HeaderField field, std::uint64_t value)
{
    std::string digits(field.size - 1, '0');
    for (auto place = digits.rbegin(); place != digits.rend(); ++place, value /= 8)
        *place = static_cast<char>('0' + value % 8);
    put(header, field, digits);
}

void seal(std::string& header)
{
    put(header, k_sum, "        ");
    std::uint64_t sum = 0;
    for (const char byte : header)
        sum += static_cast<unsigned char>(byte);
    put_octal(header, {k_sum.at, k_sum.size - 1}, sum);
}

// "LENGTH KEY=VALUE\n", where LENGTH counts itself.
std::string record_of(const std::string& key, const std::string& value)
{
    const auto rest = " " + key + "=" + value + "\n";
    auto length = rest.size();
    while (length != rest.size() + std::to_string(length).size())
        length = rest.size() + std::to_string(length).size();
    return std::to_string(length) + rest;
}

// Without "./" or "/" in front and "/" behind.
std::string_view plain(std::string_view name)
{
    for (;;) {
        if (name.starts_with("./"))
            name.remove_prefix(2);
        else if (name.starts_with('/'))
            name.remove_prefix(1);
        else if (name.ends_with('/'))
            name.remove_suffix(1);
        else
            return name;
    }
}

Error both_at_once()
{
    return Error(Errc::unsupported, "this engine cannot unpack into a mount and beside it at once");
}

Error broken()
{
    return Error(Errc::internal, "the engine's archive has an extended header that cannot be read");
}

} // namespace

std::string RenamedMembers::feed(std::string_view bytes)
{
    std::string out;
    while (!bytes.empty()) {
        if (passing_bytes_ > 0) {
            const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(passing_bytes_, bytes.size()));
            out.append(bytes.substr(0, count));
            bytes.remove_prefix(count);
            passing_bytes_ -= count;
            continue;
        }
        const auto wanted = extended_bytes_ > 0 ? static_cast<std::size_t>(extended_bytes_) : k_block;
        const auto count = std::min(wanted - pending_.size(), bytes.size());
        pending_.append(bytes.substr(0, count));
        bytes.remove_prefix(count);
        if (pending_.size() < wanted)
            break;
        if (extended_bytes_ > 0)
            take_extended();
        else
            take_header(out);
    }
    return out;
}

void RenamedMembers::take_extended()
{
    records_.emplace();
    const auto size = size_of(pending_);
    for (auto rest = std::string_view(pending_).substr(k_block, static_cast<std::size_t>(size)); !rest.empty();) {
        std::size_t length = 0;
        const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), length);
        const auto digits = static_cast<std::size_t>(read.ptr - rest.data());
        if (read.ec != std::errc() || length > rest.size() || length < digits + 3 || rest[length - 1] != '\n')
            throw broken();
        const auto record = rest.substr(digits + 1, length - digits - 2);
        const auto equals = record.find('=');
        if (rest[digits] != ' ' || equals == std::string_view::npos)
            throw broken();
        records_->insert_or_assign(std::string(record.substr(0, equals)), std::string(record.substr(equals + 1)));
        rest.remove_prefix(length);
    }
    extended_ = std::move(pending_);
    pending_.clear();
    extended_bytes_ = 0;
}

void RenamedMembers::take_header(std::string& out)
{
    if (pending_.find_first_not_of('\0') == std::string::npos) { // the end of the archive
        out += std::exchange(pending_, {});
        return;
    }
    const char type = pending_[k_type_at];
    const auto size = size_of(pending_);
    if (type == 'x') {
        if (size > k_extended_limit_bytes)
            throw broken();
        extended_bytes_ = k_block + padded(size);
        return;
    }
    if (type == 'L' || type == 'K') // GNU's own way to say a long name, which nobody here writes
        throw broken();
    if (type == 'g') {
        passing_bytes_ = padded(size);
        out += std::exchange(pending_, {});
        return;
    }
    const auto own = records_ ? std::move(*records_) : Records();
    const auto extended = std::exchange(extended_, {});
    records_.reset();
    std::string header = std::exchange(pending_, {});

    const auto field_or = [&own](const char* key, std::string otherwise) {
        const auto found = own.find(key);
        return found != own.end() ? found->second : std::move(otherwise);
    };
    const auto prefix = text_of(header, k_prefix);
    const auto short_name = (prefix.empty() ? "" : prefix + "/") + text_of(header, k_name);
    const auto name = field_or("path", short_name);
    const bool is_link = type == '1';
    const auto target = is_link ? field_or("linkpath", text_of(header, k_link)) : std::string();

    if (const auto size_record = own.find("size"); size_record != own.end()) {
        std::from_chars(size_record->second.data(), size_record->second.data() + size_record->second.size(), passing_bytes_);
        passing_bytes_ = padded(passing_bytes_);
    } else {
        passing_bytes_ = is_link || type == '2' || type == '5' ? 0 : padded(size);
    }
    const auto new_name = rename_(name), new_target = is_link ? rename_(target) : target;
    if (new_name == name && new_target == target) {
        out += extended + header;
        return;
    }
    auto records = own;
    const auto set = [&](const char* key, HeaderField field, const std::string& value) {
        put(header, field, value);
        if (records.contains(key) || value.size() > field.size)
            records[key] = value;
    };
    set("path", k_name, new_name);
    put(header, k_prefix, {});
    if (is_link)
        set("linkpath", k_link, new_target);
    if (!records.empty()) {
        std::string body;
        for (const auto& [key, value] : records)
            body += record_of(key, value);
        auto extra = extended.empty() ? header : extended.substr(0, k_block);
        extra[k_type_at] = 'x';
        put_octal(extra, k_size, body.size());
        seal(extra);
        body.append(padded(body.size()) - body.size(), '\0');
        out += extra + body;
    }
    seal(header);
    out += header;
}

RenamedMembers::Rename root_named(std::string folder)
{
    return [folder = std::move(folder)](const std::string& name) {
        if (folder.empty() || !name.starts_with('/'))
            return name;
        return name.find_first_not_of('/') == std::string::npos ? folder : folder + name;
    };
}

bool is_member_of(std::string_view folder, std::string_view name)
{
    const auto at = plain(name);
    return at.starts_with(folder) && (at.size() == folder.size() || at[folder.size()] == '/');
}

RenamedMembers::Rename beside(std::vector<std::string> folders)
{
    return [folders = std::move(folders)](const std::string& name) {
        for (const auto& folder : folders)
            if (is_member_of(folder, name))
                throw both_at_once();
        return name;
    };
}

RenamedMembers::Rename inside_of(std::string folder)
{
    return [folder = std::move(folder)](const std::string& name) -> std::string {
        if (!is_member_of(folder, name))
            throw both_at_once();
        const auto at = plain(name);
        return at.size() == folder.size() ? "." : std::string(at.substr(folder.size() + 1));
    };
}

} // namespace gantry::engine::docker
