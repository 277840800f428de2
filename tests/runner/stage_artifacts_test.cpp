#include "base/format.hpp"
#include "runner/cache_world.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

using namespace gantry;
using namespace gantry::test;
using runner::Cause;
using runner::RunEvent;
using runner::State;

namespace {

pipeline::PlanStage keeping(pipeline::PlanStage stage, std::vector<std::string> paths, const std::string& when = "on_success")
{
    stage.artifacts.emplace();
    for (auto& path : paths)
        stage.artifacts->paths.push_back(pipeline::Text(std::move(path)));
    stage.artifacts->when = when;
    return stage;
}

pipeline::PlanStage build()
{
    return stage("build", {}, {step("make")});
}

// What is kept of a stage of the last run, without its folders.
std::vector<std::string> kept(CacheWorld& world, const std::string& stage = "build")
{
    std::vector<std::string> paths;
    const auto found = world.artifacts.find(world.runs->resolve_id("latest"), stage);
    if (found)
        for (const auto& artifact : found->artifacts)
            if (artifact.type == cache::Artifact::Type::file)
                paths.push_back(artifact.path);
    return paths;
}

const RunEvent* find_event(const CacheWorld& world, RunEvent::Kind kind)
{
    const auto found = std::find_if(world.events.begin(), world.events.end(), [kind](const RunEvent& event) { return event.kind == kind; });
    return found == world.events.end() ? nullptr : &*found;
}

bool was_told(const CacheWorld& world, const std::string& part)
{
    return std::any_of(world.told.begin(), world.told.end(), [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

using Paths = std::vector<std::string>;

} // namespace

TEST_CASE("a stage that passes keeps what matches, and says how much", "[artifacts]")
{
    CacheWorld world;
    world.writes["make"] = {{"/workspace/bin/app", "one"}, {"/workspace/bin/app.o", "no"}, {"/workspace/src/a", "no"}};
    auto stage = keeping(build(), {"bin/"});
    stage.artifacts->exclude = {"**/*.o"};
    stage.artifacts->expire_in = std::chrono::hours(24);
    CHECK(world.run(plan_of({stage})).state == State::success);

    CHECK(kept(world) == Paths{"bin/app"});
    const auto* told = find_event(world, RunEvent::Kind::artifacts);
    REQUIRE(told);
    CHECK(told->stage == "build");
    CHECK(told->outputs.at("files") == "1");
    CHECK(told->outputs.at("bytes") == "3");
    CHECK(told->outputs.at("kept_bytes") == "3");
    CHECK(runner::event_from_json(to_json(*told)).outputs == told->outputs);
    CHECK(parse_time(told->outputs.at("expires")) > world.clock.wall() + std::chrono::hours(23));
    CHECK(world.told.empty());
    CHECK(world.volumes().empty());
}

TEST_CASE("what expires when no clock counts any more never expires", "[artifacts]")
{
    CacheWorld world;
    world.writes["make"] = {{"/workspace/bin/app", "one"}};
    auto stage = keeping(build(), {"bin/"});
    const auto wall = world.clock.wall().time_since_epoch();
    for (const auto time : {std::chrono::nanoseconds::max(), std::chrono::nanoseconds::max() - wall + std::chrono::seconds(1),
                            std::chrono::nanoseconds::max() - wall - std::chrono::seconds(1)}) {
        stage.artifacts->expire_in = time;
        CHECK(world.run(plan_of({stage})).state == State::success);
        CHECK(kept(world) == Paths{"bin/app"});
        const auto* told = find_event(world, RunEvent::Kind::artifacts);
        REQUIRE(told);
        CHECK_FALSE(told->outputs.contains("expires"));
    }
}

TEST_CASE("a pattern that matches nothing is a warning that says which", "[artifacts]")
{
    CacheWorld world;
    world.writes["make"] = {{"/workspace/bin/app", "one"}};
    CHECK(world.run(plan_of({keeping(build(), {"bin", "dist/*.whl"})})).state == State::success);
    CHECK(kept(world) == Paths{"bin/app"});
    CHECK(was_told(world, "build: artifacts: nothing matches 'dist/*.whl'"));
    CHECK_FALSE(was_told(world, "'bin'"));
}

TEST_CASE("when says which end keeps artifacts", "[artifacts]")
{
    CacheWorld world;
    world.writes["make"] = {{"/workspace/log", "one"}};
    const auto runs = [&](const std::string& when, int exit_code) {
        world.exit_codes["make"] = exit_code;
        world.run(plan_of({keeping(build(), {"log"}, when)}));
        return !kept(world).empty();
    };
    CHECK(runs("on_success", 0));
    CHECK_FALSE(runs("on_success", 1));
    CHECK_FALSE(runs("on_failure", 0));
    CHECK(runs("on_failure", 1));
    CHECK(runs("always", 0));
    CHECK(runs("always", 1));
    CHECK(world.volumes().empty());
}

TEST_CASE("only what the pattern begins with is downloaded", "[artifacts]")
{
    CacheWorld world;
    world.writes["make"] = {{"/workspace/out/reports/a.xml", "one"}, {"/workspace/src/a", "no"}};
    world.run(plan_of({keeping(build(), {"out/*.xml", "out/reports/*.xml"})}));
    CHECK(kept(world) == Paths{"out/reports/a.xml"});
    Paths downloads;
    for (const auto& call : world.engine.calls())
        if (call.operation == "download" && call.object.ends_with(".arts"))
            downloads.push_back(call.detail);
    CHECK(downloads == Paths{"/workspace/out"});
}

TEST_CASE("more than the limit fails the stage, and nothing is kept", "[artifacts]")
{
    CacheWorld world;
    world.artifact_limits.size_bytes = 5;
    world.writes["make"] = {{"/workspace/a", "123"}, {"/workspace/b", "456"}};
    const auto ended = world.run(plan_of({keeping(build(), {"."}), stage("next", {"build"}, {step("use")})}));
    CHECK(ended.state == State::failure);
    const auto summary = world.runs->summary(world.runs->resolve_id("latest"));
    CHECK(summary.stages[0].cause == Cause::failed);
    CHECK(summary.stages[0].message.find("more than 5 B") != std::string::npos);
    CHECK(summary.stages[1].state == State::skipped);
    CHECK(kept(world).empty());
    CHECK(world.artifacts.usage() == cache::ArtifactSum{});
    CHECK(world.volumes().empty());
}

TEST_CASE("what went wrong with the artifacts of a stage that failed is a warning", "[artifacts]")
{
    CacheWorld world;
    world.artifact_limits.files = 0;
    world.exit_codes["make"] = 1;
    world.writes["make"] = {{"/workspace/a", "123"}};
    CHECK(world.run(plan_of({keeping(build(), {"a"}, "always")})).state == State::failure);
    CHECK(was_told(world, "build: artifacts: its artifacts are too much"));
}

TEST_CASE("stages that need one with artifacts get those alone", "[artifacts]")
{
    CacheWorld world;
    world.writes["make"] = {{"/workspace/bin/app", "one"}, {"/workspace/bin/debug/x", "two"}, {"/workspace/junk", "no"}};
    std::map<std::string, std::string> handed;
    world.on_call = [&](const engine::FakeCall& call) {
        if (call.operation == "start_container" && call.object.find("use") != std::string::npos)
            for (const auto& object : world.engine.objects())
                if (object.name.find(".part") != std::string::npos)
                    handed = world.engine.files_of(object.name);
    };
    world.run(plan_of({keeping(build(), {"bin/"}), stage("next", {"build"}, {step("use")})}));
    std::erase_if(handed, [](const auto& file) { return file.first.empty() || file.first.ends_with('/'); });
    CHECK(handed == std::map<std::string, std::string>{{"bin/app", "one"}, {"bin/debug/x", "two"}});
    CHECK(world.volumes().empty());
}

TEST_CASE("nothing is made for stages that nobody needs, or whose paths are kept of failures", "[artifacts]")
{
    CacheWorld world;
    world.writes["make"] = {{"/workspace/a", "one"}};
    int parts = 0;
    world.on_call = [&](const engine::FakeCall& call) { parts += call.operation == "create_volume" && call.object.find(".part") != std::string::npos; };
    world.run(plan_of({keeping(build(), {"a"}), stage("other", {}, {step("use")})}));
    CHECK(parts == 0);
    world.run(plan_of({keeping(build(), {"a"}, "on_failure"), stage("next", {"build"}, {step("use")})}));
    CHECK(parts == 0);
    world.run(plan_of({keeping(build(), {"a"}), stage("next", {"build"}, {step("use")})}));
    CHECK(parts == 1);
}

TEST_CASE("a process that dies while it keeps artifacts leaves no rubbish, and the next run keeps all", "[artifacts]")
{
    CacheWorld world;
    world.writes["make"] = {{"/workspace/a", "one"}};
    const auto plan = plan_of({keeping(build(), {"a"})});
    bool reached = false;
    world.on_call = [&](const engine::FakeCall& call) { reached = reached || (call.operation == "download" && call.object.ends_with(".arts")); };
    world.begin(plan);
    drive(world.loop, world.clock, [&] { return reached; });
    world.die();
    world.reap();
    CHECK(world.volumes().empty());
    world.on_call = {};
    CHECK(world.run(plan).state == State::success);
    CHECK(kept(world) == Paths{"a"});
}
