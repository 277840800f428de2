#include "runner/service_files.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "pipeline/container_values.hpp"
#include "runner/archive_reader.hpp"
#include "runner/archive_words.hpp"
#include "runner/lower_container.hpp"
#include "runner/placing.hpp"
#include "runner/tar.hpp"
#include "runner/workspace_link.hpp"

#include <fmt/format.h>

#include <archive.h>
#include <archive_entry.h>

#include <map>
#include <memory>
#include <optional>

namespace gantry::runner {

namespace {

constexpr std::uint32_t k_content_mode = 0444;

using Entry = std::unique_ptr<archive_entry, decltype(&archive_entry_free)>;

void require(archive* of, int code)
{
    if (code < ARCHIVE_WARN)
        throw Error(Errc::internal,
                    std::string("files: ") + (archive_error_string(of) ? archive_error_string(of) : "archive"));
}

[[noreturn]] void too_large()
{
    throw Error(Errc::bad_input, "files: a service gets at most " + format_size(k_max_service_files),
                "build an image that has them");
}

// Compose makes a folder of what is bound and is not there. What a Compose file says stands in another file than the stage.
bool is_of_compose(const pipeline::ContainerFile& file, const pipeline::PlanStage& stage)
{
    return file.mark.file != stage.mark.file;
}

// Where an entry of the archive of a file or folder goes.
std::string placed_at(const PlacedFile& file, std::string_view name)
{
    const auto below = below_top(name);
    return below.empty() ? file.target : file.target + "/" + below;
}

// The archive of a file or folder of the workspace; of a link, of what it leads to, as Compose's bind has it. nullopt: it is not
// there.
awaitable<std::optional<std::string>> pack(engine::Engine& engine, const std::string& carrier, const PlacedFile& file, std::size_t& total)
{
    auto written = std::string(k_workspace) + (file.source == "." ? "" : "/" + file.source);
    const auto path = co_await follow_in_workspace(engine, carrier, std::move(written));
    std::string packed;
    const engine::WritePiece take = [&packed, &total](std::string_view bytes) -> awaitable<void> {
        total += bytes.size();
        if (total > k_max_service_files)
            too_large();
        packed += bytes;
        co_return;
    };
    try {
        co_await engine.download(carrier, path, take);
    } catch (const Error& error) {
        if (error.code() != Errc::not_found && !is_behind_a_file(error))
            throw;
        co_return std::nullopt;
    }
    co_return std::move(packed);
}

} // namespace

std::vector<PlacedFile> lower_files(const ServiceContext& context)
{
    const auto scope = make_scope(context.plan->event, *context.stage, &context.facts);
    std::vector<PlacedFile> files;
    for (const auto& file : context.service->files) {
        PlacedFile placed;
        placed.target = compute(file.target, "files", scope);
        if (const auto& rule = pipeline::k_file_target_rule; !rule.fits(placed.target))
            throw Error(Errc::bad_input, fmt::format("files: '{}' is not {}", terminal_safe(placed.target), rule.what), rule.hint);
        placed.source = file.source;
        placed.may_be_missing = is_of_compose(file, *context.stage);
        if (file.content)
            placed.content = compute(*file.content, "files", scope);
        placed.mode = file.mode;
        placed.uid = file.uid.value_or(0);
        placed.gid = file.gid.value_or(0);
        files.push_back(std::move(placed));
    }
    return files;
}

FileArchive::FileArchive(std::string place) : place_(std::move(place)), archive_(archive_write_new())
{
    archive_write_set_format_pax_restricted(archive_);
    archive_write_set_bytes_per_block(archive_, 0);
    const auto take = [](archive*, void* self, const void* bytes, std::size_t size) -> la_ssize_t {
        static_cast<FileArchive*>(self)->bytes_.append(static_cast<const char*>(bytes), size);
        return static_cast<la_ssize_t>(size);
    };
    archive_write_open(archive_, this, nullptr, take, nullptr);
}

FileArchive::~FileArchive() { archive_write_free(archive_); }

std::string FileArchive::name_in(const std::string& path) const
{
    const auto name = path.substr(place_.size());
    return name.empty() ? "." : name.substr(name.find_first_not_of('/'));
}

void FileArchive::add(const PlacedFile& file, const std::string& path, archive_entry* entry)
{
    archive_entry_set_pathname(entry, name_in(path).c_str());
    archive_entry_set_uid(entry, file.uid);
    archive_entry_set_gid(entry, file.gid);
    archive_entry_set_uname(entry, nullptr);
    archive_entry_set_gname(entry, nullptr);
    if (file.mode && archive_entry_filetype(entry) == AE_IFREG)
        archive_entry_set_perm(entry, *file.mode);
    require(archive_, archive_write_header(archive_, entry));
}

void FileArchive::add_content(const PlacedFile& file)
{
    const Entry entry(archive_entry_new(), archive_entry_free);
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), k_content_mode);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(file.content.size()));
    add(file, file.target, entry.get());
    if (archive_write_data(archive_, file.content.data(), file.content.size()) < 0)
        require(archive_, ARCHIVE_FATAL);
}

