#include "base/scratch.hpp"
#include "program.hpp"
#include "runner/snapshot_repo.hpp"
#include "support/catch.hpp"

using namespace gantry;
using test::run_gantry;

namespace {

// Two commits: the second one changes documents alone, which the pipeline's filter leaves out.
struct PushedShop {
    Scratch scratch;
    ScopedEnv state_home{"XDG_STATE_HOME", (scratch / "state").c_str()}, cache_home{"XDG_CACHE_HOME", (scratch / "cache").c_str()};
    tests::TestRepo repo{scratch / "shop"};

    PushedShop()
    {
        repo.write(".gantry.yml", "on: { push: { paths: [src/**] } }\nimage: gcc\nsteps: [make]\n");
        repo.write("src/main.c", "");
        repo.commit();
        repo.write("README", "");
        repo.commit();
    }

    test::Ran plan(std::vector<std::string> flags)
    {
        flags.insert(flags.begin(), {"plan", repo.path()});
        return run_gantry(flags);
    }
};

} // namespace

TEST_CASE("a push that is played is the last commit, unless it is said what it counts from", "[app][git]")
{
    PushedShop world;
    const auto filtered = world.plan({"--event", "push"});
    CAPTURE(filtered.out, filtered.err);
    CHECK_THAT(filtered.out, !ContainsSubstring("make"));
    CHECK_THAT(world.plan({}).out, ContainsSubstring("make"));
    world.repo.write("src/main.c", "int main() {}\n");
    CHECK_THAT(world.plan({"--event", "push"}).out, ContainsSubstring("make"));
    CHECK_THAT(world.plan({"--event", "push", "--no-dirty"}).out, !ContainsSubstring("make"));

    const auto unknown = world.plan({"--event", "push", "--base", "nope"});
    CHECK(unknown.exit_code == 2);
    CHECK_THAT(unknown.err, ContainsSubstring("--base nope"));
}

TEST_CASE("an input is for a run by hand", "[app][git]")
{
    PushedShop world;
    const auto refused = world.plan({"--event", "push", "--input", "a=b"});
    CHECK(refused.exit_code == 2);
    CHECK_THAT(refused.err, ContainsSubstring("--input"));
}

TEST_CASE("a report that cannot be written is told before the run", "[app][git]")
{
    PushedShop world;
    for (const auto& file : {world.scratch / "gone/report.xml", world.scratch.path()}) {
        const auto refused = run_gantry({"run", "--engine", "fake", "--report-junit", file, world.repo.path()});
        CHECK(refused.exit_code == 2);
        CHECK_THAT(refused.err, ContainsSubstring("--report-junit"));
        CHECK(run_gantry({"ps", "--all", "--json"}).out == "[]\n");
    }
}

TEST_CASE("a flag or a variable that is wrong is told before there is a run", "[app][git]")
{
    PushedShop world;
    const ScopedEnv limit("GANTRY_ARTIFACTS_MAX", "1g");
    const auto refuse = [&](std::vector<std::string> flags, const std::string& named) {
        flags.insert(flags.begin(), {"run", "--engine", "fake", world.repo.path()});
        const auto refused = run_gantry(flags);
        CHECK(refused.exit_code == 2);
        CHECK_THAT(refused.err, ContainsSubstring(named));
        CHECK(run_gantry({"ps", "--all", "--json"}).out == "[]\n");
    };
    refuse({"--pull", "nope"}, "--pull nope");
    refuse({"--log-level", "nope"}, "--log-level nope");
    refuse({"--allow", "nope"}, "--allow nope");
    refuse({"--keep-free", "nope"}, "--keep-free nope");
    const ScopedEnv wrong("GANTRY_ARTIFACTS_MAX", "x");
    refuse({}, "GANTRY_ARTIFACTS_MAX=x");
}
