#include "support/catch.hpp"

#include "base/error.hpp"
#include "base/scratch.hpp"
#include "runner/snapshot.hpp"
#include "runner/snapshot_repo.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

using namespace gantry;
using namespace gantry::runner;
using namespace gantry::tests;
namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;

namespace {

constexpr std::uint64_t k_plenty = 10 << 20;

// One header of 512 bytes, whatever stands in it.
struct Header {
    std::string name;
    char type = '0';
    std::string content, link;
    unsigned mode = 0644;
    std::string size = {};   // in octal; of the content
    std::string device = "0000000";
    bool bad_sum = false;
};

std::string block(const Header& header)
{
    std::string text(512, '\0');
    const auto put = [&](std::size_t at, const std::string& field) { text.replace(at, field.size(), field); };
    char number[16];
    put(0, header.name.substr(0, 100));
    std::snprintf(number, sizeof number, "%07o", header.mode);
    put(100, number);
    put(108, "0000000");
    put(116, "0000000");
    std::snprintf(number, sizeof number, "%011zo", header.content.size());
    put(124, header.size.empty() ? number : header.size);
    put(136, "00000000000");
    put(148, "        ");
    text[156] = header.type;
    put(157, header.link.substr(0, 100));
    put(257, std::string("ustar\0" "00", 8));
    put(329, header.device);
    put(337, header.device);
    unsigned sum = header.bad_sum ? 1 : 0;
    for (const char c : text)
        sum += static_cast<unsigned char>(c);
    std::snprintf(number, sizeof number, "%06o", sum);
    put(148, std::string(number) + '\0');
    return text + header.content + std::string((512 - header.content.size() % 512) % 512, '\0');
}

std::string tar(const std::vector<Header>& headers)
{
    std::string text;
    for (const auto& header : headers)
        text += block(header);
    return text + std::string(1024, '\0');
}

std::string pax(const std::string& key, const std::string& value)
{
    const std::string rest = " " + key + "=" + value + "\n";
    std::size_t size = rest.size() + 1;
    while (std::to_string(size).size() + rest.size() != size)
        ++size;
    return std::to_string(size) + rest;
}

void write_back(const std::string& folder, const std::string& bytes, std::uint64_t limit = k_plenty)
{
    const auto writer = make_tree_writer(folder, limit);
    for (std::size_t at = 0; at < bytes.size(); at += 700)
        writer->feed(std::string_view(bytes).substr(at, 700));
    writer->finish();
}

Files files_in(const std::string& folder)
{
    Snapshot all;
    all.layers = {folder};
    return merged(all);
}

// A folder of the user's with a neighbour that nothing may touch.
struct Place {
    Scratch scratch;
    std::string root = scratch / "tree";
    std::string canary = scratch / "canary";

    Place()
    {
        fs::create_directories(root);
        write(canary, "alive");
    }
    bool untouched() const
    {
        std::size_t names = 0;
        for ([[maybe_unused]] const auto& entry : fs::directory_iterator(scratch.path()))
            ++names;
        return slurp(canary) == "alive" && names == 2;
    }
};

} // namespace

TEST_CASE("changes are written: new, replaced, removed, links, folders", "[tree_writer]")
{
    Place place;
    write(place.root + "/kept", "kept");
    write(place.root + "/replaced", "old");
    write(place.root + "/gone", "gone");
    write(place.root + "/gone_folder/a/b", "b");
    write(place.root + "/folder_to_file/x", "x");
    write(place.root + "/file_to_folder", "x");

    write_back(place.root, tar({{"./", '5'},
                           {"./replaced", '0', "new"},
                           {"gone", '3'},
                           {"gone_folder", '3'},
                           {"never_there/x", '3'},
                           {"folder_to_file", '0', "now a file"},
                           {"file_to_folder/", '5'},
                           {"file_to_folder/y", '0', "y"},
                           {"deep/without/parents", '0', "p"},
                           {"program", '0', "#!", "", 0755},
                           {"link", '2', "", "/etc/passwd"},
                           {"one", '0', "one"},
                           {"two", '1', "", "one"},
                           {"two", '1', "", "one"},
                           {"f\xc3\xbc\xff", '0', "bytes"}}));

    CHECK(files_in(place.root) == Files{{"kept", "kept"},
                                        {"replaced", "new"},
                                        {"folder_to_file", "now a file"},
                                        {"file_to_folder/y", "y"},
                                        {"deep/without/parents", "p"},
                                        {"program", "*#!"},
                                        {"link", "-> /etc/passwd"},
                                        {"one", "one"},
                                        {"two", "one"},
                                        {"f\xc3\xbc\xff", "bytes"}});
    CHECK_FALSE(fs::exists(place.root + "/gone_folder"));
    CHECK(fs::hard_link_count(place.root + "/two") == 2);
    CHECK(place.untouched());
}