void FileArchive::add_empty_folder(const PlacedFile& file)
{
    const Entry entry(archive_entry_new(), archive_entry_free);
    archive_entry_set_filetype(entry.get(), AE_IFDIR);
    archive_entry_set_perm(entry.get(), 0755);
    add(file, file.target, entry.get());
}

void FileArchive::add_packed(const PlacedFile& file, const std::string& packed)
{
    ArchiveReader reader(packed);
    while (archive_entry* const entry = reader.next()) {
        const auto type = archive_entry_filetype(entry);
        const char* link = archive_entry_hardlink(entry);
        if (!link && type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK)
            continue; // sockets, pipes and devices have no contents to copy
        const auto path = placed_at(file, text_or_empty(archive_entry_pathname(entry)));
        const auto linked = link ? name_in(placed_at(file, link)) : std::string();
        if (link)
            archive_entry_set_hardlink(entry, linked.c_str());
        add(file, path, entry);
        for (auto piece = reader.read(); !piece.empty(); piece = reader.read())
            if (archive_write_data(archive_, piece.data(), piece.size()) < 0)
                require(archive_, ARCHIVE_FATAL);
    }
}

std::string FileArchive::finish()
{
    require(archive_, archive_write_close(archive_));
    return std::move(bytes_);
}

awaitable<std::vector<PlacedFile>> place_files(engine::Engine& engine, const std::string& carrier, const engine::ContainerSpec& spec,
                            std::vector<PlacedFile> files)
{
    std::vector<PlacedFile> missing;
    std::map<std::string, FileArchive> archives; // by the folder that each is unpacked in
    std::size_t total = 0;
    for (const auto& file : files) {
        const auto folder = folder_to_unpack_in(spec, place_of(file.target));
        auto& archive = archives.try_emplace(folder, folder).first->second;
        if (file.source.empty()) {
            total += file.content.size();
            if (total > k_max_service_files)
                too_large();
            archive.add_content(file);
            continue;
        }
        const auto packed = co_await pack(engine, carrier, file, total);
        if (!packed && !file.may_be_missing)
            throw Error(Errc::bad_input, fmt::format("files: there is no '{}' in the workspace", terminal_safe(file.source)),
                        "'source' is a file or folder of the repository, or what a stage makes that this one needs");
        if (packed) {
            archive.add_packed(file, *packed);
        } else {
            archive.add_empty_folder(file);
            missing.push_back(file);
        }
    }
    for (auto& [folder, archive] : archives) {
        ReadOnce source(archive.finish());
        engine::ReadPiece read = source;
        co_await engine.upload(spec.name, folder, read);
    }
    co_return missing;
}

} // namespace gantry::runner
