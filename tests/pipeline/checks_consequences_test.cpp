#include "pipeline/checks.hpp"

#include "pipeline/native_support.hpp"
#include "support/catch.hpp"

using namespace gantry::pipeline;

// What is said of a file that the parser does not understand whole.

namespace {

std::string codes_of(const std::string& text)
{
    std::string codes;
    for (const auto& problem : check(parse_text(text)))
        codes += (codes.empty() ? "" : ", ") + std::to_string(problem.mark.line) + " " + problem.code;
    return codes;
}

} // namespace

TEST_CASE("what the parser refuses hides nothing else of the file", "[checks]")
{
    CHECK(codes_of("stages:\n"
                   "- { name: a, image: gcc, neds: [c], steps: [make] }\n"
                   "- name: b\n"
                   "  image: gcc\n"
                   "  needs: [zz]\n"
                   "  if: brnch == 'x'\n"
                   "  steps: [{ run: \"echo ${{ message }}\" }]\n") ==
          "2 unknown-key, 5 unknown-stage, 6 expression, 7 outsider-text");
    CHECK(codes_of("stages:\n"
                   "- name: a\n"
                   "  image: gcc\n"
                   "  steps:\n"
                   "  - run: echo ${{ branch\n"
                   "  - { run: make, secret_files: { key: k } }\n") == "5 expression, 6 bad-path");
}

TEST_CASE("brackets in a key are no index", "[checks]")
{
    CHECK(codes_of("x]: 1\nimage: a\nsteps: [ls]\n") == "1 unknown-key");
    CHECK(codes_of("image: a\nenv: { \"a]\": [1], \"[b]]\": [1] }\nsteps: [ls]\n") == "2 wrong-type, 2 wrong-type");
    CHECK(codes_of("stages]:\n- { name: a, image: a, steps: [ls] }\n") == "1 unknown-key");
}

TEST_CASE("what may stand in a refused part is not said to be missing", "[checks]")
{
    // A step, its outputs and its image.
    CHECK(codes_of("stages:\n- { name: a, imag: gcc, steps: [make] }\n") == "2 unknown-key");
    CHECK(codes_of("stages:\n- { name: a, image: gcc, stepss: [make] }\n") == "2 unknown-key");
    CHECK(codes_of("defaults: { imag: gcc }\nstages:\n- { name: a, steps: [make] }\n") == "1 unknown-key");
    CHECK(codes_of("stages:\n"
                   "- { name: a, image: gcc, steps: [{ nam: one, run: make }, { run: \"echo ${{ steps.one.outputs.x }}\" }] }\n") ==
          "2 unknown-key");
    // A stage.
    CHECK(codes_of("stages:\n- { nam: a, image: gcc, steps: [make] }\n- { name: b, image: gcc, needs: [a], steps: [make] }\n") ==
          "2 unknown-key");
    CHECK(codes_of("stagess:\n- { name: a, image: gcc, steps: [make] }\n") == "1 unknown-key");
    CHECK(codes_of("include: [gone.yml]\nstages:\n- { name: b, image: gcc, needs: [a], steps: [make] }\n") == "1 include");
    // What a step or a service does: build something that it cannot.
    for (const auto* build : {"/etc", "{ context: ../up }", "{ context: \"https://example.org/a.tar\" }", "{ dockerfile: /etc/passwd }",
                              "{ context: \"https://example.org/a.git\", dockerfile_inline: FROM x }", "{ dockerfile_inline: \"\" }"}) {
        CAPTURE(build);
        CHECK(codes_of("stages:\n- name: a\n  steps:\n  - build: " + std::string(build) + "\n") == "4 bad-value");
        CHECK(codes_of("stages:\n- name: a\n  image: gcc\n  steps: [make]\n  services:\n    s:\n      build: " + std::string(build) + "\n") ==
              "7 bad-value");
    }
    // A declaration that all stages share; the other stage's own are known.
    CHECK(codes_of("volums: { data: }\n"
                   "stages:\n- { name: a, image: gcc, steps: [{ run: make, volumes: [\"data:/data\"] }] }\n") == "1 unknown-key");
    // A circle that only a stage closes whose needs were not understood.
    CHECK(codes_of("stages:\n"
                   "- { name: a, image: gcc, needs: [b], steps: [make] }\n"
                   "- { name: b, image: gcc, needs: { a: b }, steps: [make] }\n") == "3 wrong-type");
}

