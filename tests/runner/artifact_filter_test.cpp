#include "base/error.hpp"
#include "base/tar_format.hpp"
#include "runner/artifact_filter.hpp"
#include "support/catch.hpp"
#include "support/tar_bytes.hpp"

using namespace gantry;
using namespace gantry::test;
using runner::ArtifactFilter;
using runner::ArtifactPatterns;
using runner::TarEntry;

namespace {

class Listing final : public runner::TarSink {
public:
    void begin(const TarEntry& entry) override
    {
        const char* const kinds = "-dlh?";
        lines.push_back(std::string(1, kinds[static_cast<int>(entry.type)]) + " " + entry.path + (entry.link.empty() ? "" : " > " + entry.link));
        entries.push_back(entry);
    }
    void contents(std::string_view bytes) override { lines.back().append(" = ").append(bytes); }
    void end() override {}

    std::vector<std::string> lines;
    std::vector<TarEntry> entries;
};

struct FilterWorld {
    explicit FilterWorld(std::vector<std::string> paths) : patterns(paths, {}) {}

    void feed(const std::string& archive, const std::string& place = "", std::vector<TarEntry> above = {})
    {
        filter.start(place, std::move(above));
        runner::TarReader reader(filter);
        reader.feed(archive);
        reader.finish();
        made += filter.take_made();
    }
    Listing list()
    {
        Listing listing;
        runner::TarReader reader(listing);
        reader.feed(made + runner::tar_end());
        reader.finish();
        return listing;
    }

    ArtifactPatterns patterns;
    ArtifactFilter filter{patterns, "layer"};
    std::string made;
};

using Lines = std::vector<std::string>;

} // namespace

TEST_CASE("what is handed on is what is meant, and the folders that hold it", "[artifacts]")
{
    FilterWorld world({"out/a", "*.txt"});
    world.feed(archive_of({tar_folder("layer"), tar_folder("layer/other"), tar_file("layer/other/x", "no"),
                           tar_folder("layer/out", 0700), tar_file("layer/out/a", "one"), tar_file("layer/out/b", "no"),
                           tar_file("layer/r.txt", "two"), tar_link("layer/s.txt", "/etc/passwd")}));
    const auto listing = world.list();
    CHECK(listing.lines == Lines{"d layer/out", "- layer/out/a = one", "- layer/r.txt = two", "l layer/s.txt > /etc/passwd"});
    CHECK(listing.entries[0].mode == 0700);
}

TEST_CASE("folders above a place are made as they are there, once", "[artifacts]")
{
    FilterWorld world({"a/b/c"});
    auto above = entry_of(TarEntry::Type::folder, "a", 0750);
    above.uid = 1000;
    auto inner = entry_of(TarEntry::Type::folder, "a/b", 0711);
    world.feed(archive_of({tar_folder("c"), tar_file("c/x", "one"), tar_file("c/y", "two")}), "a/b/c", {above, inner});
    const auto listing = world.list();
    CHECK(listing.lines == Lines{"d layer/a", "d layer/a/b", "d layer/a/b/c", "- layer/a/b/c/x = one", "- layer/a/b/c/y = two"});
    CHECK(listing.entries[0].uid == 1000);
    CHECK(listing.entries[0].mode == 0750);
}

TEST_CASE("deletions, pipes and bits that give a program another user are not handed on", "[artifacts]")
{
    FilterWorld world({"."});
    world.feed(archive_of({tar_block("layer/gone", '3'), tar_block("layer/pipe", '6'), tar_file("layer/su", "x", 06755)}));
    const auto listing = world.list();
    CHECK(listing.lines == Lines{"- layer/su = x"});
    CHECK(listing.entries[0].mode == 0755);
}

TEST_CASE("P19: extended attributes are not handed on, whether overlayfs or the kernel would obey them", "[artifacts][probe]")
{
    FilterWorld world({"."});
    const auto with = [](const std::string& name) { return tar_pax(pax_record("SCHILY.xattr." + name, "y") + pax_record("LIBARCHIVE.xattr." + name, "eQ")); };
    world.feed(archive_of({with("trusted.overlay.opaque"), tar_folder("layer/d"), with("trusted.overlay.redirect"), tar_file("layer/d/a", "one"),
                           with("security.capability"), tar_file("layer/b", "two"), tar_block("layer/removed", '3')}));
    CHECK(world.list().lines == Lines{"d layer/d", "- layer/d/a = one", "- layer/b = two"});
    CHECK(world.made.find("xattr") == std::string::npos);
}

TEST_CASE("further names stay further names, unless the first one is not handed on", "[artifacts]")
{
    FilterWorld world({"b", "c"});
    world.feed(archive_of({tar_file("layer/a", "one"), tar_hard_link("layer/b", "layer/a"), tar_file("layer/c", "two")}));
    CHECK(world.filter.take_again() == Lines{"b"});
    world.feed(archive_of({tar_file("b", "one")}), "b");
    CHECK(world.list().lines == Lines{"- layer/c = two", "- layer/b = one"});

    FilterWorld both({"."});
    both.feed(archive_of({tar_file("layer/a", "one"), tar_hard_link("layer/b", "layer/a")}));
    CHECK(both.list().lines == Lines{"- layer/a = one", "h layer/b > layer/a"});
}

TEST_CASE("names that lead out are refused, also where they are handed on", "[artifacts]")
{
    FilterWorld world({"."});
    CHECK_THROWS_AS(world.feed(archive_of({tar_file("layer/../../x", "out")})), Error);
}
