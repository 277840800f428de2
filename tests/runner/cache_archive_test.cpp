// Archives of caches: what is measured of them, and what may be imported.
#include "base/error.hpp"
#include "base/scratch.hpp"
#include "engine/fake/tar.hpp"
#include "runner/archive_measure.hpp"
#include "runner/cache_archive.hpp"
#include "support/catch.hpp"
#include "support/tar_bytes.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <fcntl.h>
#include <unistd.h>

#include <functional>

using namespace gantry;
using namespace gantry::runner;
using namespace gantry::test;

namespace {

ArchiveSize measured(const std::string& archive, std::size_t piece)
{
    ArchiveMeasure measure;
    for (std::size_t at = 0; at < archive.size(); at += piece)
        measure.feed(std::string_view(archive).substr(at, piece));
    return measure.finish();
}

struct Member {
    std::string path;
    unsigned type = AE_IFREG;
    std::string contents, link, attribute;
};

// As libarchive writes it, with pax headers where they are needed.
std::string pax(const std::vector<Member>& members)
{
    std::string bytes;
    auto* writer = archive_write_new();
    archive_write_set_format_pax_restricted(writer);
    archive_write_open(
        writer, &bytes, nullptr,
        [](::archive*, void* target, const void* data, std::size_t size) {
            static_cast<std::string*>(target)->append(static_cast<const char*>(data), size);
            return static_cast<la_ssize_t>(size);
        },
        nullptr);
    for (const auto& member : members) {
        auto* entry = archive_entry_new();
        archive_entry_set_pathname(entry, member.path.c_str());
        archive_entry_set_filetype(entry, member.type);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_size(entry, static_cast<la_int64_t>(member.contents.size()));
        if (member.type == AE_IFLNK)
            archive_entry_set_symlink(entry, member.link.c_str());
        else if (!member.link.empty())
            archive_entry_set_hardlink(entry, member.link.c_str());
        if (!member.attribute.empty())
            archive_entry_xattr_add_entry(entry, member.attribute.c_str(), "y", 1);
        archive_write_header(writer, entry);
        archive_write_data(writer, member.contents.data(), member.contents.size());
        archive_entry_free(entry);
    }
    archive_write_close(writer);
    archive_write_free(writer);
    return bytes;
}

cache::Entry entry_named(const std::string& name)
{
    cache::Entry entry;
    entry.place.name = name;
    entry.key = "k";
    entry.run = "17";
    entry.stage = "test";
    return entry;
}

cache::Entry inspect(const std::string& archive, std::uint64_t limit_bytes = 1 << 20)
{
    const Scratch folder;
    write_file_atomic(folder / "file.tar", archive, 0600);
    const Fd file(::open((folder / "file.tar").c_str(), O_RDONLY));
    auto entry = inspect_archive(file, "file.tar", limit_bytes);
    const auto rest = archive.substr(static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_CUR)));
    CHECK(engine::read_tar(rest).contains("cache/"));
    return entry;
}

} // namespace

TEST_CASE("an archive is measured the same in pieces of any size", "[cache_archive]")
{
    const auto archive = pax({{"cache/", AE_IFDIR},
                              {"cache/a", AE_IFREG, std::string(1000, 'a')},
                              {"cache/" + std::string(300, 'n'), AE_IFREG, "12345"},
                              {"cache/sub/", AE_IFDIR},
                              {"cache/link", AE_IFLNK, "", "a"}});
    const auto whole = measured(archive, archive.size());
    CHECK(whole.entries == 4);
    CHECK(whole.size_bytes == 1005);
    for (const std::size_t piece : {1, 7, 511, 512, 513, 4096})
        CHECK(measured(archive, piece) == whole);
}

TEST_CASE("the folder itself does not count, everything else does", "[cache_archive]")
{
    const auto empty = measured(pax({{"cache/", AE_IFDIR}}), 512);
    CHECK(empty.entries == 0);
    const auto one = measured(pax({{"cache/", AE_IFDIR}, {"cache/a", AE_IFREG, "1"}}), 512);
    const auto other = measured(pax({{"cache/", AE_IFDIR}, {"cache/a", AE_IFREG, "2"}}), 512);
    CHECK(one.digest != other.digest);
    CHECK(one.digest != empty.digest);
}