TEST_CASE("an empty stream changes nothing", "[tree_writer]")
{
    Place place;
    write_back(place.root, "");
    write_back(place.root, tar({}));
    CHECK(fs::is_empty(place.root));
}

TEST_CASE("modes: no setuid, ours stay where the program bit did not change", "[tree_writer]")
{
    Place place;
    write(place.root + "/private", "old");
    ::chmod((place.root + "/private").c_str(), 0600);
    fs::create_directory(place.root + "/mine");
    ::chmod((place.root + "/mine").c_str(), 0700);
    write_back(place.root, tar({{"suid", '0', "x", "", 06755},
                                {"private", '0', "new"},
                                {"mine/", '5', "", "", 0755},
                                {"mine/a", '0', "a"},
                                {"shut/", '5', "", "", 0},
                                {"shut/a", '0', "a", "", 0}}));
    CHECK(mode_of(place.root + "/suid") == 0755);
    CHECK(mode_of(place.root + "/private") == 0600);
    CHECK(mode_of(place.root + "/mine") == 0700);
    CHECK(mode_of(place.root + "/shut") == 0700);
    CHECK(mode_of(place.root + "/shut/a") == 0600);
}

TEST_CASE("git's own files are left alone, in nested repositories, too", "[tree_writer]")
{
    Place place;
    write(place.root + "/.git/config", "mine");
    write(place.root + "/sub/.git/config", "mine");
    write(place.root + "/sub/a", "a");
    write_back(place.root, tar({{".git/config", '0', "theirs"},
                                {".GIT/hooks/pre-commit", '0', "theirs"},
                                {".git", '3'},
                                {"new/.git/config", '0', "x"},
                                {"sub/.git", '2', "", "/tmp"},
                                {"sub", '3'},
                                {"ok", '0', "ok"},
                                {"hard", '1', "", ".git/config"}}));
    CHECK(files_in(place.root) == Files{{".git/config", "mine"}, {"sub/.git/config", "mine"}, {"sub/a", "a"}, {"ok", "ok"}});
}

TEST_CASE("P11: names that lead out refuse the whole archive", "[tree_writer][probe]")
{
    const auto name = GENERATE(as<std::string>(), "../../x", "/x", "a/../../x", "./../x", "..", "a/..", "../canary", "/", "//x");
    INFO(name);
    Place place;
    CHECK_THROWS_AS(write_back(place.root, tar({{"first", '0', "x"}, {name, '0', "x"}})), Error);
    CHECK_THROWS_AS(write_back(place.root, tar({{"first", '0', "x"}, {name, '3'}})), Error);
    CHECK(fs::is_empty(place.root));
    CHECK(place.untouched());
}

