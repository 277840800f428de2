#include "runner/cache_archive.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "base/tar_format.hpp"
#include "runner/archive_reader.hpp"
#include "runner/archive_words.hpp"
#include "runner/overlay_marks.hpp"
#include "runner/tar.hpp"

#include <archive_entry.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <set>

namespace gantry::runner {

namespace {

constexpr std::size_t k_head_limit_bytes = 1 << 16;
constexpr const char* k_head_name = "gantry-cache.json";
const std::string k_folder = "cache";

[[noreturn]] void refuse_archive(const std::string& why)
{
    throw Error(Errc::bad_input, why, "gantry cache export writes what can be imported");
}

bool is_below_folder(const std::string& path)
{
    if (path != k_folder && path.rfind(k_folder + "/", 0) != 0)
        return false;
    for (const auto& part : split(path, '/'))
        if (part == "..")
            return false;
    return true;
}

// A name below a link leads out of the folder, or nowhere.
void check_parents(const std::string& path, const std::set<std::string>& links)
{
    for (auto slash = path.rfind('/'); slash != std::string::npos && slash > 0; slash = path.rfind('/', slash - 1))
        if (links.contains(path.substr(0, slash)))
            refuse_archive("'" + terminal_safe(path) + "' is below a link");
}

// Devices of an overlay that mean "deleted" (0:0) are no danger, but no cache that was exported has them either.
void check_entry(::archive_entry* entry)
{
    const auto path = text_or_empty(archive_entry_pathname(entry));
    if (!is_below_folder(path))
        refuse_archive("'" + terminal_safe(path) + "' is not below '" + k_folder + "'");
    const auto* link = archive_entry_hardlink(entry);
    if (link && !is_below_folder(link))
        refuse_archive("'" + terminal_safe(path) + "' is a link to '" + terminal_safe(link) + "'");
    const auto type = archive_entry_filetype(entry);
    if (!link && type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK && type != AE_IFIFO)
        refuse_archive("'" + terminal_safe(path) + "' is no file, folder, link or pipe");
    if (const auto attribute = overlay_attribute(entry)) // the engine would set it, and the folder becomes a layer of mounts
        refuse_archive("'" + terminal_safe(path) + "' has the attribute " + terminal_safe(*attribute));
}

cache::Entry entry_of(const std::string& json_text)
{
    try {
        const auto json = nlohmann::json::parse(json_text);
        cache::Entry entry;
        entry.place.name = json.at("name").get<std::string>();
        entry.key = json.at("key").get<std::string>();
        entry.run = json.value("run", "");
        entry.stage = json.value("stage", "");
        entry.place.scope = cache::scope_of({"", json.value("branch", "")});
        if (!entry.place.name.empty() && !entry.key.empty())
            return entry;
    } catch (const nlohmann::json::exception&) {
        // As if it were empty.
    }
    refuse_archive("its first file does not tell name and key");
}

std::string read_head(ArchiveReader& reader)
{
    archive_entry* const entry = reader.next();
    if (!entry || text_or_empty(archive_entry_pathname(entry)) != k_head_name ||
        archive_entry_size(entry) > static_cast<la_int64_t>(k_head_limit_bytes))
        refuse_archive("this is no exported cache");
    std::string contents;
    for (auto piece = reader.read(); !piece.empty(); piece = reader.read())
        contents += piece;
    return contents;
}

// The second is where the folder begins.
std::pair<cache::Entry, std::uint64_t> inspect(const Fd& file, std::uint64_t limit_bytes)
{
    ArchiveReader reader(file);
    auto found = entry_of(read_head(reader));
    const auto head_bytes = archive_head(found).size();
    std::uint64_t size_bytes = 0;
    bool has_folder = false;
    std::set<std::string> links;
    while (archive_entry* const entry = reader.next()) {
        if (!has_folder && reader.header_offset_bytes() != head_bytes)
            refuse_archive("its head is not what an export writes");
        has_folder = true;
        check_entry(entry);
        const std::string path = text_or_empty(archive_entry_pathname(entry));
        check_parents(path, links);
        if (archive_entry_filetype(entry) == AE_IFLNK)
            links.insert(path);
        size_bytes += static_cast<std::uint64_t>(archive_entry_size(entry));
        if (size_bytes > limit_bytes)
            throw Error(Errc::bad_input, "it has more than " + format_size(limit_bytes),
                        "raise GANTRY_CACHE_MAX_EACH or GANTRY_CACHE_MAX");
    }
    if (!has_folder)
        refuse_archive("it is cut off");
    return {std::move(found), head_bytes};
}

} // namespace

std::string archive_head(const cache::Entry& entry)
{
    nlohmann::json json{{"format", 1}, {"name", entry.place.name}, {"key", entry.key}, {"run", entry.run}, {"stage", entry.stage}};
    if (const auto branch = cache::whose(entry.place).branch; !branch.empty())
        json["branch"] = branch;
    TarBuilder tar;
    tar.add_file(k_head_name, 0644, json.dump() + "\n");
    auto head = tar.finish();
    const std::string end(k_tar_block_bytes, '\0');
    while (head.size() > k_tar_block_bytes &&
           head.compare(head.size() - k_tar_block_bytes, k_tar_block_bytes, end) == 0)
        head.resize(head.size() - k_tar_block_bytes);
    return head;
}

cache::Entry inspect_archive(const Fd& file, const std::string& name, std::uint64_t limit_bytes)
{
    try {
        auto [found, head_bytes] = inspect(file, limit_bytes);
        if (::lseek(file.get(), static_cast<off_t>(head_bytes), SEEK_SET) < 0)
            throw errno_error(errno, "seek");
        return std::move(found);
    } catch (Error& error) {
        error.add_context(terminal_safe(name));
        throw;
    }
}

} // namespace gantry::runner
