#include "app/registry.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "base/scratch.hpp"
#include "program.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

using namespace gantry;
using test::run_gantry;

TEST_CASE("the help of each command fits a screen and shows an example", "[app]")
{
    const auto lines_of = [](const std::string& page) { return std::count(page.begin(), page.end(), '\n'); };
    CHECK(lines_of(run_gantry({"--help"}).out) <= 40);
    for (const auto& row : app::commands()) {
        const auto ran = run_gantry({row.name, "--help"});
        INFO(row.name << "\n" << ran.out);
        CHECK(ran.exit_code == 0);
        CHECK_THAT(ran.out, ContainsSubstring("Example"));
        const bool takes_all = std::string(row.name) == "run"; // its flags alone are more
        CHECK(lines_of(ran.out) <= (takes_all ? 40 : 32));
    }
}

namespace {

// The names under "Commands:" of a page, or none.
std::vector<std::string> commands_in(const std::string& page)
{
    std::vector<std::string> names;
    bool among_them = false;
    for (const auto& line : split(page, '\n')) {
        among_them = line == "Commands:" || (among_them && line.starts_with("  "));
        if (among_them && line.size() > 2 && line[2] != ' ' && line.starts_with(' '))
            names.push_back(line.substr(2, line.find(' ', 2) - 2));
    }
    return names;
}

// Every page of help, by the words of its command.
void collect_pages(std::map<std::string, std::string>& pages, const std::vector<std::string>& command)
{
    auto arguments = command;
    arguments.emplace_back("--help");
    const auto ran = run_gantry(arguments);
    REQUIRE(ran.exit_code == 0);
    pages[join(command, " ")] = ran.out;
    for (const auto& name : commands_in(ran.out)) {
        auto inner = command;
        if (inner == std::vector<std::string>{"artifacts"})
            inner.emplace_back("1"); // a command there comes after its RUN
        inner.push_back(name);
        collect_pages(pages, inner);
    }
}

} // namespace

TEST_CASE("every page of help says how it is called, shows an example, names the options for all and is 80 columns wide", "[app]")
{
    std::map<std::string, std::string> pages;
    collect_pages(pages, {});
    CHECK(pages.size() == 39);
    std::map<std::string, std::string> by_footer;
    for (const auto& [command, page] : pages) {
        CAPTURE(command, page);
        for (const auto& line : split(page, '\n'))
            CHECK(line.size() <= 80);
        CHECK_THAT(page, ContainsSubstring("\nUsage: gantry " + command.substr(0, command.find(" 1 "))));
        CHECK_THAT(page, ContainsSubstring("Example"));
        CHECK_THAT(page, ContainsSubstring("--engine NAME"));
        for (const auto* raw : {"{false}", ":INT", " in [", "Excludes", "REQUIRED", "SUBCOMMAND"})
            CHECK_THAT(page, !ContainsSubstring(raw));
        CHECK(by_footer.emplace(page.substr(page.find("\nExample")), command).second); // none has another's text
    }
}

TEST_CASE("help and the version are found by the names that other programs have for them", "[app]")
{
    CHECK(run_gantry({"help"}).out == run_gantry({"--help"}).out);
    CHECK(run_gantry({"help", "image", "save"}).out == run_gantry({"image", "save", "--help"}).out);
    CHECK(run_gantry({"-V"}).out == run_gantry({"--version"}).out);
    const auto bare = run_gantry({"secret"});
    CHECK(bare.exit_code == 2);
    CHECK_THAT(bare.err, ContainsSubstring("gantry secret needs a command: one of set, ls, rm"));
    CHECK_THAT(run_gantry({"image", "save"}).err, ContainsSubstring("see: gantry image save --help"));
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

TEST_CASE("bash completes what a command takes at each place, and nothing else", "[app]")
{
    const Scratch scratch;
    const ScopedEnv state_home("XDG_STATE_HOME", scratch.path().c_str());
    make_directories(scratch / "gantry/runs/7", 0700);
    make_directories(scratch / "here/my dir", 0700);
    write_file_atomic(scratch / "here/my.yml", "", 0644);
    write_file_atomic(scratch / "gantry.bash", run_gantry({"completion", "bash"}).out, 0644);
    const auto offered = [&](const std::string& words) {
        const auto script = "cd '" + (scratch / "here") + "' && source '" + (scratch / "gantry.bash") + "' && COMP_WORDS=(gantry " + words +
                            ") && COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) && _gantry && IFS='|' && echo \"${COMPREPLY[*]}\" > '" +
                            (scratch / "offered") + "'";
        write_file_atomic(scratch / "script", script, 0644);
        REQUIRE(std::system(("bash '" + (scratch / "script") + "'").c_str()) == 0);
        return std::string(trim(read_file(scratch / "offered", 1 << 16)));
    };
    CHECK_THAT(offered("image save --"), ContainsSubstring("--output"));
    CHECK_THAT(offered("cache rm --"), ContainsSubstring("--keep"));
    CHECK_THAT(offered("artifacts 7 get --"), ContainsSubstring("--force"));
    CHECK(offered("artifacts 7 ''") == "get");
    CHECK(offered("secret ''") == "set|ls|rm");
    CHECK(offered("secret rm ''").empty());
    CHECK(offered("logs ''") == "latest|7");
    CHECK(offered("logs 7 ''").empty());
    CHECK(offered("run my") == "my dir");
    CHECK_THAT(offered("check my"), ContainsSubstring("my dir") && ContainsSubstring("my.yml"));
    CHECK(offered("--engine ''") == "docker|fake");
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