TEST_CASE("P12: nothing is written behind a link, whether it came with the archive or was there", "[tree_writer][probe]")
{
    Place place;
    SECTION("of the archive")
    {
        CHECK_THROWS_WITH(write_back(place.root, tar({{"d", '2', "", "/"}, {"d/x", '0', "x"}})), ContainsSubstring("behind a link"));
        CHECK_THROWS_AS(write_back(place.root, tar({{"d/", '5'}, {"d", '2', "", ".."}, {"d/x", '0', "x"}})), Error);
        CHECK_THROWS_AS(write_back(place.root, tar({{"d", '2', "", ".."}, {"d/", '5'}, {"d/canary", '0', "x"}})), Error);
        CHECK(fs::is_empty(place.root));
    }
    SECTION("a chain of the archive")
    {
        std::vector<Header> headers;
        for (int i = 0; i < 45; ++i)
            headers.push_back({"l" + std::to_string(i), '2', "", i == 0 ? ".." : "l" + std::to_string(i - 1)});
        headers.push_back({"l44/canary", '0', "x"});
        CHECK_THROWS_AS(write_back(place.root, tar(headers)), Error);
    }
    SECTION("of the user")
    {
        fs::create_directory_symlink("..", place.root + "/up");
        CHECK_THROWS_WITH(write_back(place.root, tar({{"up/canary", '0', "x"}})), ContainsSubstring("behind a link"));
        CHECK_THROWS_AS(write_back(place.root, tar({{"up/more/deep", '0', "x"}})), Error);
        write_back(place.root, tar({{"up/canary", '3'}})); // hides nothing that is in the folder
        fs::create_symlink("../canary", place.root + "/out");
        write_back(place.root, tar({{"out", '0', "a file now"}, {"up/", '5'}, {"up/x", '0', "a folder now"}}));
        CHECK(files_in(place.root) == Files{{"out", "a file now"}, {"up/x", "a folder now"}});
    }
    CHECK(place.untouched());
}

TEST_CASE("P13: hard links lead to files of the archive only", "[tree_writer][probe]")
{
    Place place;
    write(place.root + "/mine", "mine");
    CHECK_THROWS_AS(write_back(place.root, tar({{"x", '1', "", "/etc/passwd"}})), Error);
    CHECK_THROWS_AS(write_back(place.root, tar({{"x", '1', "", "../canary"}})), Error);
    CHECK_THROWS_AS(write_back(place.root, tar({{"x", '1', "", "mine"}})), Error);
    CHECK_THROWS_AS(write_back(place.root, tar({{"l", '2', "", "../canary"}, {"x", '1', "", "l"}, {"x", '0', "evil"}})), Error);
    CHECK(files_in(place.root) == Files{{"mine", "mine"}});
    CHECK_THROWS_AS(write_back(place.root, tar({{"a", '0'}, {".", '1', "", "a"}, {"b", '1', "", "."}})), Error);
    CHECK_THROWS_AS(write_back(place.root, tar({{"a", '0'}, {"d", '2', "", ".."}, {"d/x", '1', "", "a"}})), Error);
    CHECK(files_in(place.root) == Files{{"mine", "mine"}}); // refused as a whole
    // What is written later to a name of a file does not reach its other names.
    write_back(place.root, tar({{"a", '0', "a"}, {"b", '1', "", "a"}, {"b", '0', "b"}}));
    CHECK(slurp(place.root + "/a") == "a");
    CHECK(place.untouched());
}

TEST_CASE("P14: pax headers are read before they are judged", "[tree_writer][probe]")
{
    Place place;
    const std::string out = pax("path", "../canary");
    CHECK_THROWS_AS(write_back(place.root, tar({{"x", 'x', out}, {"innocent", '0', "x"}})), Error);
    const std::string link = pax("linkpath", "../canary");
    CHECK_THROWS_AS(write_back(place.root, tar({{"x", 'x', link}, {"hard", '1', "", "innocent"}})), Error);
    const std::string name(180, 'n');
    write_back(place.root, tar({{"x", 'x', pax("path", "d/" + name)}, {"short", '0', "long"}}));
    write_back(place.root, tar({{"././@LongLink", 'L', "e/" + name + std::string(1, '\0')}, {"short", '0', "gnu"}}));
    CHECK(files_in(place.root) == Files{{"d/" + name, "long"}, {"e/" + name, "gnu"}});
    CHECK(place.untouched());
}

