#include "app/registry.hpp"
#include "base/file.hpp"
#include "base/scratch.hpp"
#include "program.hpp"
#include "support/catch.hpp"

#include <algorithm>

using namespace gantry;
using test::run_gantry;

TEST_CASE("the help of each command fits a screen and shows an example", "[app]")
{
    for (const auto& row : app::commands()) {
        const auto ran = run_gantry({row.name, "--help"});
        INFO(row.name << "\n" << ran.out);
        CHECK(ran.exit_code == 0);
        CHECK_THAT(ran.out, ContainsSubstring("Example"));
        const bool takes_all = std::string(row.name) == "run"; // its flags alone are more
        CHECK(std::count(ran.out.begin(), ran.out.end(), '\n') <= (takes_all ? 50 : 36));
    }
}

TEST_CASE("completions and the man page name every command", "[app]")
{
    for (const auto* shell : {"bash", "zsh", "fish", "man"}) {
        const auto ran = run_gantry({"completion", shell});
        CHECK(ran.exit_code == 0);
        for (const auto& row : app::commands())
            CHECK_THAT(ran.out, ContainsSubstring(row.name));
        CHECK_THAT(ran.out, ContainsSubstring(std::string(shell) == "man" ? "\\-\\-timestamps" : "timestamps"));
    }
    CHECK(run_gantry({"completion", "tcsh"}).exit_code == 2);
}

TEST_CASE("check finds every problem of every file at once and exits 2", "[app]")
{
    const Scratch scratch;
    write_file_atomic(scratch / "good.yml", "image: debian\nsteps:\n  - run: make\n", 0644);
    write_file_atomic(scratch / "bad.yml", "image: debian\nstep:\n  - run: make\n", 0644);
    write_file_atomic(scratch / "worse.yml", "image: [debian\n", 0644);

    const auto good = run_gantry({"check", scratch / "good.yml"});
    CHECK(good.exit_code == 0);
    CHECK_THAT(good.out, ContainsSubstring("no problems in "));

    const auto bad = run_gantry({"check", scratch / "bad.yml", scratch / "worse.yml"});
    CHECK(bad.exit_code == 2);
    CHECK_THAT(bad.err, ContainsSubstring("bad.yml:2:1: error:"));
    CHECK_THAT(bad.err, ContainsSubstring("worse.yml:"));
    CHECK_THAT(bad.err, ContainsSubstring("in 2 files"));

    const auto sarif = run_gantry({"check", "--sarif", scratch / "bad.yml"});
    CHECK(sarif.exit_code == 2);
    CHECK_THAT(sarif.out, ContainsSubstring("\"2.1.0\""));
}
