#include "runner/layer_merge.hpp"

#include "base/error.hpp"
#include "runner/archive_reader.hpp"
#include "runner/archive_words.hpp"
#include "runner/overlay_marks.hpp"
#include "runner/spool.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <memory>

namespace gantry::runner {

namespace {

awaitable<void> spool(engine::Engine& engine, const std::string& container, const std::string& path, const Fd& file)
{
    const auto write = write_to(file, "the files of a stage");
    co_await engine.download(container, path, write);
    ::lseek(file.get(), 0, SEEK_SET);
}

[[noreturn]] void fail_to_write(::archive* writer)
{
    throw Error(Errc::no_space, "writing a layer to disk: " + text_or_empty(archive_error_string(writer)));
}

template <typename Change>
void rewrite_archive(const Fd& from, const Fd& to, const Change& change)
{
    ArchiveReader reader(from);
    const std::unique_ptr<::archive, int (*)(::archive*)> writer(archive_write_new(), archive_write_free);
    archive_write_set_format_pax_restricted(writer.get());
    if (archive_write_open_fd(writer.get(), to.get()) != ARCHIVE_OK)
        fail_to_write(writer.get());
    while (archive_entry* const entry = reader.next()) {
        change(entry);
        if (archive_write_header(writer.get(), entry) < ARCHIVE_WARN)
            throw Error(Errc::internal, "layer: " + text_or_empty(archive_error_string(writer.get())));
        for (auto piece = reader.read(); !piece.empty(); piece = reader.read())
            if (archive_write_data(writer.get(), piece.data(), piece.size()) < 0)
                fail_to_write(writer.get());
    }
    if (archive_write_close(writer.get()) != ARCHIVE_OK)
        fail_to_write(writer.get());
}

} // namespace

void rename_top(const Fd& from, const Fd& to, const std::string& name)
{
    rewrite_archive(from, to, [&name](archive_entry* entry) {
        const auto below = below_top(text_or_empty(archive_entry_pathname(entry)));
        archive_entry_set_pathname(entry, (below.empty() ? name : name + "/" + below).c_str());
        if (const auto* link = archive_entry_hardlink(entry))
            archive_entry_set_hardlink(entry, (name + "/" + below_top(link)).c_str());
    });
}

void mark_opaque(const Fd& from, const Fd& to, const std::set<std::string>& folders)
{
    rewrite_archive(from, to, [&folders](archive_entry* entry) {
        const auto below = below_top(text_or_empty(archive_entry_pathname(entry)));
        if (archive_entry_filetype(entry) == AE_IFDIR && folders.contains(below) && !is_opaque(entry))
            archive_entry_xattr_add_entry(entry, "trusted.overlay.opaque", "y", 1);
    });
}

awaitable<LayerChanges> read_changes(engine::Engine& engine, asio::thread_pool& pool, const std::string& container,
                                     const std::string& path, const std::string& spool_folder)
{
    const auto file = spool_file(spool_folder);
    co_await spool(engine, container, path, file);
    auto work = [&file] { return changes_of(file); };
    co_return co_await on_pool(pool, std::move(work));
}

awaitable<void> copy_in_container(engine::Engine& engine, asio::thread_pool& pool, const std::string& container,
                                  const std::string& from, const std::string& to, const std::string& name,
                                  const std::string& spool_folder)
{
    const auto original = spool_file(spool_folder);
    const auto renamed = spool_file(spool_folder);
    co_await spool(engine, container, from, original);
    auto work = [&] { rename_top(original, renamed, name); };
    co_await on_pool(pool, std::move(work));
    ::lseek(renamed.get(), 0, SEEK_SET);
    const auto read = read_from(renamed, "the files of a stage");
    co_await engine.upload(container, to, read);
}

} // namespace gantry::runner
