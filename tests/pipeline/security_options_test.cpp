#include "pipeline/native_support.hpp"

#include "support/catch.hpp"

using namespace gantry::pipeline;

namespace {

using Options = std::vector<std::string>;

Options options_of(const Parsed& parsed)
{
    REQUIRE(problems_of(parsed) == "");
    const auto& stage = parsed.definition.stages.at(0);
    return stage.services.empty() ? stage.steps.at(0).steps.at(0).container.security_opt : stage.services[0].container.security_opt;
}

Parsed parse_step(const std::string& option, Files files = {})
{
    files.emplace(".gantry.yml", "steps:\n- image: a\n  security_opt:\n  - " + option + "\n");
    return parse_files(std::move(files));
}

std::string problem_of(const std::string& option, Files files = {})
{
    return problems_of(parse_step(option, std::move(files)));
}

} // namespace

TEST_CASE("a profile of seccomp reaches the engine as what the file has", "[pipeline][native]")
{
    const Files files{{"ci/p.json", "{\n  \"defaultAction\": \"SCMP ACT\",\t\"x\": [1, \"a \\\" b\\\\\"]\n}\n"}};
    const Options profile{"seccomp={\"defaultAction\":\"SCMP ACT\",\"x\":[1,\"a \\\" b\\\\\"]}"};
    CHECK(options_of(parse_step("seccomp=ci/p.json", files)) == profile);
    CHECK(options_of(parse_step("seccomp:./ci/p.json", files)) == profile);
    CHECK(options_of(parse_step("'seccomp={\"defaultAction\": \"x\"}'")) == Options{"seccomp={\"defaultAction\":\"x\"}"});
    for (const auto* other : {"seccomp=unconfined", "seccomp:unconfined", "seccomp=builtin", "apparmor=p.json", "no-new-privileges", "label=disable"})
        CHECK(options_of(parse_step(other)) == Options{other});
}

TEST_CASE("a Compose file's profile of seccomp is found from its folder", "[pipeline][compose]")
{
    const Files files{{"ci/p.json", "{ }"},
                      {".gantry.yml", "image: x\ncompose: ci/c.yml\nsteps: [x]\n"},
                      {"ci/c.yml", "services: { s: { image: i, security_opt: [\"seccomp=p.json\", \"label=disable\"] } }\n"}};
    CHECK(options_of(parse_files(files)) == Options{"seccomp={}", "label=disable"});
    CHECK(places_of(parse_files({{".gantry.yml", files.at(".gantry.yml")}, {"ci/c.yml", files.at("ci/c.yml")}})) ==
          "ci/c.yml:1:43 missing-file services.s.security_opt[0]");
}

TEST_CASE("a profile of seccomp that cannot be had is told of where it is named", "[pipeline][native]")
{
    CHECK_THAT(problem_of("seccomp=p.json"), ContainsSubstring(":4:5: error: there is no file 'p.json'"));
    CHECK_THAT(problem_of("seccomp=/etc/p.json"), ContainsSubstring(":4:5: error: '/etc/p.json' is not a file of the repository"));
    CHECK_THAT(problem_of("seccomp=../p.json"), ContainsSubstring("'../p.json' is not a file of the repository"));
    CHECK_THAT(problem_of("seccomp=p", {{"p", "{"}}), ContainsSubstring(":4:5: error: 'p' is not a profile of seccomp: it is no JSON object"));
    CHECK_THAT(problem_of("seccomp=p", {{"p", "[]"}}), ContainsSubstring("it is no JSON object"));
    CHECK_THAT(problem_of("'seccomp={x}'"), ContainsSubstring(":4:5: error: what stands here is not a profile of seccomp"));
    std::string steps = "steps:\n";
    for (int i = 0; i < 40; ++i)
        steps += "- { image: a, security_opt: [seccomp=p] }\n";
    CHECK_THAT(problems_of(parse_files({{".gantry.yml", steps}, {"p", "{\"x\":\"" + std::string(500'000, 'x') + "\"}"}})),
               ContainsSubstring(":35:30: error: the profiles of seccomp of all containers have more than"));
}