TEST_CASE("P15: damaged archives are refused before anything is written", "[tree_writer][probe]")
{
    Place place;
    const Header good{"good", '0', std::string(3000, 'g')};
    const std::string whole = tar({good, {"second", '0', std::string(3000, 's')}});
    SECTION("cut anywhere inside")
    {
        for (const std::size_t size : {100U, 512U, 600U, 3584U, 4000U, 4096U, 4200U, 7000U}) {
            INFO(size);
            CHECK_THROWS_AS(write_back(place.root, whole.substr(0, size)), Error);
        }
    }
    SECTION("a wrong checksum")
    {
        CHECK_THROWS_AS(write_back(place.root, tar({good, {.name = "bad", .bad_sum = true}})), Error);
    }
    SECTION("sizes that cannot be")
    {
        const std::string huge = "\x80" + std::string(3, '\0') + "\x7f\xff\xff\xff\xff\xff\xff\xff";
        for (const std::string& size : {std::string(12, '\xff'), huge, std::string("77777777777"), std::string("-0000000001")}) {
            Header bad{"bad", '0', "x"};
            bad.size = size;
            CHECK_THROWS_AS(write_back(place.root, tar({good, bad})), Error);
        }
    }
    CHECK(fs::is_empty(place.root));
}

TEST_CASE("P16: devices are refused, pipes left out, sparse files bounded", "[tree_writer][probe]")
{
    Place place;
    Header device{"null", '3'};
    device.device = "0000001";
    CHECK_THROWS_WITH(write_back(place.root, tar({{"a", '0', "a"}, device})), ContainsSubstring("is a device"));
    device.type = '4';
    CHECK_THROWS_AS(write_back(place.root, tar({device})), Error);
    Header block_zero{"zero", '4'};
    CHECK_THROWS_AS(write_back(place.root, tar({block_zero})), Error);
    CHECK(fs::is_empty(place.root));
    write_back(place.root, tar({{"pipe", '6'}, {"a", '0', "a"}}));
    CHECK(files_in(place.root) == Files{{"a", "a"}});

    const auto sparse = [](const std::string& real_size) {
        const std::string map = "1\n0\n4\n";
        const std::string content = map + std::string(512 - map.size(), '\0') + "data";
        return tar({{"x", 'x',
                     pax("GNU.sparse.major", "1") + pax("GNU.sparse.minor", "0") + pax("GNU.sparse.name", "holes") +
                         pax("GNU.sparse.realsize", real_size)},
                    {"GNUSparseFile.0/holes", '0', content}});
    };
    CHECK_THROWS_WITH(write_back(place.root, sparse("1099511627776")), ContainsSubstring("larger than"));
    write_back(place.root, sparse("100000"));
    CHECK(slurp(place.root + "/holes") == "data" + std::string(100000 - 4, '\0'));
}

TEST_CASE("P17: odd names and repeated entries have one outcome", "[tree_writer][probe]")
{
    Place place;
    write_back(place.root, tar({{"a", '0', "1"}, {"a", '0', "2"}, {"A", '0', "3"}, {"z//b/", '5'}, {"c/", '0'}, {"d/./e", '0', "e"}}));
    CHECK(slurp(place.root + "/A") == "3");
    CHECK(fs::is_directory(place.root + "/z/b"));
    CHECK(slurp(place.root + "/d/e") == "e");
    CHECK_THROWS_AS(write_back(place.root, tar({{"", '0', "x"}})), Error);
    CHECK_THROWS_AS(write_back(place.root, tar({{"f", '0', "x"}, {"f/g", '0', "x"}})), Error);
    CHECK_FALSE(fs::exists(place.root + "/f")); // refused as a whole
    write_back(place.root, tar({{"g/", '5'}, {"g/a", '0'}, {"g", '0'}, {"g/", '5'}, {"g/b", '0', "b"}}));
    CHECK(slurp(place.root + "/g/b") == "b");
    const std::string long_name(300, 'n');
    CHECK_THROWS_AS(write_back(place.root, tar({{"x", 'x', pax("path", long_name)}, {"s", '0', "x"}})), Error);
}

TEST_CASE("P18: whiteouts act inside alone", "[tree_writer][probe]")
{
    Place place;
    fs::create_directory_symlink("..", place.root + "/up");
    write_back(place.root, tar({{"up/canary", '3'}, {".wh.a", '0', ""}, {".wh..wh..opq", '0', ""}}));
    CHECK(place.untouched());
    write_back(place.root, tar({{"up", '3'}}));
    CHECK_FALSE(fs::exists(fs::symlink_status(place.root + "/up")));
    CHECK(place.untouched());
}