TEST_CASE("what is cut off or no archive is refused", "[cache_archive]")
{
    const auto archive = pax({{"cache/", AE_IFDIR}, {"cache/a", AE_IFREG, std::string(5000, 'a')}});
    CHECK_THROWS_AS(measured(archive.substr(0, 3000), 512), Error);
    CHECK_THROWS_AS(measured("", 512), Error);
    auto huge = archive;
    huge.replace(512 + 124, 12, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    CHECK_THROWS_AS(measured(huge, 512), Error);
}

TEST_CASE("an exported cache is taken again", "[cache_archive]")
{
    for (const auto& name : {std::string("deps"), std::string("\xc3\xa9\xf0\x9f\x92\xa1"), std::string(600, 'x')}) {
        const auto rest = pax({{"cache/", AE_IFDIR}, {"cache/a", AE_IFREG, "1"}, {"cache/b", AE_IFREG, "", "cache/a"}, {"cache/l", AE_IFLNK, "", "/etc"}});
        const auto entry = inspect(archive_head(entry_named(name)) + rest);
        CHECK(entry.place.name == name);
        CHECK(entry.key == "k");
    }
}

TEST_CASE("a cache with names that are not ASCII is taken again", "[cache_archive]")
{
    const auto rest = archive_of({tar_folder("cache"), tar_file("cache/\xc3\xa4", "1"), tar_file("cache/z", "2")});
    CHECK(inspect(archive_head(entry_named("deps")) + rest).key == "k");
    CHECK_THROWS_WITH(inspect(archive_head(entry_named("deps")) + rest, 1), ContainsSubstring("file.tar: it has more than 1 B"));
}

TEST_CASE("the archive of a private cache tells the branch and not the repository", "[cache_archive]")
{
    const auto rest = pax({{"cache/", AE_IFDIR}});
    auto exported = entry_named("deps");
    exported.place.scope = cache::scope_of({"/src/shop", "branch main"});
    const auto whose = cache::whose(inspect(archive_head(exported) + rest).place);
    CHECK(whose.branch == "branch main");
    CHECK(whose.repository.empty());

    exported.place.scope = cache::scope_of({"/src/shop", ""});
    CHECK(archive_head(exported) == archive_head(entry_named("deps")));
}

TEST_CASE("archives that are not what an export writes are refused", "[cache_archive]")
{
    const auto head = archive_head(entry_named("deps"));
    const Member folder{"cache/", AE_IFDIR};
    CHECK_THROWS_AS(inspect("no archive"), Error);
    CHECK_THROWS_AS(inspect(pax({folder, {"cache/a", AE_IFREG, "1"}})), Error);
    CHECK_THROWS_AS(inspect(head), Error);
    CHECK_THROWS_AS(inspect(head + pax({folder, {"cache/../../etc/passwd", AE_IFREG, "1"}})), Error);
    CHECK_THROWS_AS(inspect(head + pax({folder, {"/etc/passwd", AE_IFREG, "1"}})), Error);
    CHECK_THROWS_AS(inspect(head + pax({folder, {"cached", AE_IFREG, "1"}})), Error);
    CHECK_THROWS_AS(inspect(head + pax({folder, {"cache/a", AE_IFREG, "", "/etc/shadow"}})), Error);
    const Member root{"cache/d", AE_IFLNK, "", "/"};
    CHECK_THROWS_AS(inspect(head + pax({folder, root, {"cache/d/x", AE_IFREG, "1"}})), Error);
    CHECK_THROWS_AS(inspect(head + pax({folder, root, {"cache/d/x/y", AE_IFREG, "1"}})), Error);
    CHECK_NOTHROW(inspect(head + pax({folder, root, {"cache/de", AE_IFREG, "1"}})));
    CHECK_THROWS_AS(inspect(head + pax({folder, {"cache/null", AE_IFCHR}})), Error);
    CHECK_NOTHROW(inspect(head + pax({folder, {"cache/pipe", AE_IFIFO}})));
    CHECK_THROWS_AS(inspect(head + pax({folder, {"cache/a", AE_IFREG, std::string(2000, 'x')}}), 1999), Error);
    const auto good = head + pax({folder, {"cache/a", AE_IFREG, std::string(20'000, 'x')}});
    CHECK_THROWS_AS(inspect(good.substr(0, good.size() / 2)), Error);
    auto noise = good;
    noise.insert(head.size(), 512, '\1');
    CHECK_THROWS_AS(inspect(noise), Error);
}

TEST_CASE("P19: what overlayfs would obey is refused, other attributes are not", "[cache_archive][probe]")
{
    const auto head = archive_head(entry_named("deps"));
    for (const std::string name : {"trusted.overlay.opaque", "trusted.overlay.redirect", "trusted.overlay.metacopy", "user.overlay.redirect"})
        CHECK_THROWS_WITH(inspect(head + pax({{"cache/", AE_IFDIR}, {"cache/a", AE_IFREG, "1", "", name}})),
                          ContainsSubstring("'cache/a' has the attribute " + name));
    CHECK_THROWS_WITH(inspect(head + pax({{"cache/", AE_IFDIR, "", "", "trusted.overlay.opaque"}})), ContainsSubstring("'cache/' has the attribute"));
    CHECK(inspect(head + pax({{"cache/", AE_IFDIR}, {"cache/a", AE_IFREG, "1", "", "user.note"}})).key == "k");
}

TEST_CASE("P21: a head that is deep, long or says a thing twice is read or refused", "[cache_archive][probe]")
{
    const auto rest = pax({{"cache/", AE_IFDIR}});
    const auto with_head = [&rest](const std::string& json) {
        return archive_of({tar_file("gantry-cache.json", json)}).substr(0, 512 + (json.size() + 511) / 512 * 512) + rest;
    };
    CHECK_THROWS_WITH(inspect(with_head(std::string(60'000, '['))), ContainsSubstring("does not tell name and key"));
    CHECK_THROWS_WITH(inspect(with_head(R"({"name": "n", "key": )" + std::string(30'000, '[') + std::string(30'000, ']') + "}")),
                      ContainsSubstring("does not tell name and key"));
    CHECK_THROWS_WITH(inspect(with_head(R"({"name": "n", "key": ")" + std::string(100'000, 'k') + "\"}")),
                      ContainsSubstring("no exported cache"));
    CHECK(inspect(with_head(R"({"name": "n", "key": "k", "key": "z"})")).key == "z"); // nobody else reads it
}