TEST_CASE("a key that declares nothing hides nothing, whatever is wrong with it", "[checks]")
{
    const std::string rest = "on: { manual: { inputs: { to: { type: string } } } }\n"
                             "stages:\n"
                             "- { name: a, image: gcc, matrix: { m: [x] }, steps: [{ name: s }] }\n"
                             "- { name: b, needs: [zz], steps: [make, { run: \"echo ${{ inputs.too }} ${{ steps.q.outputs.r }}\" }] }\n"
                             "- { name: c, needs: [a], image: gcc, steps: [{ run: \"echo ${{ matrix.n }} ${{ pull_request.nr }}\" }] }\n"
                             "- { name: d, needs: [e], image: gcc, steps: [{ run: make, volumes: [\"v:/v\"] }] }\n"
                             "- { name: e, needs: [d], image: gcc, matrix: { m: [x] }, steps: [\"echo ${{ matrix.n }}\"] }\n";
    const std::string want = ", 5 unknown-stage, 5 no-image, 5 no-image, 5 unknown-name, 5 unknown-step, 6 unknown-name, 6 outsider-text, 6 unknown-name, "
                             "7 cycle, 7 unknown-volume, 8 unknown-name";
    CHECK(codes_of("nmae: x\n" + rest) == "1 unknown-key, 4 missing-key" + want);
    CHECK(codes_of("timeout: soon\n" + rest) == "1 bad-value, 4 missing-key" + want);
    CHECK(codes_of("concurrency: { group: g, limit: many }\n" + rest) == "1 wrong-type, 4 missing-key" + want);
    // In the stage and the step that lack something, too.
    CHECK(codes_of("stages:\n"
                   "- name: a\n"
                   "  timeout: soon\n"
                   "  needs: [zz]\n"
                   "  steps:\n"
                   "  - { idle_timout: 3s, run: make }\n"
                   "  - { name: t, retry: often }\n") ==
          "3 bad-value, 4 unknown-stage, 6 no-image, 6 unknown-key, 7 missing-key, 7 wrong-type");
    CHECK(codes_of("on: { push: { branchs: [main] } }\nimage: gcc\nsteps: [\"echo ${{ inputs.x }}\", { timeout: x, name: n }]\n") ==
          "1 unknown-key, 3 unknown-name, 3 missing-key, 3 bad-value");
    CHECK(codes_of("on: { manul: { inputs: { x: {} } } }\nimage: gcc\nsteps: [\"echo ${{ inputs.x }}\"]\n") == "1 unknown-key");
}

TEST_CASE("a key that nobody knows hides nothing where it can only stand for a key of its section", "[checks]")
{
    for (const auto* section : {"healthcheck: { blah: [] }", "logging: { blah: {} }", "retry: { max: 1, blah: {} }",
                                "ports: [{ target: 80, blah: {} }]", "ulimits: { nofile: { soft: 1, hard: 1, blah: {} } }"}) {
        CAPTURE(section);
        CHECK(codes_of("stages:\n- name: a\n  needs: [zz]\n  steps:\n  - run: make\n  - { " + std::string(section) +
                       ", image: gcc }\n  - \"echo ${{ steps.q.image }} ${{ inputs.r }} ${{ matrix.s }}\"\n") ==
              "3 unknown-stage, 5 no-image, 6 unknown-key, 7 no-image, 7 unknown-step, 7 unknown-name, 7 unknown-name");
    }
    CHECK(codes_of("volumes: { data: { blah: {} } }\nimage: gcc\nsteps: [\"echo ${{ inputs.x }}\", { run: make, volumes: [\"v:/v\"] }]\n") ==
          "1 unknown-key, 3 unknown-name");
    CHECK(codes_of("on: { push: { blah: [] } }\nimage: gcc\nsteps: [\"echo ${{ inputs.x }}\"]\n") == "1 unknown-key, 3 unknown-name");
    CHECK(codes_of("on: { manual: { blah: {} } }\nimage: gcc\nsteps: [\"echo ${{ inputs.x }} ${{ matrix.y }}\"]\n") ==
          "1 unknown-key, 3 unknown-name");
}

