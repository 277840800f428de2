// What stages changed, from small archives as engines make them of overlay layers, and when two of them do not go together.
#include "runner/layer_changes.hpp"

#include "base/error.hpp"
#include "base/tar_format.hpp"
#include "support/catch.hpp"
#include "support/tar_bytes.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>

using namespace gantry;
using namespace gantry::runner;
using namespace gantry::test;

namespace {

using Entries = std::vector<std::string>;
using Folders = std::set<std::string>;
const std::optional<std::string> k_none;

std::string removed(const std::string& path) { return tar_block(path, '3'); }
std::string opaque(const std::string& path) { return tar_pax(pax_record("SCHILY.xattr.trusted.overlay.opaque", "y")) + tar_folder(path); }

LayerChanges layer_of(const std::string& archive)
{
    const Fd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    write_all(file, archive, "archive");
    ::lseek(file.get(), 0, SEEK_SET);
    return changes_of(file);
}

// An archive begins with the folder itself, whatever it is called.
LayerChanges layer_of(const Entries& entries, const std::string& top = "1")
{
    return layer_of(tar_folder(top) + archive_of(entries));
}

// The same whichever of the two lies above.
std::optional<std::string> either_way(const LayerChanges& one, const LayerChanges& other)
{
    const auto found = first_conflict(one, other);
    CHECK(first_conflict(other, one) == found);
    return found;
}

std::optional<std::string> conflict(const Entries& one, const Entries& other)
{
    return either_way(layer_of(one), layer_of(other));
}

} // namespace

TEST_CASE("layers that have nothing in common go together", "[layer_changes]")
{
    CHECK(conflict(Entries{}, Entries{}) == k_none);
    CHECK(conflict({tar_folder("1/d"), tar_file("1/d/one", "x"), removed("1/old")}, {tar_folder("1/d"), tar_file("1/d/two", "y")}) == k_none);
    CHECK(conflict({tar_file("1/d", "x")}, {tar_folder("1/d-e"), tar_file("1/d-e/f", "x"), tar_file("1/d.f", "x")}) == k_none);
    CHECK(conflict({tar_folder("1/d", 0700)}, {tar_folder("1/d", 0755)}) == k_none);
}

TEST_CASE("what is the same in both is no conflict, whatever further names it has", "[layer_changes]")
{
    CHECK(conflict({tar_file("1/f", "same"), removed("1/old"), tar_link("1/l", "f")},
                   {tar_file("1/f", "same"), removed("1/old"), tar_link("1/l", "f")}) == k_none);
    // Files that were removed are hard links of each other, under the layer's own name.
    CHECK(either_way(layer_of({removed("1/gone"), tar_hard_link("1/old", "1/gone")}, "1"),
                   layer_of({removed("2/gone"), tar_hard_link("2/old", "2/gone")}, "2")) == k_none);
    CHECK(conflict({removed("1/a"), tar_hard_link("1/b", "1/a"), tar_hard_link("1/c", "1/b")}, {removed("1/c"), removed("1/b")}) == k_none);
    CHECK(conflict({tar_file("1/a", "s"), tar_hard_link("1/b", "1/a")}, {tar_file("1/b", "s"), tar_hard_link("1/a", "1/b")}) == k_none);
    CHECK(conflict({tar_file("1/a", "s"), tar_hard_link("1/b", "1/a")}, {tar_file("1/b", "s")}) == k_none);
}

TEST_CASE("one path with two contents, modes, targets or kinds is a conflict", "[layer_changes]")
{
    CHECK(conflict({tar_file("1/f", "one")}, {tar_file("1/f", "two")}) == "f");
    CHECK(conflict({tar_file("1/f", "", 0644)}, {tar_file("1/f", "", 0755)}) == "f");
    CHECK(conflict({tar_link("1/f", "a")}, {tar_link("1/f", "b")}) == "f");
    CHECK(conflict({tar_link("1/f", "a")}, {tar_file("1/f", "a")}) == "f");
    CHECK(conflict({removed("1/f")}, {tar_file("1/f", "x")}) == "f");
    CHECK(conflict({tar_block("1/f", '6')}, {removed("1/f")}) == "f");
    CHECK(conflict({tar_file("1/a", "1"), tar_hard_link("1/b", "1/a")}, {tar_file("1/a", "2"), tar_hard_link("1/b", "1/a")}) == "a");
    CHECK(conflict({removed("1/a"), tar_hard_link("1/b", "1/a")}, {tar_file("1/b", "x")}) == "b");
}

TEST_CASE("what lies in a folder that the other removed or replaced is a conflict", "[layer_changes]")
{
    const Entries writes{tar_folder("1/d"), tar_folder("1/d/e"), tar_file("1/d/e/f", "x")};
    CHECK(conflict({removed("1/d")}, writes) == "d");
    CHECK(conflict({tar_file("1/d", "x")}, writes) == "d");
    CHECK(conflict({tar_link("1/d", "x")}, writes) == "d");
    CHECK(conflict({tar_folder("1/d"), removed("1/d/e")}, writes) == "d/e");
    CHECK(conflict({removed("1/d")}, {tar_file("1/d-e", "x"), tar_file("1/d/e/f", "x")}) == "d/e/f"); // without its folders
    CHECK(conflict({removed("1/d")}, {tar_folder("1/d"), removed("1/d/e")}) == "d"); // the folder stays with one, not with the other
}

