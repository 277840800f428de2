#include "runner/tar.hpp"

#include "runner/archive_reader.hpp"
#include "runner/archive_words.hpp"

#include <archive.h>
#include <archive_entry.h>

namespace gantry::runner {

namespace {

la_ssize_t append(::archive*, void* target, const void* data, std::size_t size)
{
    static_cast<std::string*>(target)->append(static_cast<const char*>(data), size);
    return static_cast<la_ssize_t>(size);
}

void check(::archive* archive, int result)
{
    if (result < ARCHIVE_WARN)
        throw Error(Errc::internal, std::string("archive: ") + archive_error_string(archive));
}

void add(::archive* archive, const std::string& path, int type, int mode, std::string_view contents)
{
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, path.c_str());
    archive_entry_set_filetype(entry, static_cast<unsigned>(type));
    archive_entry_set_perm(entry, static_cast<mode_t>(mode));
    archive_entry_set_size(entry, static_cast<la_int64_t>(contents.size()));
    const int result = archive_write_header(archive, entry);
    archive_entry_free(entry);
    check(archive, result);
    if (!contents.empty())
        archive_write_data(archive, contents.data(), contents.size());
}

} // namespace

TarBuilder::TarBuilder() : archive_(archive_write_new())
{
    archive_write_set_format_pax_restricted(archive_);
    archive_write_set_bytes_in_last_block(archive_, 1);
    check(archive_, archive_write_open(archive_, &bytes_, nullptr, append, nullptr));
}

TarBuilder::~TarBuilder()
{
    archive_write_free(archive_);
}

void TarBuilder::add_folder(const std::string& path, int mode)
{
    add(archive_, path, AE_IFDIR, mode, {});
}

void TarBuilder::add_file(const std::string& path, int mode, std::string_view contents)
{
    add(archive_, path, AE_IFREG, mode, contents);
}

std::string TarBuilder::finish()
{
    check(archive_, archive_write_close(archive_));
    return std::move(bytes_);
}

awaitable<std::string> ReadOnce::operator()() const
{
    co_return std::exchange(*bytes_, {});
}

awaitable<std::map<std::string, std::string>> download_small_files(engine::Engine& engine, const std::string& container,
                                                                   const std::string& path, std::size_t limit_bytes)
{
    std::string bytes;
    engine::WritePiece collect = [&bytes, limit_bytes](std::string_view piece) -> awaitable<void> {
        if (bytes.size() + piece.size() > limit_bytes)
            throw Error(Errc::bad_input, "more than " + std::to_string(limit_bytes) + " bytes");
        bytes.append(piece);
        co_return;
    };
    try {
        co_await engine.download(container, path, collect);
    } catch (const Error& error) {
        if (error.code() == Errc::not_found || error.code() == Errc::bad_input)
            co_return std::map<std::string, std::string>();
        throw;
    }
    co_return small_files_of(bytes, limit_bytes);
}

std::map<std::string, std::string> small_files_of(std::string_view archive, std::size_t limit_bytes)
{
    std::map<std::string, std::string> files;
    ArchiveReader reader(archive);
    while (archive_entry* const entry = reader.next()) {
        if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_size(entry) > static_cast<la_int64_t>(limit_bytes))
            continue; // a small archive can have a large hole
        auto& contents = files[text_or_empty(archive_entry_pathname(entry))];
        contents.clear();
        for (auto piece = reader.read(); !piece.empty(); piece = reader.read())
            contents += piece;
    }
    return files;
}

} // namespace gantry::runner
