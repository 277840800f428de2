#include "base/error.hpp"
#include "engine/docker/renamed_members.hpp"
#include "engine/fake/tar.hpp"
#include "runner/archive_measure.hpp"
#include "runner/context_filter.hpp"
#include "runner/tar_reader.hpp"
#include "support/catch.hpp"
#include "support/tar_bytes.hpp"

#include <functional>
#include <map>

using namespace gantry;
using namespace gantry::test;
using runner::TarEntry;

namespace {

class Recorder final : public runner::TarSink {
public:
    void begin(const TarEntry& entry) override { entries.push_back(entry), texts.emplace_back(); }
    void contents(std::string_view bytes) override { texts.back() += bytes; }
    void end() override { ++ends; }

    std::vector<TarEntry> entries;
    std::vector<std::string> texts;
    std::size_t ends = 0;
};

Recorder read(const std::string& archive, std::size_t step = std::string::npos)
{
    Recorder recorder;
    runner::TarReader reader(recorder);
    for (std::size_t at = 0; at < archive.size(); at += std::min(step, archive.size()))
        reader.feed(std::string_view(archive).substr(at, step));
    reader.finish();
    return recorder;
}

TarEntry full_entry(const std::string& path)
{
    TarEntry entry;
    entry.path = path;
    entry.mode = 06755;
    entry.uid = 1000;
    entry.gid = 1001;
    entry.mtime = 1'700'000'000;
    entry.size_bytes = 3;
    return entry;
}

} // namespace

TEST_CASE("an archive reads as it was written, whatever the pieces it comes in", "[tar]")
{
    auto long_named = full_entry("d/" + std::string(250, 'n'));
    long_named.mtime_nanoseconds = 123'456'789;
    auto before_1970 = full_entry("old");
    before_1970.mtime = -2;
    before_1970.mtime_nanoseconds = 500'000'000;
    auto large_ids = full_entry("ids \xff\n");
    large_ids.uid = large_ids.gid = 4'000'000'000;
    auto folder = entry_of(TarEntry::Type::folder, "d", 0700);
    auto link = entry_of(TarEntry::Type::symlink, "l", 0777);
    link.link = std::string(300, 't');
    const auto archive = archive_of({tar_entry(folder), tar_entry(long_named, "one"), tar_entry(before_1970, "two"),
                                     tar_entry(large_ids, "thr"), tar_entry(link), tar_file("empty", ""), tar_hard_link("h", "d/x")});
    for (const std::size_t step : {std::size_t(1), std::size_t(7), std::size_t(512), std::string::npos}) {
        const auto seen = read(archive, step);
        REQUIRE(seen.entries.size() == 7);
        CHECK(seen.ends == 7);
        CHECK(seen.entries[0] == folder);
        CHECK(seen.entries[1] == long_named);
        CHECK(seen.entries[2] == before_1970);
        CHECK(seen.entries[3] == large_ids);
        CHECK(seen.entries[4] == link);
        CHECK(seen.texts == std::vector<std::string>{"", "one", "two", "thr", "", "", ""});
        CHECK(seen.entries[6].link == "d/x");
    }
}

TEST_CASE("an archive that is cut off anywhere is told", "[tar]")
{
    const auto archive = archive_of({tar_folder("d"), tar_file("d/a", "contents")});
    const auto end = archive.size() - 2 * 512;
    for (std::size_t length = 0; length <= end; ++length)
        CHECK_THROWS_AS(read(archive.substr(0, length)), Error);
}

TEST_CASE("GNU's long names and large sizes are understood", "[tar]")
{
    const auto name = std::string(200, 'n');
    const auto seen = read(archive_of({tar_block("././@LongLink", 'L', "00000000311") + name + std::string(512 - 200, '\0'),
                                       tar_block("cut", '0', "00000000003") + "one" + std::string(509, '\0')}));
    REQUIRE(seen.entries.size() == 1);
    CHECK(seen.entries[0].path == name);
    CHECK(read(archive_of({tar_block("a", '0', std::string("\x80\0\0\0\0\0\0\0\0\0\0\x03", 12)) + "one" + std::string(509, '\0')})).texts[0] == "one");
}

TEST_CASE("pax records stand above the header", "[tar]")
{
    const auto seen = read(archive_of({tar_pax("13 path=a/bc\n9 size=3\n23 mtime=1700000000.25\n"),
                                       tar_block("x", '0', "00000000000") + "one" + std::string(509, '\0')}));
    REQUIRE(seen.entries.size() == 1);
    CHECK(seen.entries[0].path == "a/bc");
    CHECK(seen.texts[0] == "one");
    CHECK(seen.entries[0].mtime_nanoseconds == 250'000'000);
}

