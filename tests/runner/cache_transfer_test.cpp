#include "runner/cache_archive.hpp"
#include "runner/cache_transfer.hpp"
#include "runner/cache_world.hpp"
#include "support/tar_bytes.hpp"

#include <fcntl.h>

using namespace gantry;
using namespace gantry::runner;
using namespace gantry::test;

namespace {

ImportedCache import_to(CacheWorld& world, const std::string& key, std::size_t size_bytes)
{
    cache::Entry entry;
    entry.place.name = "deps";
    entry.key = key;
    entry.run = "17";
    entry.stage = "test";
    const auto path = world.folder / "archive.tar";
    write_file_atomic(path, archive_head(entry) + archive_of({tar_folder("cache"), tar_file("cache/a", std::string(size_bytes, 'x'))}), 0600);
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const CacheTransfer with{world.engine, world.caches(), world.runs->instance()};
    return run_to_end(world.loop, world.clock, import_cache(with, file, "archive.tar", "/src/shop"));
}

} // namespace

TEST_CASE("an import that goes beyond the limits drops what was used least recently, with its volumes", "[caches]")
{
    CacheWorld world;
    world.limits = {4000, 4000};
    CHECK(import_to(world, "old", 2500).dropped.empty());
    REQUIRE(world.entries().size() == 1);
    const auto volume = world.entries()[0].entry.layers.at(0).volume;

    const auto imported = import_to(world, "new", 2500);

    REQUIRE(imported.dropped.size() == 1);
    CHECK(imported.dropped[0].key == "old");
    REQUIRE(world.entries().size() == 1);
    CHECK(world.entries()[0].entry == imported.entry);
    CHECK(world.volumes() == std::vector<std::string>{imported.entry.layers.at(0).volume});
    CHECK(imported.entry.layers[0].volume != volume);
    CHECK(import_to(world, "small", 100).dropped.empty());
}
