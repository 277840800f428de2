#include "pipeline/native_support.hpp"

#include "support/catch.hpp"

#include <map>

using namespace gantry::pipeline;

// Variables in the files of a Compose project that hold variables.

namespace {

std::map<std::string, std::string> environment_of(const Parsed& parsed)
{
    std::map<std::string, std::string> variables;
    for (const auto& [name, value] : parsed.definition.stages.at(0).services.at(0).container.environment)
        variables.emplace(name, value.source());
    return variables;
}

} // namespace

TEST_CASE("an env_file uses the project's variables, then the service's own, then what the files have said", "[pipeline][compose]")
{
    const Files files{{"a.env", "A=file\nB=1\nC=${B}2\nD=$P-$A\n"},
                      {"raw.env", "R=$A\n"},
                      {"b.env", "E=$P\nF=${C}\nG=$A\nH='$A'\nI=$R\nB=3\nJ=$B\nK=$T\n"},
                      {".env", "P=project\n"},
                      {".gantry.yml", "env: { T: \"${{ branch }}\" }\nimage: x\ncompose: compose.yml\nsteps: [x]\n"}};
    const std::map<std::string, std::string> expected{{"A", "1"},       {"B", "3"},  {"C", "12"}, {"D", "project-1"}, {"E", "project"}, {"F", "12"},
                                                      {"G", "1"},       {"H", "$A"}, {"I", "$A"}, {"J", "3"},         {"K", "${{ branch }}"},
                                                      {"P", "service"}, {"R", "$A"}};
    const std::string of_files = "env_file: [a.env, { path: raw.env, format: raw }, b.env]", own = "environment: { A: '1', P: service }";
    for (const auto& keys : {of_files + ", " + own, own + ", " + of_files}) {
        CAPTURE(keys);
        const auto parsed = parse_compose("services: { s: { image: i, " + keys + " } }\n", files);
        REQUIRE(problems_of(parsed) == "");
        CHECK(environment_of(parsed) == expected);
    }
}

TEST_CASE("a variable without value in a file of variables is warned of, and nothing of its line is told", "[pipeline][compose]")
{
    const auto parsed = parse_compose("services:\n  s: { image: i, env_file: a.env }\n  t: { image: i, env_file: a.env }\n",
                                      {{"a.env", "A=1\nSECRET=p$word\n"}, {".env", "B=1\n\nC=x${GONE}$GONE\n"}});
    CHECK(parsed.ok());
    CHECK(environment_of(parsed) == std::map<std::string, std::string>{{"A", "1"}, {"SECRET", "p"}});
    CHECK(places_of(parsed) == ".env:3:1 unset-variable \n"
                               "compose.yml:2:28 unset-variable services.s.env_file[0]");
    const auto told = problems_of(parsed);
    CHECK(told.find("'C' of '.env' uses a variable that has no value") != std::string::npos);
    CHECK(told.find("'SECRET' of 'a.env' uses a variable that has no value") != std::string::npos);
    CHECK((told.find("word") == std::string::npos && told.find("GONE") == std::string::npos));
}
