#include "pipeline/native_support.hpp"

#include "support/catch.hpp"

using namespace gantry::pipeline;

namespace {

// "column message: hint" of each problem of a service with these keys.
std::string told_of_service(const std::string& keys)
{
    std::string told;
    for (const auto& problem : parse_text("image: x\nsteps: [x]\nservices:\n  s:\n    image: i\n    " + keys + "\n").diagnostics)
        told += (told.empty() ? "" : ", ") + std::to_string(problem.mark.column) + " " + problem.message + ": " + problem.hint;
    return told;
}

// "line:column message: hint" of each problem of a file.
std::string told_of_file(const std::string& text)
{
    std::string told;
    for (const auto& problem : parse_text(text).diagnostics)
        told += (told.empty() ? "" : "\n") + std::to_string(problem.mark.line) + ":" + std::to_string(problem.mark.column) + " " +
                problem.message + ": " + problem.hint;
    return told;
}

} // namespace

TEST_CASE("a file of GitLab is told where its jobs belong", "[pipeline][native]")
{
    CHECK(told_of_file("stages: [build]\n.base: { image: a }\njob:\n  stage: build\n  script: [make]\nodd: { a: b }\n") ==
          "1:10 a stage must be a map (key: value), not text: write { name: …, steps: [{ run: … }] }: a stage has its steps in it\n"
          "2:1 unknown key '.base' in a pipeline: write x-base: such keys are free, for anchors\n"
          "3:1 unknown key 'job' in a pipeline: a job is one of the 'stages', a list of maps with 'name' and 'steps'\n"
          "6:1 unknown key 'odd' in a pipeline: ");
    CHECK(told_of_file("stages: [[a]]\n") == "1:10 a stage must be a map (key: value), not a list: ");
}

TEST_CASE("a secret as Woodpecker has it is told where it belongs", "[pipeline][native]")
{
    CHECK(told_of_file("image: a\nsteps:\n  - run: x\n    env: { TOKEN: { from_secret: token }, B: { c: d } }\n") ==
          "4:19 'TOKEN' must be text, not a map: write secrets: { VARIABLE: NAME } in the step\n4:46 'B' must be text, not a map: ");
}

TEST_CASE("a dollar sign as Compose escapes it is warned of in services of a pipeline", "[pipeline][native]")
{
    const std::string told = " '$$' is not an escape here: write $";
    CHECK(told_of_service("healthcheck: { test: \"[ $$FOO = bar ]\" }") == "29" + told + "FOO");
    CHECK(told_of_service("healthcheck: { test: [CMD-SHELL, 'echo $$a-$$b'] }") == "44" + told + "a");
    CHECK(told_of_service("command: sh -c 'echo $${A_1:-x}'") == "26" + told + "{A_1}");
    CHECK(told_of_service("entrypoint: [sh, -c, exec $$_x]") == "31" + told + "_x");
    CHECK(told_of_service("environment: [A=$$B]") == "21" + told + "B");
    CHECK(told_of_service("env: { A: $$B }") == "15" + told + "B");
    const auto parsed = parse_text("image: x\nsteps: [x]\nservices: { s: { image: i, command: [a, $$b] } }\n");
    CHECK(parsed.ok());
    CHECK(places_of(parsed) == ".gantry.yml:3:41 no-effect services.s.command[1]");
}

TEST_CASE("two dollar signs that mean something are left alone", "[pipeline][native]")
{
    for (const auto* keys : {"command: echo $$ $$-x $$1 $${}", "command: echo $$$$A $$$A", "command: \"echo $${{ branch }}\"", "labels: { a: $$b }"}) {
        CAPTURE(keys);
        CHECK(told_of_service(keys) == "");
    }
    CHECK(problems_of("image: x\nsteps: [\"echo $$a\", { run: \"mkdir /tmp/$$_x\", env: { A: $$b } }]\n") == "");
    CHECK(problems_of(parse_compose("services: { s: { image: i, command: \"echo $$A\", healthcheck: { test: \"echo $$$$A\" } } }\n")) == "");
}
