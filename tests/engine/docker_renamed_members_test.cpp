#include "engine/docker/renamed_members.hpp"

#include "engine/docker_support.hpp"

#include <archive.h>
#include <archive_entry.h>

using namespace gantry;
using namespace gantry::engine::docker;
using namespace gantry::test;

namespace {

// "TYPE NAME [-> TARGET] [= CONTENTS]", as libarchive reads them.
std::vector<std::string> members_of(const std::string& tar)
{
    const std::unique_ptr<::archive, int (*)(::archive*)> reader(archive_read_new(), archive_read_free);
    archive_read_support_format_tar(reader.get());
    REQUIRE(archive_read_open_memory(reader.get(), tar.data(), tar.size()) == ARCHIVE_OK);
    std::vector<std::string> members;
    archive_entry* entry = nullptr;
    while (archive_read_next_header(reader.get(), &entry) == ARCHIVE_OK) {
        std::string line = archive_entry_pathname(entry);
        if (const auto* link = archive_entry_hardlink(entry))
            line += std::string(" => ") + link;
        if (const auto* link = archive_entry_symlink(entry))
            line += std::string(" -> ") + link;
        std::string contents(static_cast<std::size_t>(archive_entry_size(entry)), '\0');
        archive_read_data(reader.get(), contents.data(), contents.size());
        if (!contents.empty())
            line += " = " + contents;
        members.push_back(line);
    }
    return members;
}

std::string through(RenamedMembers::Rename rename, const std::string& tar, std::size_t piece_bytes)
{
    RenamedMembers names(std::move(rename));
    std::string out;
    for (std::size_t at = 0; at < tar.size(); at += piece_bytes)
        out += names.feed(std::string_view(tar).substr(at, piece_bytes));
    return out;
}

std::string pax_record(const std::string& key, const std::string& value)
{
    const auto rest = " " + key + "=" + value + "\n";
    return std::to_string(rest.size() + 3) + rest; // of 97 to 996 bytes
}

} // namespace

TEST_CASE("the members of a mounted volume get the folder's name", "[engine]")
{
    const auto tar = tar_entry("/", '5', {}, 0755) + tar_entry("/a", '0', "A", 0644) + tar_entry("/sub", '5', {}, 0755) +
                     tar_entry("/sub/b", '0', std::string(700, 'b'), 0644) + tar_entry("/hard", '1', {}, 0644, "/sub/b") +
                     tar_entry("/soft", '2', {}, 0777, "/etc/passwd") + end_of_tar();
    const std::vector<std::string> expected{"in",      "in/a = A", "in/sub", "in/sub/b = " + std::string(700, 'b'),
                                            "in/hard => in/sub/b", "in/soft -> /etc/passwd"};
    for (const std::size_t piece : {std::size_t{1}, std::size_t{511}, std::size_t{100'000}})
        CHECK(members_of(through(root_named("in"), tar, piece)) == expected);
}

TEST_CASE("other archives pass untouched", "[engine]")
{
    const auto extended = tar_entry("x", 'x', pax_record("path", "in/" + std::string(200, 'n')), 0644);
    const auto tar = tar_entry("in", '5', {}, 0755) + extended + tar_entry("short", '0', "A", 0644) + end_of_tar();
    CHECK(through(root_named("in"), tar, 77) == tar);
    const auto rooted = tar_entry("/", '5', {}, 0755) + tar_entry("/a", '0', "A", 0644) + end_of_tar();
    CHECK(through(root_named(""), rooted, 77) == rooted);
}

TEST_CASE("long names of a mounted volume get the folder's name", "[engine]")
{
    const auto name = "/" + std::string(200, 'n');
    const auto tar = tar_entry("x", 'x', pax_record("path", name), 0644) + tar_entry("/cut", '0', "A", 0644) +
                     tar_entry("/" + std::string(98, 'm'), '0', "B", 0644) + tar_entry("/c", '0', "C", 0644) + end_of_tar();
    const std::vector<std::string> expected{"data" + name + " = A", "data/" + std::string(98, 'm') + " = B", "data/c = C"};
    CHECK(members_of(through(root_named("data"), tar, 300)) == expected);
}

TEST_CASE("what stands for no member passes, and GNU's long names are refused", "[engine]")
{
    const auto global = tar_entry("/g", 'g', "11 a=bcdef\n", 0644) + end_of_tar();
    CHECK(through(root_named("in"), global, 512) == global);
    CHECK_THROWS_AS(through(root_named("in"), tar_entry("././@LongLink", 'L', "/long", 0644), 512), Error);
}

TEST_CASE("an extended header that cannot be read is an error", "[engine]")
{
    for (const auto* body : {"12", "999 path=x\n", "9 path=xy", "x path=y\n", "7 path\n"}) {
        const auto tar = tar_entry("x", 'x', body, 0644) + tar_entry("/a", '0', "A", 0644);
        CHECK_THROWS_AS(through(root_named("in"), tar, 512), Error);
    }
    auto endless = tar_entry("x", 'x', {}, 0644);
    endless.replace(124, 11, "77777777777");
    CHECK_THROWS_AS(through(root_named("in"), endless, 512), Error);
}

TEST_CASE("an archive of a folder becomes one of what is in it", "[engine]")
{
    const auto tar = tar_entry("a/in/", '5', {}, 0755) + tar_entry("./a/in/x", '0', "X", 0644) +
                     tar_entry("a/in/hard", '1', {}, 0644, "a/in/x") + tar_entry("a/in/soft", '2', {}, 0777, "a/in/x") + end_of_tar();
    const std::vector<std::string> expected{".", "x = X", "hard => x", "soft -> a/in/x"};
    CHECK(members_of(through(inside_of("a/in"), tar, 33)) == expected);
    CHECK(through(beside({"b", "a/out"}), tar, 33) == tar);
    CHECK_THROWS_AS(through(beside({"b", "a/in"}), tar, 33), Error);
    for (const auto* other : {"a/inner", "a", "b", "in", "/a/other"})
        CHECK_THROWS_AS(through(inside_of("a/in"), tar_entry(other, '0', "x", 0644), 512), Error);
}