TEST_CASE("an opaque folder is a conflict with what the other has in it", "[layer_changes]")
{
    const Entries remakes{opaque("1/d"), tar_file("1/d/new", "x")};
    CHECK(conflict(remakes, {tar_folder("1/d"), tar_file("1/d/f", "x")}) == "d/f");
    CHECK(conflict(remakes, {tar_folder("1/d"), tar_folder("1/d/e"), tar_file("1/d/e/f", "x")}) == "d/e");
    CHECK(conflict(remakes, {removed("1/d")}) == "d");
    CHECK(conflict(remakes, remakes) == k_none);
    CHECK(conflict(remakes, {tar_folder("1/d"), removed("1/d/f")}) == k_none); // neither has it
    CHECK(conflict(remakes, {tar_folder("1/d"), tar_file("1/d/new", "x")}) == k_none);
    CHECK(conflict(remakes, {tar_folder("1/d-e"), tar_file("1/d-e/f", "x")}) == k_none);
    CHECK(conflict(remakes, {opaque("1/d"), tar_file("1/d/newer", "x")}) == "d/new");
}

TEST_CASE("folders are in doubt where one layer has what the other has not", "[layer_changes]")
{
    const auto one = layer_of({tar_folder("1/d"), tar_file("1/d/one", "x"), tar_folder("1/d/e"), tar_file("1/d/e/f", "x"), opaque("1/o")});
    CHECK(folders_in_doubt(one, layer_of({tar_folder("1/d"), tar_file("1/d/two", "x")})) == Folders{"d"});
    CHECK(folders_in_doubt(one, layer_of({tar_folder("1/d"), tar_folder("1/d/e"), tar_file("1/d/e/g", "x")})) == Folders{"d/e"});
    CHECK(folders_in_doubt(one, layer_of({tar_folder("1/d"), tar_folder("1/d/g"), tar_file("1/d/g/f", "x")})) == Folders{"d"});
    CHECK(folders_in_doubt(one, layer_of({tar_folder("1/d"), tar_file("1/d/one", "y"), removed("1/d/old")})) == Folders{});
    CHECK(folders_in_doubt(one, layer_of({tar_file("1/f", "x"), tar_folder("1/o"), tar_file("1/o/f", "x")})) == Folders{});
}

TEST_CASE("sizes are of contents, and links have those of their file", "[layer_changes]")
{
    const auto changes = layer_of({tar_file("1/a", "four"), tar_hard_link("1/b", "1/a"), tar_folder("1/d"), removed("1/gone")});
    CHECK(changes.at("a").size_bytes == 4);
    CHECK(changes.at("b").size_bytes == 4);
    CHECK(changes.at("d").kind == LayerChange::Kind::folder);
    CHECK(changes.at("gone").kind == LayerChange::Kind::removed);
    CHECK(changes.size() == 4);
}

TEST_CASE("an archive that cannot be a layer's is refused", "[layer_changes]")
{
    CHECK_THROWS_AS(layer_of({tar_hard_link("1/b", "1/a")}), Error);
    CHECK_THROWS_AS(layer_of({tar_hard_link("1/b", "1")}), Error);
    CHECK_THROWS_AS(layer_of({tar_file("1/../../x", "")}), Error);
    CHECK_THROWS_AS(layer_of(std::string(1024, 'x')), Error);
    CHECK(layer_of({tar_file("1/./d//f", "")}).contains("d/f"));
    CHECK(layer_of({tar_folder("1/.")}).empty());
}

TEST_CASE("many entries and deep ones take time that grows with the archive", "[layer_changes]")
{
    const auto begin = std::chrono::steady_clock::now();
    // Every name is hidden by the folder, and by none of the others.
    Entries many{opaque("1/d")}, same{tar_folder("1/d")};
    for (int i = 0; i < 60'000; ++i) {
        many.push_back(tar_file("1/d/" + std::to_string(i), ""));
        same.push_back(many.back());
    }
    CHECK(conflict(many, same) == k_none);
    same.push_back(tar_file("1/d/x", ""));
    CHECK(conflict(many, same) == "d/x");

    Entries deep, as_deep;
    std::string path = "1";
    for (int i = 0; i < 1'500; ++i) {
        path += "/d";
        deep.push_back(opaque(path));
        as_deep.push_back(tar_folder(path));
    }
    as_deep.push_back(tar_file(path + "/f", "x"));
    CHECK(conflict(deep, as_deep) == path.substr(2) + "/f");
    CHECK(folders_in_doubt(layer_of(as_deep), layer_of(deep)).empty());
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(60)); // with sanitizers, on a busy machine
}