TEST_CASE("P20: more than the limit stops, and compressed archives are none", "[tree_writer][probe]")
{
    Place place;
    const std::string bytes = tar({{"a", '0', std::string(100000, 'a')}});
    CHECK_THROWS_WITH(write_back(place.root, bytes, 50000), ContainsSubstring("larger than 50 kB"));
    CHECK_THROWS_AS(write_back(place.root, "\x1f\x8b\x08" + std::string(1000, 'x')), Error);
    CHECK(fs::is_empty(place.root));
    write_back(place.root, bytes, bytes.size());
}

TEST_CASE("a folder that was made anew hides what it held", "[tree_writer]")
{
    Place place;
    write(place.root + "/d/old", "old");
    write_back(place.root, tar({{"x", 'x', pax("SCHILY.xattr.trusted.overlay.opaque", "y")}, {"d/", '5', "", "", 0755}, {"d/new", '0', "new"}}));
    CHECK(files_in(place.root) == Files{{"d/new", "new"}});
}

TEST_CASE("what was removed goes, also where it is further names of one whiteout", "[tree_writer]")
{
    Place place;
    write(place.root + "/a", "a");
    write(place.root + "/b/c", "c");
    write(place.root + "/d", "d");
    write_back(place.root, tar({{"a", '3'}, {"b", '1', "", "a"}, {"d", '1', "", "b"}, {"new", '0', "new"}}));
    CHECK(files_in(place.root) == Files{{"new", "new"}});
    CHECK_THROWS_AS(write_back(place.root, tar({{"x", '3'}, {"x", '2', "", "/"}, {"y", '1', "", "x"}})), Error);
}

TEST_CASE("of a folder that was removed there stays what those who did it did not have, and git's own", "[tree_writer]")
{
    Place place;
    const std::set<std::string> had{"d", "d/a", "d/sub", "d/sub/b", "e", "e/c", "f", "r", "r/x"};
    for (const auto* path : {"d/a", "d/sub/b", "d/sub/mine", "d/deep/mine", "e/c", "f", "g", "r/x", "r/.git/config"})
        write(place.root + "/" + path, path);
    fs::create_directories(place.root + "/e/empty");
    fs::create_symlink("../e", place.root + "/d/link");
    const auto writer = make_tree_writer(place.root, k_plenty, {}, [&had](const std::string& path) { return had.contains(path); });
    writer->feed(tar({{"d", '3'}, {"e", '3'}, {"f", '3'}, {"g", '3'}, {"r", '3'}}));
    writer->finish();
    CHECK(files_in(place.root) == Files{{"d/sub/mine", "d/sub/mine"}, {"d/deep/mine", "d/deep/mine"}, {"d/link", "-> ../e"}, {"g", "g"},
                                        {"r/x", "r/x"}, {"r/.git/config", "r/.git/config"}});
    CHECK_FALSE(fs::exists(place.root + "/e"));
    auto stayed = writer->stayed();
    std::sort(stayed.begin(), stayed.end());
    CHECK(stayed == std::vector<std::string>{"d/deep/mine", "d/link", "d/sub/mine", "g", "r/.git"});
    CHECK(place.untouched());
}

TEST_CASE("a removal takes what an earlier archive brought", "[tree_writer]")
{
    Place place;
    write(place.root + "/d/mine", "mine");
    const auto writer = make_tree_writer(place.root, k_plenty, {}, [](const std::string&) { return false; });
    writer->feed(tar({{"d/", '5'}, {"d/a", '0', "a"}, {"d/l", '2', "", "a"}, {"d/h", '1', "", "d/a"}, {"x", '0', "x"}}));
    writer->finish();
    CHECK(writer->stayed().empty());
    writer->feed(tar({{"d", '3'}, {"x", '3'}}));
    writer->finish();
    CHECK(files_in(place.root) == Files{{"d/mine", "mine"}});
    CHECK(writer->stayed() == std::vector<std::string>{"d/mine"});
}