TEST_CASE("what can be read in two ways, or is none, is refused", "[tar]")
{
    const auto data = "one" + std::string(509, '\0');
    CHECK_THROWS_AS(read(archive_of({tar_block("a", '0', std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12))})), Error);
    CHECK_THROWS_AS(read(archive_of({tar_block("a", '0', std::string("\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12))})), Error);
    CHECK_THROWS_AS(read(archive_of({tar_block("a", '0', "0000000000x")})), Error);
    CHECK_THROWS_AS(read(archive_of({tar_block("a", 'S')})), Error);
    CHECK_THROWS_AS(read(archive_of({tar_block("a", 'Q')})), Error);
    CHECK_THROWS_AS(read(archive_of({tar_pax("22 GNU.sparse.major=1\n"), tar_block("a", '0')})), Error);
    CHECK_THROWS_AS(read(archive_of({tar_pax("9 path=a\n"), tar_pax("9 path=b\n"), tar_block("a", '0')})), Error);
    CHECK_THROWS_AS(read(archive_of({tar_pax("99 path=a\n"), tar_block("a", '0')})), Error);
    CHECK_THROWS_AS(read(archive_of({tar_pax("10 path=ab"), tar_block("a", '0')})), Error);
    CHECK_THROWS_AS(read(archive_of({tar_pax(std::string("12 path=a\0b\n", 12)), tar_block("a", '0')})), Error);
    CHECK_THROWS_AS(read(archive_of({tar_pax("11 size=-1\n"), tar_block("a", '0')})), Error);
    CHECK_THROWS_AS(read(archive_of({tar_pax("27 size=999999999999999999\n"), tar_block("a", '0')})), Error);
    CHECK_THROWS_AS(read(archive_of({tar_block("a", 'x', "77777777777")})), Error);
    auto wrong_sum = tar_block("a", '0', "00000000003");
    wrong_sum[0] = 'b';
    CHECK_THROWS_AS(read(archive_of({wrong_sum + data})), Error);
    CHECK_THROWS_AS(read("no archive" + std::string(1014, 'x')), Error);
}

TEST_CASE("all who read archives refuse the same sizes, and agree about the others", "[tar]")
{
    using Reading = std::function<std::uint64_t(const std::string&)>;
    const std::map<std::string, Reading> readings{
        {"reader", [](const std::string& archive) { return read(archive).texts.at(1).size(); }},
        {"filter",
         [](const std::string& archive) {
             runner::ContextFilter filter({});
             std::string out;
             filter.feed(archive, out);
             filter.finish(out);
             return filter.bytes();
         }},
        {"measure",
         [](const std::string& archive) {
             runner::ArchiveMeasure measure;
             measure.feed(archive);
             return measure.finish().size_bytes;
         }},
        {"fake", [](const std::string& archive) { return engine::read_tar(archive).at("d/a").size(); }},
        {"renamed",
         [](const std::string& archive) {
             engine::docker::RenamedMembers members([](const std::string& name) { return name; });
             return members.feed(archive) == archive ? 3U : 0U; // it passes the contents on
         }},
    };
    const auto data = "one" + std::string(509, '\0');
    const auto with = [&data](const std::string& pax, const std::string& size) {
        return archive_of({tar_folder("d"), pax, tar_block("d/a", '0', size) + data, tar_block("d/l", '1', "00000000005", "d/a")});
    };
    for (const auto& [who, bytes_of] : readings) {
        INFO(who);
        CHECK(bytes_of(with("", "00000000003")) == 3);
        CHECK(bytes_of(with("", std::string("\x80\0\0\0\0\0\0\0\0\0\0\3", 12))) == 3);
        CHECK(bytes_of(with(tar_pax("9 size=3\n"), "00000000000")) == 3);
        CHECK_THROWS_AS(bytes_of(with("", std::string("\x80\0\0\1\0\0\0\0\0\0\0\3", 12))), Error); // 2^64 + 3
        CHECK_THROWS_AS(bytes_of(with("", "0000000000x")), Error);
        CHECK_THROWS_AS(bytes_of(with(tar_pax("9 size=x\n"), "00000000003")), Error);
        CHECK_THROWS_AS(bytes_of(with(tar_pax("11 size=3k\n"), "00000000003")), Error);
        CHECK_THROWS_AS(bytes_of(with(tar_pax("11 size=-1\n"), "00000000003")), Error);
        CHECK_THROWS_AS(bytes_of(with(tar_pax("9 size=3x"), "00000000003")), Error);
    }
}
