#include "engine/docker/renamed_members.hpp"

#include "base/error.hpp"
#include "base/tar_format.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::engine::docker {

namespace {

std::uint64_t padded(std::uint64_t bytes)
{
    return bytes + tar_padding_bytes(bytes);
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
        const auto wanted = extended_bytes_ > 0 ? static_cast<std::size_t>(extended_bytes_) : k_tar_block_bytes;
        const auto count = std::min(wanted - pending_.size(), bytes.size());
        pending_.append(bytes.substr(0, count));
        bytes.remove_prefix(count);
        if (pending_.size() < wanted)
            break;
        if (std::exchange(extended_bytes_, 0) > 0)
            extended_ = std::exchange(pending_, {}); // it goes on with its member
        else
            take_header(out);
    }
    return out;
}

void RenamedMembers::take_header(std::string& out)
{
    if (ends_tar(pending_)) {
        out += std::exchange(pending_, {});
        return;
    }
    const char type = pending_[tar_field::type.at];
    const auto size = size_in_tar(pending_, tar_field::size);
    if (type == 'x') {
        if (size > k_tar_extension_limit_bytes)
            refuse_tar("a name has more than a megabyte");
        extended_bytes_ = k_tar_block_bytes + padded(size);
        return;
    }
    if (type == 'L' || type == 'K')
        refuse_tar("it has GNU's long names");
    auto header = std::exchange(pending_, {});
    if (type == 'g') {
        passing_bytes_ = padded(size);
        out += header;
        return;
    }
    take_member(std::move(header), size, out);
}

void RenamedMembers::take_member(std::string header, std::uint64_t size, std::string& out)
{
    const auto extended = std::exchange(extended_, {});
    Records records;
    if (!extended.empty())
        records = pax_records(std::string_view(extended).substr(k_tar_block_bytes, size_in_tar(extended, tar_field::size)));
    const auto value_of = [&records](std::string_view key) -> std::string* {
        const auto found = std::find_if(records.begin(), records.end(), [&](const auto& record) { return record.first == key; });
        return found == records.end() ? nullptr : &found->second;
    };
    const char type = header[tar_field::type.at];
    const bool is_link = type == '1';
    if (const auto* large = value_of("size"))
        size = size_in_pax(*large);
    passing_bytes_ = has_tar_contents(type) ? padded(size) : 0;

    bool changes = false;
    const auto rename = [&](const char* key, tar_field::Place field, std::string name) {
        auto* record = value_of(key);
        if (record)
            name = *record;
        const auto renamed = rename_(name);
        if (renamed == name)
            return;
        changes = true;
        put_in_tar(header, field, renamed);
        if (record)
            *record = renamed;
        else if (renamed.size() > field.size)
            records.emplace_back(key, renamed);
    };
    rename("path", tar_field::name, name_in_tar(header));
    if (changes)
        put_in_tar(header, tar_field::prefix, {});
    if (is_link)
        rename("linkpath", tar_field::link, text_in_tar(header, tar_field::link));
    if (!changes) {
        out += extended + header;
        return;
    }
    if (!records.empty()) {
        std::string body;
        for (const auto& [key, value] : records)
            body += pax_record(key, value);
        auto extra = extended.empty() ? header : extended.substr(0, k_tar_block_bytes);
        extra[tar_field::type.at] = 'x';
        put_in_tar(extra, tar_field::size, fmt::format("{:011o}", body.size()));
        seal_tar_header(extra);
        out += extra + body + std::string(tar_padding_bytes(body.size()), '\0');
    }
    seal_tar_header(header);
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