TEST_CASE("a text declares nothing, whatever its key stands for", "[checks]")
{
    const std::string rest = "image: gcc\n"
                             "steps: [{ run: \"ls ${{ steps.x.image }} ${{ inputs.q }} ${{ matrix.z }}\", volumes: [\"nope:/x\"], networks: [nn] }]\n"
                             "services: { a: { image: gcc, depends_on: [zz] } }\n";
    const std::string all = ", 3 unknown-step, 3 unknown-name, 3 unknown-name, 3 unknown-volume, 3 unknown-network, 4 unknown-service";
    CHECK(codes_of("blah: 1\n" + rest) == "1 unknown-key" + all);
    CHECK(codes_of("blah:\n" + rest) == "1 unknown-key" + all);
    CHECK(codes_of("image: gcc\nsteps: [{ run: ls, needs: x, volumes: [\"nope:/x\"] }]\n") == "2 unknown-key, 2 unknown-volume");
    CHECK(codes_of("steps:\n- { run: make, healthcheck: { blah: 1 } }\n- \"${{ steps.q.image }}\"\n") ==
          "2 no-image, 2 unknown-key, 3 no-image, 3 unknown-step");
    // It may be a name, an image, what a step does, or a file that declares all of them.
    CHECK(codes_of("stages:\n- { blah: a, image: gcc, steps: [make] }\n- { name: b, needs: [a], image: gcc, steps: [make] }\n") == "2 unknown-key");
    CHECK(codes_of("stages:\n- { name: a, blah: gcc, steps: [make] }\n") == "2 unknown-key");
    CHECK(codes_of("image: gcc\nsteps: [{ blah: make }]\n") == "2 unknown-key");
    CHECK(codes_of("image: gcc\nsteps: [{ blah: s, run: make }, \"${{ steps.s.outputs.x }}\"]\n") == "2 unknown-key");
    CHECK(codes_of("blah: more.yml\n" + rest) == "1 unknown-key");
    CHECK(codes_of("blah: [text]\n" + rest) == "1 unknown-key");
}

TEST_CASE("a step does something of which a part was refused", "[checks]")
{
    const auto with = [](const std::string& work) { return codes_of("image: gcc\nsteps:\n- { " + work + " }\n- { volumes: [\"v:/v\"] }\n"); };
    CHECK(with("push: { tags: [\"Bad Name\"] }") == "3 bad-value, 4 missing-key, 4 unknown-volume");
    CHECK(with("push: { image: \"\" }") == "3 bad-value, 4 missing-key, 4 unknown-volume");
    CHECK(with("push: { blah: {} }") == "3 unknown-key, 4 missing-key, 4 unknown-volume");
    CHECK(with("settings: { a: }") == "3 bad-value, 4 missing-key, 4 unknown-volume");
}

TEST_CASE("a key beside stages hides only what it declares", "[checks]")
{
    const std::string step = "{ image: gcc, depends_on: [zz], if: inputs.y == 'a', run: \"${{ steps.q.image }}\" }";
    const std::string stages = "stages: [{ name: t, needs: [], steps: [" + step + "] }]\n";
    const std::string all = ", 2 unknown-service, 2 unknown-name, 2 unknown-step";
    for (const auto* key : {"image: gcc", "user: me", "shell: sh", "retry: 2", "needs: [a]", "runs_on: { a: b }", "finally: [ls]"}) {
        CAPTURE(key);
        CHECK(codes_of(std::string(key) + "\n" + stages) == "1 conflict" + all);
    }
    CHECK(codes_of("steps: [ls]\n" + stages) == "2 conflict" + all);
    CHECK(codes_of(stages + "steps: [ls]\n") == "1 unknown-service, 1 unknown-name, 1 unknown-step, 2 conflict");
    CHECK(codes_of("services: { zz: { image: gcc } }\n" + stages) == "1 conflict, 2 unknown-name, 2 unknown-step");
    CHECK(codes_of("compose: c.yml\n" + stages).find("unknown-service") == std::string::npos);
}

TEST_CASE("a key beside parallel hides only what it declares", "[checks]")
{
    const std::string rest = ": a, parallel: [make] }, { image: gcc, run: \"${{ inputs.y }} ${{ steps.q.image }}\" }]\n";
    CHECK(codes_of("steps: [{ image" + rest) == "1 conflict, 1 unknown-name, 1 unknown-step");
    CHECK(codes_of("image: gcc\nsteps: [{ name" + rest) == "2 conflict, 2 unknown-name");
}

TEST_CASE("an empty name hides what its map declares", "[checks]")
{
    const std::string use = "{ run: \"${{ steps.q.image }}\", if: inputs.y == 'a', depends_on: [zz] }]\n";
    for (const auto* map : {"env", "labels", "sysctls", "settings"}) {
        CAPTURE(map);
        CHECK(codes_of("image: gcc\nsteps: [{ command: x, " + std::string(map) + ": { \"\": a } }, " + use) ==
              "2 bad-value, 2 unknown-step, 2 unknown-name, 2 unknown-service");
    }
    CHECK(codes_of("env: { \"\": a }\nimage: gcc\nsteps: [" + use) == "1 bad-value, 3 unknown-step, 3 unknown-name, 3 unknown-service");
    CHECK(codes_of("services: { \"\": { image: a } }\nimage: gcc\nsteps: [" + use) == "1 bad-value, 3 unknown-step, 3 unknown-name");
    CHECK(codes_of("on: { manual: { inputs: { \"\": [a] } } }\nimage: gcc\nsteps: [" + use).find("unknown-name") == std::string::npos);
}

