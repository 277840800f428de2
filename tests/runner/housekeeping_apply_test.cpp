#include "runner/housekeeping_apply.hpp"

#include "base/error.hpp"
#include "base/scratch.hpp"
#include "engine/fake_world.hpp"

#include <memory>
#include <string>
#include <vector>

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::runner;

namespace {

// Things that are to go, and what has come over them since that was decided.
struct ApplyWorld : FakeWorld {
    ApplyWorld() { engine.only_images({"alpine", "base:1", "other:1"}); }

    std::unique_ptr<RunWriter> begin() { return runs->create_run({}, {}); }

    Labels labels(const std::string& id) const { return {{"gantry.instance", runs->instance()}, {"gantry.run", id}}; }

    HousekeepingItem container(const std::string& name, const std::string& id)
    {
        auto spec = container_spec(name);
        spec.labels = labels(id);
        run(engine.create_container(spec));
        return item(Kept::containers, name, id);
    }

    // Built on base:1, as far as an id tells.
    HousekeepingItem image(const std::vector<std::string>& tags)
    {
        for (const auto& tag : tags)
            run(engine.tag_image("base:1", tag));
        auto made = item(Kept::images, tags.front(), "");
        made.tags = tags;
        made.id = id_of(tags.front());
        return made;
    }

    HousekeepingItem artifacts_of(const std::string& id)
    {
        cache::Manifest manifest;
        manifest.run = id;
        manifest.stage = "build";
        artifacts.publish(artifacts.begin(), manifest);
        return item(Kept::artifacts, artifacts.list(id).at(0).path, "");
    }

    static HousekeepingItem item(Kept kind, const std::string& name, const std::string& id)
    {
        HousekeepingItem made;
        made.kind = kind;
        made.name = name;
        made.run = id;
        made.goes = true;
        return made;
    }

    std::string id_of(const std::string& image)
    {
        const auto found = run(engine.find_image(image));
        return found ? found->id : "none";
    }

    Housekept remove(const std::vector<HousekeepingItem>& items) { return run(remove_items(sources, items)); }

    std::size_t takeovers = 0, refused = 0;
    // Tries to resume the run whenever that is called.
    void resume_at(const std::string& operation, const std::string& id)
    {
        engine.on_call([this, operation, id](const FakeCall& call) {
            if (call.operation != operation)
                return;
            ++takeovers;
            try {
                runs->reopen_run(id);
            } catch (const Error& error) {
                refused += error.code() == Errc::conflict ? 1 : 0;
            }
        });
    }

    Scratch folder;
    std::unique_ptr<Store> runs = open_store(folder / "state");
    cache::Store caches{folder / "caches", {}};
    cache::ArtifactStore artifacts{folder / "artifacts"};
    HousekeepingSources sources{engine, *runs, caches, artifacts, folder / "cache", clock};
};

std::size_t count_of(const Housekept& done)
{
    std::size_t count = 0;
    for (const auto& [kind, sum] : done.removed)
        count += sum.count;
    return count;
}

} // namespace

TEST_CASE("what belongs to a run that came alive again stays, and goes once it has died", "[housekeeping]")
{
    ApplyWorld world;
    auto writer = world.begin();
    const std::vector<HousekeepingItem> items{world.container("step", "1"), world.artifacts_of("1"), ApplyWorld::item(Kept::logs, "1", "")};

    const auto none = world.remove(items);
    CHECK(count_of(none) == 0);
    CHECK(none.failures.empty());
    CHECK(world.engine.objects().size() == 1);
    CHECK(world.artifacts.list("1").size() == 1);
    CHECK(world.runs->run_ids().size() == 1);

    writer.reset();
    const auto all = world.remove(items);
    CHECK(count_of(all) == 3);
    CHECK(all.failures.empty());
    CHECK(world.engine.objects().empty());
    CHECK(world.artifacts.list("1").empty());
    CHECK(world.runs->run_ids().empty());
}

TEST_CASE("nobody resumes a run while something of it is removed", "[housekeeping]")
{
    ApplyWorld world;
    world.begin().reset();
    auto image = world.image({"shop:1"});
    image.run = "1";
    const std::vector<HousekeepingItem> items{world.container("step", "1"), image};
    const auto operation = GENERATE(as<std::string>(), "remove", "remove_image");
    world.resume_at(operation, "1");
    CHECK(count_of(world.remove(items)) == 2);
    CHECK(world.takeovers == 1);
    CHECK(world.refused == 1);
    CHECK(world.runs->reopen_run("1"));
}

TEST_CASE("what is of a run that is not known goes", "[housekeeping]")
{
    ApplyWorld world;
    CHECK(count_of(world.remove({world.container("step", "7")})) == 1);
    CHECK(world.engine.objects().empty());
}

TEST_CASE("an image goes with its names, but not with one that somebody has given to another image since", "[housekeeping]")
{
    ApplyWorld world;
    const auto both = world.image({"shop:1", "shop:2"}), moved = world.image({"app:1"});
    world.run(world.engine.tag_image("other:1", "app:1"));

    const auto done = world.remove({both, moved});

    CHECK(done.removed.at(Kept::images).count == 1);
    CHECK(done.failures.empty());
    CHECK(world.id_of("shop:1") == "none");
    CHECK(world.id_of("shop:2") == "none");
    CHECK(world.id_of("app:1") == world.id_of("other:1"));
}

TEST_CASE("an image that a container has come to use stays and is told", "[housekeeping]")
{
    ApplyWorld world;
    const auto used = world.image({"shop:1"});
    auto spec = container_spec("of-somebody");
    spec.image = "shop:1";
    world.run(world.engine.create_container(spec));

    const auto done = world.remove({used});

    CHECK(count_of(done) == 0);
    REQUIRE(done.failures.size() == 1);
    CHECK(done.failures[0].name == "shop:1");
    CHECK_THAT(done.failures[0].error, ContainsSubstring("in use by container of-somebody"));
    CHECK(world.id_of("shop:1") == used.id);
}

TEST_CASE("a run that is removed is resumed by nobody meanwhile", "[housekeeping]")
{
    ApplyWorld world;
    world.begin().reset();
    world.container("step", "1");
    world.resume_at("remove", "1");

    world.run(runner::remove_run(world.engine, *world.runs, "1"));

    CHECK(world.takeovers == 1);
    CHECK(world.refused == 1);
    CHECK(world.engine.objects().empty());
    CHECK(world.runs->run_ids().empty());
}

TEST_CASE("a run that goes on, or of which something is in use, is not removed", "[housekeeping]")
{
    ApplyWorld world;
    auto writer = world.begin();
    world.container("step", "1");
    CHECK(world.failure_of(runner::remove_run(world.engine, *world.runs, "1")) == Errc::conflict);
    CHECK(world.engine.objects().size() == 1);

    writer.reset();
    auto volume = volume_spec("workspace");
    volume.labels = world.labels("1");
    world.run(world.engine.create_volume(volume));
    auto user = container_spec("of-somebody");
    user.mounts.push_back({.source = "workspace", .target = "/u"});
    world.run(world.engine.create_container(user));
    CHECK(world.failure_of(runner::remove_run(world.engine, *world.runs, "1")) == Errc::conflict);
    CHECK(world.runs->reopen_run("1"));
}
