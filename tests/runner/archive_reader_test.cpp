// Archives as libarchive reads them, and who reads them: layers that are put together, and small files of a container.
#include "runner/archive_reader.hpp"

#include "base/error.hpp"
#include "base/scratch.hpp"
#include "runner/layer_merge.hpp"
#include "runner/tar.hpp"
#include "support/catch.hpp"
#include "support/tar_bytes.hpp"

#include <archive_entry.h>

#include <fcntl.h>
#include <unistd.h>

using namespace gantry;
using namespace gantry::runner;
using namespace gantry::test;

namespace {

const std::string k_umlaut = "\xc3\xa4.txt"; // of a pax header: the program runs in the locale "C"

std::string layer(const std::string& last)
{
    return archive_of({tar_folder("1"), tar_file("1/" + k_umlaut, "one"), tar_folder("1/src"), tar_file("1/src/z.txt", last),
                       tar_hard_link("1/umlaut", "1/" + k_umlaut), tar_link("1/to", k_umlaut)});
}

std::string cut_off(const std::string& archive)
{
    return archive.substr(0, archive.size() - 3 * 512); // the end, and what is in the last file
}

Fd spooled(const Scratch& folder, const std::string& bytes)
{
    write_file_atomic(folder / "spooled", bytes, 0600);
    return Fd(::open((folder / "spooled").c_str(), O_RDONLY));
}

std::vector<std::string> names_of(const std::string& archive)
{
    ArchiveReader reader(archive);
    std::vector<std::string> names;
    while (archive_entry* const entry = reader.next())
        names.emplace_back(archive_entry_pathname(entry));
    return names;
}

} // namespace

TEST_CASE("a name that is not ASCII is no end", "[archive_reader]")
{
    CHECK(names_of(layer("two")) ==
          std::vector<std::string>{"1/", "1/" + k_umlaut, "1/src/", "1/src/z.txt", "1/umlaut", "1/to"});
}

TEST_CASE("what libarchive cannot read is damaged, in headers and in contents", "[archive_reader]")
{
    auto wrong_sum = layer("two");
    wrong_sum[wrong_sum.find("1/src/z.txt")] = '2';
    CHECK_THROWS_WITH(names_of(wrong_sum), ContainsSubstring("the archive is damaged: "));
    CHECK_THROWS_WITH(names_of("no archive"), ContainsSubstring("the archive is damaged: "));

    const auto cut = cut_off(archive_of({tar_file("a", "contents")}));
    ArchiveReader by_piece(cut), by_block(cut);
    REQUIRE(by_piece.next());
    CHECK_THROWS_WITH(by_piece.read(), ContainsSubstring("the archive is damaged: "));
    REQUIRE(by_block.next());
    CHECK_THROWS_WITH(by_block.next_block(), ContainsSubstring("the archive is damaged: "));
}

TEST_CASE("layers are compared to their ends, whatever their names", "[archive_reader]")
{
    const Scratch folder;
    const auto one = changes_of(spooled(folder, layer("one")));
    CHECK(one.size() == 5);
    CHECK(one.contains(k_umlaut));
    CHECK_FALSE(first_conflict(one, changes_of(spooled(folder, layer("one")))));
    CHECK(first_conflict(one, changes_of(spooled(folder, layer("two")))) == "src/z.txt");
    CHECK_THROWS_AS(changes_of(spooled(folder, cut_off(archive_of({tar_file("1/a", "contents")})))), Error);
}

TEST_CASE("a layer that is copied has all of its files, whatever their names", "[archive_reader]")
{
    const Scratch folder;
    const auto copied = [&folder](const std::string& archive) {
        const Fd copy(::open((folder / "copy").c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
        rename_top(spooled(folder, archive), copy, "workspace");
        return read_file(folder / "copy", 1 << 20);
    };
    const auto copy = copied(layer("two"));
    CHECK(names_of(copy) == std::vector<std::string>{"workspace/", "workspace/" + k_umlaut, "workspace/src/",
                                                     "workspace/src/z.txt", "workspace/umlaut", "workspace/to"});
    CHECK(small_files_of(copy, 3).at("workspace/" + k_umlaut) == "one");
    CHECK_THROWS_AS(copied(cut_off(archive_of({tar_file("1/a", "contents")}))), Error);
}

TEST_CASE("folders of a layer are marked, and all else stays", "[archive_reader]")
{
    const Scratch folder;
    const Fd marked(::open((folder / "marked").c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
    mark_opaque(spooled(folder, layer("two")), marked, {"src", "to"});
    CHECK(names_of(read_file(folder / "marked", 1 << 20)) == names_of(layer("two")));
    ::lseek(marked.get(), 0, SEEK_SET);
    const auto changes = changes_of(marked);
    CHECK_FALSE(first_conflict(changes, changes_of(spooled(folder, layer("two")))));
    for (const auto& [path, change] : changes)
        CHECK(change.is_opaque == (path == "src"));
}

TEST_CASE("small files are found behind any name, and large ones are left out", "[archive_reader]")
{
    const auto archive = archive_of({tar_file("a" + k_umlaut, "x"), tar_file("env", "A=1"), tar_file("large", "1234")});
    const auto found = small_files_of(archive, 3);
    CHECK(found == std::map<std::string, std::string>{{"a" + k_umlaut, "x"}, {"env", "A=1"}});
    CHECK_THROWS_AS(small_files_of(cut_off(archive_of({tar_file("env", "A=1")})), 1 << 20), Error);
}