TEST_CASE("all wrong expressions of one text are told", "[checks]")
{
    CHECK(codes_of("image: gcc\nsteps:\n- run: |\n    a ${{ }}\n    b ${{ 1 + 2 }} ${{}}\n    c ${{ message }} ${{ steps.q.image }}\n    d ${{ branch\n") ==
          "4 expression, 5 expression, 5 expression, 6 outsider-text, 6 unknown-step, 7 expression");
    CHECK(codes_of("image: gcc\nsteps:\n- \"a ${{ }} ${{ 1 + 2 }}\"\n- command: [\"${{ }} ${{ 1 + 2 }}\"]\n- settings: { a: [\"${{ }}\"] }\n") ==
          "3 expression, 3 expression, 4 expression, 4 expression, 5 expression");
    // What a check says of the whole text may come from the part that is wrong.
    CHECK(codes_of("image: gcc\nsteps: [{ run: make, volumes: [\"data:${{ x\"] }]\nvolumes: { data: }\n") == "2 expression");
}

TEST_CASE("what one dependency says wrong hides no other", "[checks]")
{
    const std::string services = "services:\n  c: { image: gcc }\n  a:\n    image: gcc\n";
    const auto of = [&](const std::string& keys) { return codes_of("image: gcc\nsteps: [make]\n" + services + keys); };
    CHECK(of("    depends_on:\n      b: { condition: service_healthy }\n      c: { cond: x }\n") == "8 unknown-service, 9 unknown-key");
    CHECK(of("    depends_on:\n      b:\n      c: { condition: x }\n") == "8 unknown-service, 9 bad-value");
    CHECK(of("    depends_on:\n      b: { requird: false }\n") == "8 unknown-key");
    CHECK(of("    networks:\n      b:\n      default: { ipv4_address: x }\n") == "8 unknown-network, 9 bad-value");
}

TEST_CASE("what cannot stand together is told once", "[checks]")
{
    for (const auto* step : {"run: x, build: .", "build: ., run: x", "run: x, push: true", "push: true, run: x", "run: x, push: { tags: [r.io/a/b] }",
                             "run: x, settings: { a: b }", "settings: { a: b }, run: x", "settings: { a: b }, build: .", "run: x, command: y"}) {
        CAPTURE(step);
        CHECK(codes_of("image: gcc\nsteps: [{ " + std::string(step) + " }]\n") == "2 conflict");
    }
    CHECK(codes_of("image: gcc\nsteps: [{ build: ., command: y }]\n") == "2 conflict");
    CHECK(codes_of("image: gcc\nsteps: [{ run: x, push: [noregistry] }]\n") == "2 conflict, 2 push");
    CHECK(codes_of("image: gcc\nsteps: [{ run: x, push: true }, { push: true }]\n") == "2 conflict, 2 push");
    CHECK(codes_of("image: gcc\nsteps: [{ run: x, build: ., secrets: { A: b }, env: { A: c } }]\n") == "2 conflict, 2 conflict");
    CHECK(codes_of("image: gcc\nsteps: [{ run: x, settings: { a: b }, env: { PLUGIN_A: c } }]\n") == "2 conflict, 2 conflict");
    CHECK(codes_of("image: gcc\nsteps: [{ run: x, build: . }, { run: \"${{ steps.q.image }}\" }]\n") == "2 conflict, 2 unknown-step");
}

TEST_CASE("a stage without a name is told once", "[checks]")
{
    CHECK(problems_of(parse_text("stages: [{ image: a, steps: [x] }]\n")).find("add name: …") != std::string::npos);
    CHECK(codes_of("stages: [{ image: a, steps: [x] }]\n") == "1 missing-key");
    CHECK(codes_of("stages:\n- { image: a, steps: [x] }\n- { imag: a, steps: [x] }\n- { name: a/b, image: a }\n") ==
          "2 missing-key, 3 bad-name, 3 unknown-key, 4 missing-key, 4 bad-name");
}

TEST_CASE("a file that is no YAML has one problem", "[checks]")
{
    CHECK(codes_of("stages: [\n").find(',') == std::string::npos);
    CHECK(codes_of("a: b: c\n").find(',') == std::string::npos);
    CHECK(codes_of("").find(',') == std::string::npos);
}
