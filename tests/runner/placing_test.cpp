#include "runner/placing.hpp"

#include "base/error.hpp"
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

TEST_CASE("what lies below a tmpfs gets a volume on top of it", "[placing]")
{
    engine::ContainerSpec spec;
    spec.mounts = {{.type = engine::Mount::Type::tmpfs, .target = "/run"}, {.source = "data", .target = "/run/data"}};

    runner::make_places(spec, {"/run/secrets/a", "/run/secrets/b", "/run/data/c", "/etc/d"});

    CHECK(targets_of(spec) == std::vector<std::string>{"/run", "/run/data", "/run/secrets"});
}

TEST_CASE("what a mount would hide or refuse is told", "[placing]")
{
    engine::ContainerSpec spec;
    spec.mounts = {{.type = engine::Mount::Type::tmpfs, .target = "/run"}, {.source = "data", .target = "/data", .read_only = true}};
    const auto problem_of = [&spec](const char* path) -> std::string {
        try {
            runner::make_places(spec, {path});
        } catch (const Error& error) {
            CHECK(error.code() == Errc::bad_input);
            return error.what();
        }
        return "";
    };

    CHECK(problem_of("/run/a") == "/run/a would be hidden: a tmpfs is mounted over /run");
    CHECK(problem_of("/data/deep/a") == "/data/deep/a cannot be put into /data, which is read-only");
    CHECK(problem_of("/database/a").empty());
}

TEST_CASE("a root that can be written to gets no volumes for files", "[placing]")
{
    engine::ContainerSpec spec;
    runner::make_places(spec, {"/run/secrets/a"});
    CHECK(spec.mounts.empty());
}
