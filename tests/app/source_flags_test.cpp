#include "base/scratch.hpp"
#include "program.hpp"
#include "runner/snapshot_repo.hpp"
#include "support/catch.hpp"

#include <nlohmann/json.hpp>

#include <sys/stat.h>

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

TEST_CASE("a pull request that is played is all since it left its target", "[app][git]")
{
    PushedShop world;
    world.repo.write(".gantry.yml", "on: { pull_request: { paths: [src/**] } }\nimage: gcc\nsteps: [make]\n");
    const auto target = world.repo.commit();
    world.repo.reference("refs/heads/release", target);
    CHECK_THAT(world.plan({"--event", "pull_request", "--branch", "release"}).out, !ContainsSubstring("make"));

    world.repo.write("src/main.c", "int main() {}\n");
    world.repo.commit();
    world.repo.write("README", "more");
    world.repo.commit();

    CHECK_THAT(world.plan({"--event", "pull_request", "--branch", "release"}).out, ContainsSubstring("make"));
    CHECK_THAT(world.plan({"--event", "pull_request", "--branch", "release", "--base", "HEAD~1"}).out, !ContainsSubstring("make"));
    // Of a target that is not here nobody knows.
    CHECK_THAT(world.plan({"--event", "pull_request", "--branch", "elsewhere"}).out, ContainsSubstring("make"));
}

TEST_CASE("a run of a commit has that commit's values, and so has its rerun", "[app][git]")
{
    PushedShop world;
    world.repo.write(".gantry.yml", "image: gcc\nsteps: [make]\n");
    const auto first = world.repo.commit("First");
    world.repo.reference("refs/tags/v1", first);
    world.repo.write("README", "more");
    const auto second = world.repo.commit("Second");
    world.repo.write("README", "dirty");
    const auto event_of = [&](std::vector<std::string> flags) {
        flags.emplace_back("--json");
        return nlohmann::json::parse(world.plan(flags).out).at("event");
    };

    CHECK(event_of({}).at("sha") == second);
    const auto event = event_of({"--rev", "HEAD~1"});
    CHECK(event.at("sha") == first);
    CHECK(event.at("message") == "First");
    CHECK(event_of({"--event", "tag", "--tag", "v1", "--no-dirty"}).at("sha") == first);
    CHECK(event_of({"--event", "tag", "--tag", "v2", "--no-dirty"}).at("sha") == second);

    for (const auto& [flags, rev] : {std::pair{std::vector<std::string>{"--rev", "HEAD~1"}, first},
                                     std::pair{std::vector<std::string>{"--no-dirty"}, second}, std::pair{std::vector<std::string>{}, std::string()}}) {
        std::vector<std::string> all{"run", "--engine", "fake", world.repo.path()};
        all.insert(all.end(), flags.begin(), flags.end());
        run_gantry(all);
        run_gantry({"rerun", "--engine", "fake", "latest"});
        const auto runs = nlohmann::json::parse(run_gantry({"ps", "--all", "--json"}).out);
        for (const std::size_t newest : {0, 1}) {
            const auto id = runs.at(newest).at("id").get<std::string>();
            const auto meta = nlohmann::json::parse(tests::slurp(world.scratch / ("state/gantry/runs/" + id + "/meta.json")));
            CHECK(meta.at("rev") == rev);
        }
    }
}

TEST_CASE("an input is for a run by hand", "[app][git]")
{
    PushedShop world;
    const auto refused = world.plan({"--event", "push", "--input", "a=b"});
    CHECK(refused.exit_code == 2);
    CHECK_THAT(refused.err, ContainsSubstring("--input"));
}

TEST_CASE("a variable that is gantry's own gets no value from the command line", "[app][git]")
{
    PushedShop world;
    for (const char* variable : {"CI_WORKSPACE=/z", "CI=false"}) {
        const auto refused = world.plan({"--env", variable});
        CHECK(refused.exit_code == 2);
        CHECK_THAT(refused.err, ContainsSubstring("is set by gantry itself"));
    }
    CHECK(world.plan({"--env", "CI=true", "--env", "A=b"}).exit_code == 0);
}

TEST_CASE("a report that cannot be written is told before the run", "[app][git]")
{
    PushedShop world;
    REQUIRE(::mkfifo((world.scratch / "pipe").c_str(), 0600) == 0);
    for (const auto& file : {world.scratch / "gone/report.xml", world.scratch.path(), world.scratch / "pipe", std::string("/dev/null")}) {
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
