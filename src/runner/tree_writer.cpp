#include "base/error.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "base/tar_format.hpp"
#include "runner/archive_reader.hpp"
#include "runner/archive_words.hpp"
#include "runner/overlay_marks.hpp"
#include "runner/snapshot.hpp"
#include "runner/spool.hpp"
#include "runner/tree_writer_root.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace gantry::runner {

namespace {

constexpr std::size_t k_most_entries = 1'000'000;

[[noreturn]] void refuse_member(const std::string& path, const std::string& why)
{
    throw Error(Errc::bad_input, "archive entry '" + terminal_safe(path) + "' " + why);
}

// Names of a path that stays inside; empty for the root itself. Refuses the rest.
std::vector<std::string> names_of(const std::string& path)
{
    if (path.empty())
        refuse_member(path, "has no name");
    if (path.front() == '/')
        refuse_member(path, "is absolute");
    std::vector<std::string> names;
    for (auto& name : split(path, '/')) {
        if (name.empty() || name == ".")
            continue;
        if (name == "..")
            refuse_member(path, "leads out of the folder");
        if (name.size() > 255)
            refuse_member(path, "has a name of more than 255 bytes");
        names.push_back(std::move(name));
    }
    if (names.size() > 200)
        refuse_member(path, "is nested too deep");
    return names;
}

// Git's own files decide what runs on the user's machine.
bool is_git(const std::vector<std::string>& names)
{
    for (const auto& name : names)
        if (to_lower(name) == ".git")
            return true;
    return false;
}

// Two passes over a spooled archive: the first refuses it as a whole, the second writes.
class SpooledTreeWriter : public TreeWriter {
public:
    SpooledTreeWriter(const std::string& folder, std::uint64_t max_bytes, std::string top, Had had)
        : folder_(folder), max_bytes_(max_bytes), top_(std::move(top)), had_(std::move(had)), root_(folder), spool_(spool_file(folder))
    {
        if (had_)
            root_.restrict_removals([this](const std::string& path) { return brought_.contains(path) || had_(path); });
    }

    void feed(std::string_view piece) override
    {
        fed_bytes_ += piece.size();
        if (fed_bytes_ > max_bytes_)
            fail_size();
        write_all(spool_, piece, folder_);
    }

    void finish() override
    {
        if (fed_bytes_ == 0)
            return;
        check_end();
        pass([this](ArchiveReader& from, archive_entry* entry) { check(from, entry); });
        pass([this](ArchiveReader& from, archive_entry* entry) { apply(from, entry); });
        root_.finish();
        begin_anew();
    }

    const std::vector<std::string>& stayed() const override { return root_.stayed(); }

private:
    void begin_anew()
    {
        if (::ftruncate(spool_.get(), 0) != 0)
            throw errno_error(errno, "write to " + folder_);
        ::lseek(spool_.get(), 0, SEEK_SET);
        fed_bytes_ = file_bytes_ = 0;
        brought_.merge(files_);
        brought_.merge(links_);
        files_.clear();
        links_.clear();
        removed_.clear();
    }

    [[noreturn]] void fail_size() const
    {
        throw Error(Errc::bad_input, "the changes are larger than " + format_size(max_bytes_));
    }

    // Two empty blocks: without them the stream was cut between two entries.
    void check_end() const
    {
        char end[1024];
        const bool is_whole = fed_bytes_ >= sizeof end &&
                              ::pread(spool_.get(), end, sizeof end, static_cast<off_t>(fed_bytes_ - sizeof end)) == sizeof end &&
                              std::all_of(std::begin(end), std::end(end), [](char c) { return c == '\0'; });
        if (!is_whole)
            refuse_tar("it ends early");
    }

    template <typename Visit>
    void pass(const Visit& visit)
    {
        ::lseek(spool_.get(), 0, SEEK_SET);
        ArchiveReader from(spool_);
        std::size_t entries = 0;
        while (archive_entry* const entry = from.next()) {
            if (++entries > k_most_entries)
                throw Error(Errc::bad_input, "the archive has more than 1,000,000 entries");
            visit(from, entry);
        }
    }

    std::vector<std::string> target_of(archive_entry* entry) const
    {
        return inside(text_or_empty(archive_entry_pathname(entry)));
    }

    std::vector<std::string> inside(const std::string& path) const
    {
        auto names = names_of(path);
        if (top_.empty())
            return names;
        if (names.empty() || names.front() != top_)
            refuse_member(path, "is not in " + top_);
        names.erase(names.begin());
        return names;
    }

    // ---- first pass: names, types, sizes, links