TEST_CASE("archive after archive, a file takes the place of a folder and a folder that of a file", "[tree_writer]")
{
    Place place;
    const auto writer = make_tree_writer(place.root, k_plenty);
    for (const auto& changes :
         {tar({{"out/a", '0', "a"}}), tar({{"out", '0', "x"}}), tar({{"out/", '5'}, {"out/b", '0', "b"}})}) {
        writer->feed(changes);
        writer->finish();
    }
    CHECK(files_in(place.root) == Files{{"out/b", "b"}});
}

TEST_CASE("a folder in whose place a file comes is not lost with what nobody knew of", "[tree_writer]")
{
    Place place;
    write(place.root + "/d/known", "known");
    write(place.root + "/d/mine", "mine");
    write(place.root + "/file", "a file that becomes a folder");
    const auto writer = make_tree_writer(place.root, k_plenty, {}, [](const std::string& path) { return path == "d/known"; });
    writer->feed(tar({{"file/", '5'}, {"file/new", '0', "new"}, {"d", '0', "now a file"}}));
    CHECK_THROWS_WITH(writer->finish(), ContainsSubstring("it holds d/mine"));
    CHECK(files_in(place.root) == Files{{"d/mine", "mine"}, {"file/new", "new"}});
}

// ---- tar_of

namespace {

std::string whole_tar(const Snapshot& snapshot)
{
    const auto next = tar_of(snapshot);
    std::string bytes;
    for (auto piece = next(); !piece.empty(); piece = next()) {
        CHECK(piece.size() < 1 << 20);
        bytes += piece;
    }
    CHECK(next().empty());
    return bytes;
}

} // namespace

TEST_CASE("the tar of a snapshot holds what its layers show together", "[tree_writer][tar]")
{
    Place place;
    const std::string source = place.scratch / "source", cache = place.scratch / "cache";
    const std::string long_name = "deep/" + std::string(120, 'n') + "/f\xc3\xbc\xff";
    write(source + "/a", "old");
    write(source + "/b/c", "c");
    write(source + "/b/gone", "gone");
    write(source + "/e/f/g", "g");
    write(source + "/" + long_name, "long");
    write(source + "/big", std::string(700000, 'b'));
    fs::create_symlink(std::string(150, 't'), source + "/link");
    fs::create_directory(source + "/empty");
    take_snapshot({source, true, "", cache});
    fs::remove(source + "/b/gone");
    fs::remove_all(source + "/e");
    write(source + "/a", "new");
    ::chmod((source + "/a").c_str(), 0755);
    take_snapshot({source, true, "", cache});
    write(source + "/e", "a file");
    write(source + "/b/d", "d");
    const auto snapshot = take_snapshot({source, true, "", cache});
    REQUIRE(snapshot.layers.size() == (takes_whiteouts(place.scratch) ? 3 : 2));

    const std::string bytes = whole_tar(snapshot);
    write_back(place.root, bytes);

    CHECK(files_in(place.root) == Files{{"a", "*new"},
                                        {"b/c", "c"},
                                        {"b/d", "d"},
                                        {"e", "a file"},
                                        {long_name, "long"},
                                        {"big", std::string(700000, 'b')},
                                        {"link", "-> " + std::string(150, 't')}});
    CHECK(fs::is_directory(place.root + "/empty"));
    CHECK(bytes == whole_tar(snapshot));
}

TEST_CASE("a folder of the archive stands for the tree", "[tree_writer]")
{
    Place place;
    const auto below = [&](const std::string& bytes) {
        const auto writer = make_tree_writer(place.root, k_plenty, "layer");
        writer->feed(bytes);
        writer->finish();
    };
    below(tar({{"layer/", '5'}, {"layer/src/a", '0', "a"}, {"layer/b", '1', "", "layer/src/a"}}));
    CHECK(files_in(place.root) == Files{{"src/a", "a"}, {"b", "a"}});
    CHECK_THROWS_WITH(below(tar({{"other/a", '0', "a"}})), ContainsSubstring("is not in layer"));
    CHECK_THROWS_WITH(below(tar({{"layer/a", '0', "a"}, {"layer/c", '1', "", "a"}})),
                      ContainsSubstring("is not in layer"));
    CHECK(place.untouched());
}
