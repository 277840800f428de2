// What a `gantry shell` leaves whose process died, and its removal.
#include "runner/open_shell.hpp"

#include "base/scratch.hpp"
#include "engine/fake_world.hpp"
#include "runner/objects.hpp"

#include <filesystem>
#include <string>
#include <vector>

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::test;
using namespace std::chrono_literals;

namespace {

runner::ShellRecord record_of(const std::string& container)
{
    return {"7", container, "gantry/shell:" + container, "unix:///engine", "id-of-it"};
}

// A process writes down what it makes, and dies.
std::vector<runner::DeadShell> died(const Scratch& state, const std::string& container)
{
    runner::OpenShell(state.path(), record_of(container)).touch();
    return runner::dead_shells(state.path());
}

bool is_anything_left(FakeWorld& world, const runner::ShellRecord& record)
{
    return !world.engine.objects().empty() || world.run(world.engine.find_image(record.image));
}

void make_image_of(FakeWorld& world, const runner::ShellRecord& record)
{
    world.run(world.engine.create_container(container_spec("failed")));
    world.run(world.engine.commit_container("failed", record.image, {}));
    world.run(world.engine.remove(ObjectKind::container, "failed"));
}

void make_all_of(FakeWorld& world, const runner::ShellRecord& record)
{
    make_image_of(world, record);
    auto spec = container_spec(record.container);
    spec.image = record.image;
    world.run(world.engine.create_container(spec));
}

} // namespace

TEST_CASE("a shell is dead when its process is, and not while it is open or once it has ended", "[open_shell]")
{
    const Scratch state;
    CHECK(runner::dead_shells(state.path()).empty());
    runner::OpenShell open(state.path(), record_of("open"));
    runner::OpenShell(state.path(), record_of("ended")).close();
    CHECK(runner::dead_shells(state.path()).empty());

    const auto dead = died(state, "dead");

    REQUIRE(dead.size() == 1);
    CHECK(dead.at(0).record.run == "7");
    CHECK(dead.at(0).record.container == "dead");
    CHECK(dead.at(0).record.image == "gantry/shell:dead");
    CHECK(dead.at(0).record.engine_endpoint == "unix:///engine");
    CHECK(dead.at(0).record.engine_id == "id-of-it");
}

TEST_CASE("a record is as young as the last thing that its shell asked the engine for", "[open_shell]")
{
    const Scratch state;
    runner::OpenShell open(state.path(), record_of("open"));
    const auto path = state / "shells/open";
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - 1h);
    const auto long_ago = modified_at(path);

    open.touch();

    CHECK(modified_at(path) > long_ago + 30min);
}

TEST_CASE("the container and the image of a dead shell go, with its record", "[open_shell]")
{
    FakeWorld world;
    world.engine.only_images({"alpine"});
    const Scratch state;
    const auto dead = died(state, "dead");
    make_all_of(world, dead.at(0).record);

    CHECK(world.run(runner::remove_dead_shell(world.engine, world.clock, dead.at(0))));

    CHECK_FALSE(is_anything_left(world, dead.at(0).record));
    CHECK(runner::dead_shells(state.path()).empty());
}

TEST_CASE("what an engine makes late for a dead shell still goes, at a later call", "[open_shell]")
{
    FakeWorld world;
    world.engine.only_images({"alpine"});
    const Scratch state;
    const auto dead = died(state, "dead");
    const auto begun = world.clock.now();

    CHECK_FALSE(world.run(runner::remove_dead_shell(world.engine, world.clock, dead.at(0))));
    CHECK(world.clock.now() - begun < 10s);
    CHECK(runner::dead_shells(state.path()).size() == 1);

    make_all_of(world, dead.at(0).record);
    CHECK(world.run(runner::remove_dead_shell(world.engine, world.clock, dead.at(0))));
    CHECK_FALSE(is_anything_left(world, dead.at(0).record));
    CHECK(runner::dead_shells(state.path()).empty());
}

TEST_CASE("the container of a dead shell may still come where its image is there", "[open_shell]")
{
    FakeWorld world;
    world.engine.only_images({"alpine"});
    const Scratch state;
    const auto dead = died(state, "dead");
    make_image_of(world, dead.at(0).record);

    CHECK(world.run(runner::remove_dead_shell(world.engine, world.clock, dead.at(0))));
    CHECK_FALSE(is_anything_left(world, dead.at(0).record));
    REQUIRE(runner::dead_shells(state.path()).size() == 1);

    make_all_of(world, dead.at(0).record);
    CHECK(world.run(runner::remove_dead_shell(world.engine, world.clock, dead.at(0))));
    CHECK_FALSE(is_anything_left(world, dead.at(0).record));
    CHECK(runner::dead_shells(state.path()).empty());
}

TEST_CASE("a dead shell for which nothing came is forgotten when nothing can come", "[open_shell]")
{
    FakeWorld world;
    world.engine.only_images({"alpine"});
    const Scratch state;
    const auto dead = died(state, "dead");
    const auto long_ago = world.clock.wall() - runner::k_engine_may_finish - 1s;
    const auto behind_now = std::chrono::duration_cast<std::filesystem::file_time_type::duration>(std::chrono::system_clock::now() - long_ago);
    std::filesystem::last_write_time(dead.at(0).path, std::filesystem::file_time_type::clock::now() - behind_now);

    CHECK_FALSE(world.run(runner::remove_dead_shell(world.engine, world.clock, dead.at(0))));

    CHECK(runner::dead_shells(state.path()).empty());
}