    void check(ArchiveReader& from, archive_entry* entry)
    {
        const auto names = target_of(entry);
        const std::string path = join(names, "/");
        const bool is_folder = archive_entry_hardlink(entry) == nullptr && archive_entry_filetype(entry) == AE_IFDIR;
        if (names.empty() && !is_folder)
            refuse_member(text_or_empty(archive_entry_pathname(entry)), "is the folder itself");
        for (std::size_t depth = 1; depth < names.size(); ++depth) {
            const auto above = join({names.begin(), names.begin() + static_cast<std::ptrdiff_t>(depth)}, "/");
            if (links_.contains(above) || files_.contains(above))
                refuse_member(path, "lies behind a link or a file");
        }
        if (const char* const link = archive_entry_hardlink(entry)) {
            const auto existing = join(inside(link), "/");
            if (removed_.contains(existing)) // overlayfs has one file for all that was removed
                return note_removed(path);
            if (files_.count(existing) == 0)
                refuse_member(path, "is a hard link to something that is no file of the archive");
            files_.insert(path);
            links_.erase(path);
            removed_.erase(path);
            return;
        }
        switch (archive_entry_filetype(entry)) {
        case AE_IFREG: check_file(from, entry, path); break;
        case AE_IFDIR:
            if (links_.count(path) != 0)
                refuse_member(path, "is a folder, and a link");
            files_.erase(path);
            removed_.erase(path);
            break;
        case AE_IFLNK:
            files_.erase(path);
            removed_.erase(path);
            links_.insert(path);
            break;
        case AE_IFIFO:
        case AE_IFSOCK: break; // left out
        default:
            if (!is_whiteout(entry))
                refuse_member(path, "is a device");
            note_removed(path);
        }
    }

    void note_removed(const std::string& path)
    {
        files_.erase(path);
        links_.erase(path);
        removed_.insert(path);
    }

    void check_file(ArchiveReader& from, archive_entry* entry, const std::string& path)
    {
        const std::int64_t size = archive_entry_size(entry);
        if (size < 0 || static_cast<std::uint64_t>(size) > max_bytes_ - std::min(max_bytes_, file_bytes_))
            fail_size();
        file_bytes_ += static_cast<std::uint64_t>(size);
        // Read to its end: damage is found before anything is written.
        each_block(from, [](std::string_view, std::uint64_t) {});
        links_.erase(path);
        removed_.erase(path);
        files_.insert(path);
    }

    // ---- second pass

    void apply(ArchiveReader& from, archive_entry* entry)
    {
        const auto names = target_of(entry);
        if (names.empty() || is_git(names))
            return;
        const auto mode = static_cast<mode_t>(archive_entry_perm(entry) & 0777); // no setuid, no setgid
        const timespec time{archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
        if (const char* const link = archive_entry_hardlink(entry)) {
            const auto existing = inside(link);
            if (removed_.contains(join(names, "/")))
                root_.remove(names);
            else if (!is_git(existing))
                root_.hard_link(existing, names);
            return;
        }
        switch (archive_entry_filetype(entry)) {
        case AE_IFREG: root_.file(names, mode, time, [&](const Fd& file) { write_content(from, entry, file, join(names, "/")); }); break;
        case AE_IFDIR: root_.folder(names, mode, is_opaque(entry)); break;
        case AE_IFLNK: root_.symlink(names, text_or_empty(archive_entry_symlink(entry))); break;
        case AE_IFCHR: root_.remove(names); break;
        default: break;
        }
    }

    template <typename Use>
    void each_block(ArchiveReader& from, const Use& use)
    {
        while (const auto block = from.next_block()) {
            if (block->offset + block->bytes.size() > max_bytes_)
                fail_size();
            use(block->bytes, block->offset);
        }
    }

    // Sparse files have holes between their blocks, and behind the last.
    void write_content(ArchiveReader& from, archive_entry* entry, const Fd& file, const std::string& path)
    {
        each_block(from, [&](std::string_view bytes, std::uint64_t offset) {
            if (::lseek(file.get(), static_cast<off_t>(offset), SEEK_SET) < 0)
                throw errno_error(errno, "write " + path);
            write_all(file, bytes, path);
        });
        if (::ftruncate(file.get(), archive_entry_size(entry)) != 0)
            throw errno_error(errno, "write " + path);
    }

    std::string folder_;
    std::uint64_t max_bytes_, fed_bytes_ = 0, file_bytes_ = 0;
    std::string top_;
    Had had_;
    TreeWriterRoot root_;
    Fd spool_;
    std::set<std::string> files_, links_, removed_; // of the archive so far, in the first pass
    std::set<std::string> brought_;                 // files and links of earlier archives
};

} // namespace

std::unique_ptr<TreeWriter> make_tree_writer(const std::string& folder, std::uint64_t max_bytes, std::string top, TreeWriter::Had had)
{
    return std::make_unique<SpooledTreeWriter>(folder, max_bytes, std::move(top), std::move(had));
}

} // namespace gantry::runner
