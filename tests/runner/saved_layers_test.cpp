// What is remembered of saved layers. Their archives are an engine's: tests/e2e/workspaces.py.
#include "runner/stage_layers.hpp"

#include "base/file.hpp"
#include "base/scratch.hpp"
#include "engine/fake/fake.hpp"
#include "support/catch.hpp"
#include "support/manual_clock.hpp"
#include "support/plan_builder.hpp"
#include "support/run_to_end.hpp"

#include <filesystem>
#include <set>

using namespace gantry;
using namespace gantry::runner;
using namespace gantry::test;

namespace {

Owner saver_of(const std::string& stage)
{
    Owner owner;
    owner.instance = "i";
    owner.run = "1";
    owner.stage = stage;
    return owner;
}

struct LayersAtEngine {
    // One that an engine has.
    void save(const StageLayer& layer)
    {
        engine.provide({engine::ObjectKind::volume, layer.volume, layer.volume, {}});
        run_to_end(loop, clock, save_layer(access, saver_of(layer.stage), layer, folder.path()));
    }

    const Scratch folder;
    asio::io_context loop;
    ManualClock clock;
    engine::FakeEngine engine{loop.get_executor(), clock};
    const LayerAccess access{engine, nullptr, {}, [](engine::ObjectKind, const std::string&) {}};
};

} // namespace

TEST_CASE("saved layers are found again, however much is to be told of them", "[saved_layers]")
{
    LayersAtEngine world;
    StageLayer layer;
    for (int i = 0; i < 100; ++i) {
        layer.stage = std::string(100, 's') + std::to_string(i);
        layer.volume = "v" + std::to_string(i);
        layer.is_part = i % 2 == 0;
        world.save(layer);
        layer.below.insert(layer.below.end(), 2, layer.stage);
    }
    const auto saved = saved_layers(world.folder.path());
    CHECK(saved.size() == 100);
    const auto last = saved.find(layer.stage);
    REQUIRE(last != saved.end());
    CHECK(last->second.below.size() == 198);
    CHECK_FALSE(last->second.is_part);
    CHECK(std::filesystem::is_regular_file(last->second.file));
    CHECK(saved.at(std::string(100, 's') + "0").is_part);
}

TEST_CASE("what is damaged, or of another kind of engine, was not saved", "[saved_layers]")
{
    LayersAtEngine world;
    CHECK(saved_layers(world.folder.path()).empty());
    StageLayer layer;
    layer.stage = "build";
    layer.volume = "v";
    world.save(layer);
    const auto file = saved_layers(world.folder.path()).at("build").file;
    const auto record = std::filesystem::path(file).replace_extension(".json").string();
    const auto text = read_file(record, 1 << 20);
    for (const auto& other : {text.substr(0, text.size() / 2), std::string("{}"), std::string(text).replace(text.find("overlay"), 7, "copying")}) {
        write_file_atomic(record, other, 0600);
        CHECK(saved_layers(world.folder.path()).empty());
    }
    write_file_atomic(record, text, 0600);
    CHECK(saved_layers(world.folder.path()).size() == 1);
    std::filesystem::remove(file);
    CHECK(saved_layers(world.folder.path()).empty());
}

TEST_CASE("what is restored is what stages build on, or all", "[saved_layers]")
{
    LayersAtEngine world;
    const auto plan = plan_of({stage("low", {}, {step("s")}), stage("alone", {}, {step("s")}), stage("high", {"low"}, {step("s")})});
    for (const auto* id : {"low", "alone"}) {
        StageLayer layer;
        layer.stage = id;
        layer.volume = std::string("volume-of-") + id;
        world.save(layer);
    }
    for (const bool all : {false, true}) {
        std::set<std::string> restored;
        auto access = world.access;
        access.intend = [&restored](engine::ObjectKind kind, const std::string& name) {
            if (kind == engine::ObjectKind::volume)
                restored.insert(name);
        };
        StageLayers layers(plan, [](int at) { return saver_of(at == 0 ? "low" : at == 1 ? "alone" : "high"); });
        run_to_end(world.loop, world.clock, layers.restore(access, {"low", "alone"}, saved_layers(world.folder.path()), all));
        std::set<std::string> expected{object_name(saver_of("low"), "upper")};
        if (all)
            expected.insert(object_name(saver_of("alone"), "upper"));
        CHECK(restored == expected);
        CHECK(layers.stack_of(2).size() == 1);
        for (const auto& name : restored)
            run_to_end(world.loop, world.clock, world.engine.remove(engine::ObjectKind::volume, name));
    }
}
