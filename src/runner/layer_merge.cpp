#include "runner/layer_merge.hpp"

#include "base/file.hpp"
#include "base/format.hpp"
#include "runner/archive_words.hpp"
#include "runner/spool.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <memory>

namespace gantry::runner {

namespace {

awaitable<void> spool(engine::Engine& engine, const std::string& container, const std::string& path, const Fd& file)
{
    const auto write = write_to(file, "the files of a stage");
    co_await engine.download(container, path, write);
    ::lseek(file.get(), 0, SEEK_SET);
}

using Reader = std::unique_ptr<::archive, int (*)(::archive*)>;

Reader open_tar(int fd)
{
    Reader reader(archive_read_new(), archive_read_free);
    archive_read_support_format_tar(reader.get());
    if (archive_read_open_fd(reader.get(), fd, 1 << 18) != ARCHIVE_OK)
        throw Error(Errc::internal, std::string("layer: ") + archive_error_string(reader.get()));
    return reader;
}

std::string digest_of_data(::archive* reader)
{
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
    std::array<char, 1 << 16> buffer;
    for (;;) {
        const auto count = archive_read_data(reader, buffer.data(), buffer.size());
        if (count < 0)
            throw Error(Errc::internal, std::string("layer: ") + archive_error_string(reader));
        if (count == 0)
            break;
        EVP_DigestUpdate(context.get(), buffer.data(), static_cast<std::size_t>(count));
    }
    std::string digest(32, '\0');
    EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr);
    return digest;
}

// "1/src/a.txt" → "src/a.txt": the archive begins with the folder's own name.
std::string below_first(const std::string& path)
{
    const auto slash = path.find('/');
    return slash == std::string::npos ? std::string() : path.substr(slash + 1);
}

LayerChanges changes_of(int fd)
{
    LayerChanges changes;
    const auto reader = open_tar(fd);
    archive_entry* entry = nullptr;
    while (archive_read_next_header(reader.get(), &entry) == ARCHIVE_OK) {
        const auto path = below_first(text_or_empty(archive_entry_pathname(entry)));
        if (path.empty() || archive_entry_filetype(entry) == AE_IFDIR)
            continue;
        std::string digest =
            std::to_string(archive_entry_filetype(entry)) + ' ' + std::to_string(archive_entry_perm(entry)) + ' ' +
            text_or_empty(archive_entry_symlink(entry)) + ' ' + text_or_empty(archive_entry_hardlink(entry)) + ' ';
        if (archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry))
            digest += digest_of_data(reader.get());
        changes[path] = std::move(digest);
    }
    return changes;
}

// The same archive with its first folder called `name`.
void rename_top(int from, int to, const std::string& name)
{
    const auto reader = open_tar(from);
    const Reader writer(archive_write_new(), archive_write_free);
    archive_write_set_format_pax_restricted(writer.get());
    if (archive_write_open_fd(writer.get(), to) != ARCHIVE_OK)
        throw Error(Errc::internal, std::string("layer: ") + archive_error_string(writer.get()));
    archive_entry* entry = nullptr;
    std::array<char, 1 << 16> buffer;
    while (archive_read_next_header(reader.get(), &entry) == ARCHIVE_OK) {
        const auto below = below_first(text_or_empty(archive_entry_pathname(entry)));
        archive_entry_set_pathname(entry, (below.empty() ? name : name + "/" + below).c_str());
        if (const auto* link = archive_entry_hardlink(entry))
            archive_entry_set_hardlink(entry, (name + "/" + below_first(link)).c_str());
        if (archive_write_header(writer.get(), entry) < ARCHIVE_WARN)
            throw Error(Errc::internal, std::string("layer: ") + archive_error_string(writer.get()));
        for (;;) {
            const auto count = archive_read_data(reader.get(), buffer.data(), buffer.size());
            if (count <= 0)
                break;
            if (archive_write_data(writer.get(), buffer.data(), static_cast<std::size_t>(count)) < 0)
                throw Error(Errc::no_space, "writing a layer to disk");
        }
    }
    if (archive_write_close(writer.get()) != ARCHIVE_OK)
        throw Error(Errc::no_space, std::string("layer: ") + text_or_empty(archive_error_string(writer.get())));
    ::lseek(to, 0, SEEK_SET);
}

} // namespace

awaitable<LayerChanges> read_changes(engine::Engine& engine, asio::thread_pool& pool, const std::string& container,
                                     const std::string& path, const std::string& spool_folder)
{
    const auto file = spool_file(spool_folder);
    co_await spool(engine, container, path, file);
    auto work = [fd = file.get()] { return changes_of(fd); };
    co_return co_await on_pool(pool, std::move(work));
}

std::optional<std::string> first_conflict(const LayerChanges& one, const LayerChanges& other)
{
    for (const auto& [path, digest] : one) {
        const auto found = other.find(path);
        if (found != other.end() && found->second != digest)
            return path;
    }
    return std::nullopt;
}

awaitable<void> copy_in_container(engine::Engine& engine, asio::thread_pool& pool, const std::string& container,
                                  const std::string& from, const std::string& to, const std::string& name,
                                  const std::string& spool_folder)
{
    const auto original = spool_file(spool_folder);
    const auto renamed = spool_file(spool_folder);
    co_await spool(engine, container, from, original);
    auto work = [in = original.get(), out = renamed.get(), name] { rename_top(in, out, name); };
    co_await on_pool(pool, std::move(work));
    const auto read = read_from(renamed, "the files of a stage");
    co_await engine.upload(container, to, read);
}

} // namespace gantry::runner
