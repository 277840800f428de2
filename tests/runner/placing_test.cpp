#include "runner/placing.hpp"

#include "support/catch.hpp"

using namespace gantry;

namespace {

std::vector<std::string> targets_of(const engine::ContainerSpec& spec)
{
    std::vector<std::string> targets;
    for (const auto& mount : spec.mounts)
        targets.push_back(mount.target);
    return targets;
}

} // namespace

TEST_CASE("a read-only root gets a volume for each folder that gets files, and no two for one", "[placing]")
{
    engine::ContainerSpec spec;
    spec.security.read_only_root = true;
    spec.mounts = {{.source = "data", .target = "/data"}};

    runner::make_places(spec, {"/run/secrets/a", "/run/secrets/b", "/data/deep/c", "/top", "/database/d"});

    CHECK(targets_of(spec) == std::vector<std::string>{"/data", "/run/secrets", "/top", "/database"});
    CHECK(spec.mounts[1].source.empty());
}

TEST_CASE("a root that can be written to gets no volumes for files", "[placing]")
{
    engine::ContainerSpec spec;
    runner::make_places(spec, {"/run/secrets/a"});
    CHECK(spec.mounts.empty());
}
