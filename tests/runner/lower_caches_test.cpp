#include "base/error.hpp"
#include "runner/lower_caches.hpp"
#include "runner/lower_fixture.hpp"
#include "support/catch.hpp"
#include "support/plan_builder.hpp"

using namespace gantry;
using namespace gantry::test;

namespace {

runner::CacheRequest lowered(const pipeline::Cache& cache, bool trusted = true)
{
    auto plan = plan_of({stage("a", {}, {step("one")})});
    plan.event.trusted = trusted;
    plan.stages[0].caches = {cache};
    pipeline::RuntimeFacts facts;
    facts.stages["build"]["one"].outputs["version"] = "1.2";
    return runner::lower_caches(plan, plan.stages[0], facts).at(0);
}

pipeline::Cache cache_at(const std::string& path, const pipeline::Text& key = pipeline::Text("k"))
{
    pipeline::Cache cache;
    cache.name = "deps";
    cache.path = pipeline::Text(path);
    cache.key = key;
    return cache;
}

} // namespace

TEST_CASE("relative paths of caches are below the workspace", "[lower_caches]")
{
    CHECK(lowered(cache_at("/go/pkg/mod/")).target == "/go/pkg/mod");
    CHECK(lowered(cache_at("node_modules")).target == "/workspace/node_modules");
    CHECK(lowered(cache_at("./a/../b/")).target == "/workspace/b");
    for (const auto* path : {"/", "", ".", "/workspace", "../x", "~/.m2", "/proc/self", "/dev", "/run/gantry/x", "/a/../.."})
        CHECK_THROWS_AS(lowered(cache_at(path)), Error);
}

TEST_CASE("keys are computed, and refused where they are none", "[lower_caches]")
{
    CHECK(lowered(cache_at("/c", {})).key == "default");
    CHECK(lowered(cache_at("/c", expression("branch"))).key == "main");
    CHECK_THROWS_AS(lowered(cache_at("/c", expression("tag"))), Error); // empty
    CHECK_THROWS_AS(lowered(cache_at("/c", pipeline::Text(std::string(513, 'x')))), Error);
    CHECK_THROWS_AS(lowered(cache_at("/c", pipeline::Text("a\nb"))), Error);
    CHECK_THROWS_AS(lowered(cache_at("/c", pipeline::Text(std::string("a\0b", 3)))), Error);
    CHECK_THROWS_AS(lowered(cache_at("/c", pipeline::Text("\xff"))), Error);
    CHECK(lowered(cache_at("/c", pipeline::Text("../../other"))).key == "../../other");
}

TEST_CASE("events that are not trusted only read", "[lower_caches]")
{
    auto cache = cache_at("/c");
    CHECK(lowered(cache).pushes);
    CHECK_FALSE(lowered(cache, false).pushes);
    cache.policy = "push";
    CHECK_FALSE(lowered(cache).pulls);
    CHECK_FALSE(lowered(cache, false).pushes);
    cache.policy = "pull";
    CHECK(lowered(cache).pulls);
    CHECK_FALSE(lowered(cache).pushes);
    cache.mode = "private";
    CHECK(lowered(cache).branch == "branch main");
}

TEST_CASE("two caches of a stage have two names and two places", "[lower_caches]")
{
    auto plan = plan_of({stage("a", {}, {step("one")})});
    plan.stages[0].caches = {cache_at("/c"), cache_at("/d")};
    CHECK_THROWS_AS(runner::lower_caches(plan, plan.stages[0], {}), Error);
    plan.stages[0].caches[1].name = "other";
    CHECK(runner::lower_caches(plan, plan.stages[0], {}).size() == 2);
    plan.stages[0].caches[1].path = pipeline::Text("/c/");
    CHECK_THROWS_AS(runner::lower_caches(plan, plan.stages[0], {}), Error);
}
