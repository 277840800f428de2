#include "pipeline/shell_words.hpp"

#include "support/catch.hpp"

using namespace gantry::pipeline;

namespace {

using ShellWords = std::vector<std::string>;

} // namespace

TEST_CASE("a shell that is named alone takes a script, and ends at the first command that fails", "[shell]")
{
    for (const char* shell : {"sh", "bash", "dash", "ash", "zsh", "ksh", "/bin/bash", "/usr/local/bin/zsh"})
        CHECK(with_script_option({shell}) == ShellWords{shell, "-ec"});
    CHECK(with_script_option({"busybox", "sh"}) == ShellWords{"busybox", "sh", "-ec"});
}

TEST_CASE("a shell with options gets the one that takes a script behind them", "[shell]")
{
    CHECK(with_script_option({"sh", "-e"}) == ShellWords{"sh", "-e", "-c"});
    CHECK(with_script_option({"sh", "+e"}) == ShellWords{"sh", "+e", "-c"});
    CHECK(with_script_option({"bash", "-eu", "-o", "pipefail"}) == ShellWords{"bash", "-eu", "-o", "pipefail", "-c"});
    CHECK(with_script_option({"bash", "-euo", "pipefail"}) == ShellWords{"bash", "-euo", "pipefail", "-c"});
    CHECK(with_script_option({"bash", "--rcfile", "ci.rc"}) == ShellWords{"bash", "--rcfile", "ci.rc", "-c"});
    CHECK(with_script_option({"bash", "--noprofile", "--norc"}) == ShellWords{"bash", "--noprofile", "--norc", "-c"});
    CHECK(with_script_option({"busybox", "ash", "-x"}) == ShellWords{"busybox", "ash", "-x", "-c"});
}

TEST_CASE("what takes a script already, runs a file or is no such shell stays as it is written", "[shell]")
{
    const std::vector<ShellWords> as_they_are = {
        {"sh", "-ec"},       {"bash", "-c"},        {"bash", "-euxo", "pipefail", "-c"}, {"bash", "-ceu"}, {"bash", "ci/wrap.sh"},
        {"bash", "-e", "x"}, {"python3"},           {"python3", "-c"},                   {"pwsh", "-Command"}, {"busybox"},
        {"busybox", "awk"},  {"env", "bash", "-c"}, {},                                  {"fish"},         {"bash", "--", "x"},
    };
    for (const auto& words : as_they_are)
        CHECK(with_script_option(words) == words);
}
