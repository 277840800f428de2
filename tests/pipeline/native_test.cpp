#include "pipeline/native_support.hpp"
#include "pipeline/plan_merge.hpp"

#include "base/error.hpp"
#include "support/catch.hpp"

using namespace gantry::pipeline;
using namespace std::chrono_literals;

namespace {

// The only step of a short form.
Step step_of(const std::string& text)
{
    const auto parsed = parse_text(text);
    REQUIRE(problems_of(parsed) == "");
    REQUIRE(parsed.definition.stages.size() == 1);
    REQUIRE(parsed.definition.stages[0].steps.size() == 1);
    return parsed.definition.stages[0].steps[0].steps.at(0);
}

std::vector<std::string> sources_of(const std::vector<Text>& texts)
{
    std::vector<std::string> sources;
    for (const auto& text : texts)
        sources.push_back(text.source());
    return sources;
}

using Strings = std::vector<std::string>;

} // namespace

TEST_CASE("the short form is one stage named main", "[pipeline][native]")
{
    const auto parsed = parse_text("image: debian\nsteps:\n  - run: make test\n  - make install\n");

    REQUIRE(problems_of(parsed) == "");
    REQUIRE(parsed.definition.stages.size() == 1);
    const auto& stage = parsed.definition.stages[0];
    CHECK(stage.name == "main");
    CHECK(stage.container.image == Text("debian"));
    REQUIRE(stage.steps.size() == 2);
    CHECK(stage.steps[0].steps.at(0).run == Text("make test"));
    CHECK(stage.steps[1].steps.at(0).run == Text("make install"));
    CHECK_FALSE(stage.needs);
}

TEST_CASE("no needs and empty needs are told apart", "[pipeline][native]")
{
    const auto parsed = parse_text("stages:\n- { name: a, steps: [x] }\n- { name: b, needs: [], steps: [x] }\n- { name: c, needs: a, steps: [x] }\n");

    REQUIRE(problems_of(parsed) == "");
    const auto& stages = parsed.definition.stages;
    CHECK_FALSE(stages[0].needs);
    CHECK(stages[1].needs == std::vector<Need>{});
    CHECK(stages[2].needs == std::vector<Need>{{"a", {}}});
}

TEST_CASE("values of variables keep the text that they have in the file", "[pipeline][native]")
{
    const auto step = step_of("steps: [{ image: a, env: { A: 1.10, B: yes, C: 0x1F, D: true, E: \"\", F: ~x, G: 'q' } }]");

    std::string all;
    for (const auto& [name, value] : step.container.environment)
        all += name + "=" + value.source() + " ";
    CHECK(all == "A=1.10 B=yes C=0x1F D=true E= F=~x G=q ");
}

TEST_CASE("a label may have no value, a variable may not", "[pipeline][native]")
{
    using Labels = std::map<std::string, std::string>;
    CHECK(step_of("steps: [{ image: a, labels: [com.example.x, a=b, c=] }]").container.labels == Labels{{"com.example.x", ""}, {"a", "b"}, {"c", ""}});
    CHECK(step_of("steps: [{ image: a, labels: { com.example.x: , a: b } }]").container.labels == Labels{{"com.example.x", ""}, {"a", "b"}});
    CHECK(step_of("steps: [{ build: { labels: [team, \"v=${{ sha }}\"] } }]").build->labels == TextMap{{"team", ""}, {"v", Text({{true, "sha", {}}})}});
    CHECK_THAT(problems_of("steps:\n- { image: a, labels: [\"a b\"] }"), ContainsSubstring(":2:24: error: 'a b' cannot be a name"));
    CHECK_THAT(problems_of("steps: [{ image: a, env: [TOKEN] }]"), ContainsSubstring("secrets of the run come in by 'secrets'"));
    CHECK_THAT(problems_of("steps: [{ image: a, sysctls: [net.x] }]"), ContainsSubstring("'net.x' has no value"));
}

TEST_CASE("booleans are true and false and nothing else", "[pipeline][native]")
{
    CHECK(step_of("steps: [{ image: a, privileged: true }]").container.privileged == true);
    CHECK_THAT(problems_of("steps: [{ image: a, privileged: yes }]"), ContainsSubstring("'yes' is not a boolean\n"));
    CHECK_THAT(problems_of("steps: [{ image: a, privileged: yes }]"), ContainsSubstring("write true\n"));
    CHECK_THAT(problems_of("steps: [{ image: a, init: Off }]"), ContainsSubstring("write false\n"));
    CHECK_THAT(problems_of("steps: [{ image: a, init: \"false\" }]"), ContainsSubstring("write false, without quotes\n"));
}

TEST_CASE("a command is split as a POSIX shell splits words", "[pipeline][native]")
{
    const auto words = [](const std::string& command) {
        return sources_of(*step_of("steps:\n- image: a\n  command: |-\n    " + command + "\n").container.command);
    };
    CHECK(words("make -j 2") == Strings{"make", "-j", "2"});
    CHECK(words(R"(a 'b c' "d e"f g\ h)") == Strings{"a", "b c", "d ef", "g h"});
    CHECK(words(R"("a\"b\\c\d" 'x\y' "")") == Strings{R"(a"b\c\d)", R"(x\y)", ""});
    CHECK(words(R"(x=${{ format("a b", 'c') }} y)") == Strings{R"(x=${{ format("a b", 'c') }})", "y"});
    CHECK(words("echo ${{ format('{{{0}}} {1}', sha, '}}') }} y") == Strings{"echo", "${{ format('{{{0}}} {1}', sha, '}}') }}", "y"});
    CHECK(words("\"a ${{ '}} \\\"' }}\" y").size() == 2);
    CHECK_THAT(problems_of("steps:\n- { image: a, command: \"x ${{ 'y }}\" }"), ContainsSubstring(":2:27: error: a quote is not closed inside '${{'"));
    CHECK_THAT(problems_of("steps:\n- { image: a, command: \"x 'y\" }"), ContainsSubstring(":2:27: error: a quote is not closed in this command"));
}

TEST_CASE("ports have a short and a long form", "[pipeline][native]")
{
    const auto ports =
        step_of(
            "steps: [{ image: a, ports: [80, \"8080:80\", \"127.0.0.1:53:53/udp\", \"[::1]:1-2:3-4\", { target: 5 }, \"8000-8010:80\"] }]")
            .container.ports;

    REQUIRE(ports.size() == 6);
    CHECK(ports[0] == PortMapping{"", "", "80", "tcp", {}});
    CHECK(ports[1] == PortMapping{"", "8080", "80", "tcp", {}});
    CHECK(ports[2] == PortMapping{"127.0.0.1", "53", "53", "udp", {}});
    CHECK(ports[3] == PortMapping{"::1", "1-2", "3-4", "tcp", {}});
    CHECK(ports[4] == PortMapping{"", "", "5", "tcp", {}});
    CHECK(ports[5] == PortMapping{"", "8000-8010", "80", "tcp", {}});
    CHECK_THAT(problems_of("steps: [{ image: a, ports: [\"8000-8010:80-81\"] }]"),
               ContainsSubstring("error: 8000-8010 and 80-81 are not as many ports"));
}

TEST_CASE("a link has a service and a name", "[pipeline][native]")
{
    const auto links =
        step_of(
            "services: { db: { image: a }, cache: { image: a } }\nsteps: [{ image: a, links: [\"db:database\", cache] }]")
            .container.links;
    CHECK(links == std::vector<Link>{{"db", "database", {}}, {"cache", "cache", {}}});
    for (const auto* wrong : {"\":a\"", "\"db:\"", "\"a:b:c\"", "\"a b\""})
        CHECK_THAT(problems_of(std::string("steps: [{ image: a, links: [") + wrong + "] }]"),
                   ContainsSubstring("is not a link"));
}

TEST_CASE("an address is one of IPv4 or IPv6", "[pipeline][native]")
{
    CHECK(step_of("steps: [{ image: a, dns: [10.0.0.2, \"fd00::2\"] }]").container.dns ==
          Strings{"10.0.0.2", "fd00::2"});
    CHECK_THAT(problems_of("steps:\n- { image: a, dns: nosuch }"),
               ContainsSubstring(":2:20: error: 'nosuch' is not an address"));
    CHECK_THAT(problems_of("steps:\n- { image: a, networks: { default: { ipv4_address: 10.0.0 } } }"),
               ContainsSubstring("'10.0.0' is not an address"));
}

TEST_CASE("a further host has an address, or is the engine's", "[pipeline][native]")
{
    const auto hosts = [](const std::string& written) { return step_of("steps: [{ image: a, extra_hosts: " + written + " }]").container.extra_hosts; };
    CHECK(hosts("[\"v6:[::1]\", \"v6=::1\", \"h:host-gateway\", \"db:10.0.0.2,10.0.0.3\"]") ==
          Strings{"v6:::1", "v6:::1", "h:host-gateway", "db:10.0.0.2", "db:10.0.0.3"});
    CHECK(hosts("{ db: 10.0.0.2, v6: \"[fd00::2]\" }") == Strings{"db:10.0.0.2", "v6:fd00::2"});

    CHECK_THAT(problems_of("steps:\n- { image: a, extra_hosts: [\"a:b\"] }"), ContainsSubstring(":2:29: error: 'b' is not an address"));
    CHECK_THAT(problems_of("steps:\n- { image: a, extra_hosts: { a: nosuch } }"), ContainsSubstring(":2:33: error: 'nosuch' is not an address"));
    CHECK_THAT(problems_of("steps: [{ image: a, extra_hosts: [\"v6:[::1\"] }]"), ContainsSubstring("'[::1' is not an address"));
    CHECK_THAT(problems_of("steps: [{ build: { extra_hosts: [q] } }]"), ContainsSubstring("'q' is not a host"));
}

TEST_CASE("a limit is one that there is, and enough to start with", "[pipeline][native]")
{
    CHECK(step_of("steps: [{ image: a, ulimits: { NOFILE: 5, as: -1 } }]").container.ulimits.size() == 2);
    CHECK_THAT(problems_of("steps:\n- { image: a, ulimits: { nope: 3 } }"), ContainsSubstring(":2:26: error: there is no limit 'nope'"));
    CHECK_THAT(problems_of("steps:\n- { image: a, ulimits: { nofiles: 3 } }"), ContainsSubstring("did you mean 'nofile'?"));
    CHECK(places_of("steps:\n- { image: a, ulimits: { nofile: { soft: 5 } } }") == ".gantry.yml:2:34 missing-key steps[0].ulimits.nofile");

    CHECK(step_of("steps: [{ image: a, mem_limit: 0 }]").container.memory_bytes == 0u);
    CHECK(step_of("steps: [{ image: a, mem_limit: 6m }]").container.memory_bytes == 6u << 20);
    CHECK_THAT(problems_of("steps:\n- { image: a, mem_limit: 1k }"), ContainsSubstring(":2:26: error: 1k is less memory than a container can have"));
    CHECK_THAT(problems_of("steps: [{ image: a, resources: { memory: 5m } }]"), ContainsSubstring("write 6m or more"));
}

TEST_CASE("a build is made from the workspace, and its image can be named", "[pipeline][native]")
{
    const auto problems = [](const std::string& build) { return problems_of("steps:\n- { build: " + build + " }\n"); };
    for (const char* good : {"./api", "/workspace/api", "{ context: api, dockerfile: ../Dockerfile }",
                             "\"https://git.example/x.git#main:api\"", "{ context: ctx.tar.gz }", "{ context: ctx.tar, dockerfile: a/../x }",
                             "{ context: \"${{ env.X }}\", dockerfile: ../../x }", "{ network: none, tags: [a, \"x.example:5000/a/b:1\", \"${{ env.X }}\"] }"})
        CHECK(problems(good) == "");

    CHECK_THAT(problems("../x"), ContainsSubstring(":2:12: error: '../x' is not in the workspace"));
    CHECK_THAT(problems("{ context: /etc }"), ContainsSubstring(":2:23: error: '/etc' is not in the workspace"));
    CHECK_THAT(problems("{ context: \"git@git.example:x.git\" }"), ContainsSubstring("behind SSH are not for the engine to clone"));
    CHECK_THAT(problems("\"https://git.example/x.zip\""), ContainsSubstring("is no git repository"));
    CHECK_THAT(problems("\"file:///etc/x.git\""), ContainsSubstring(":2:12: error: 'file:///etc/x.git' is no address that an engine clones from"));
    CHECK_THAT(problems("{ context: \"HTTPS://git.example/x.git\" }"), ContainsSubstring("write https://HOST/NAME.git"));
    CHECK_THAT(problems("{ context: \"https://git.example/x.git\", dockerfile: ../x }"), ContainsSubstring(":2:64: error: '../x' is not in the context"));
    CHECK_THAT(problems("{ context: a.tar, dockerfile: a/../../x }"), ContainsSubstring("'a/../../x' is not in the context"));
    CHECK_THAT(problems("{ context: api, dockerfile: ../../x }"), ContainsSubstring(":2:40: error: '../../x' is not in the workspace"));
    CHECK_THAT(problems("{ dockerfile_inline: \"\" }"), ContainsSubstring(":2:33: error: a Dockerfile cannot be empty"));
    CHECK_THAT(problems("{ context: a.tar, dockerfile_inline: FROM a }"), ContainsSubstring("only a context that is a folder"));
    CHECK_THAT(problems("{ network: foo }"), ContainsSubstring(":2:23: error: 'foo' is not a network for a build"));
    CHECK_THAT(problems("{ network: foo }"), ContainsSubstring("one of: default, none, host"));
    for (const char* good : {"app", "[\"x.example:5000/a/b:1\", \"${{ env.X }}\"]"})
        CHECK(problems("{ cache_from: " + std::string(good) + " }") == "");
    CHECK(problems("{ cache_from: \"a@sha256:" + std::string(64, 'a') + "\" }") == "");
    CHECK_THAT(problems("{ cache_from: [a, \"type=registry,ref=x/y\"] }"),
               ContainsSubstring(":2:30: error: 'type=registry,ref=x/y' is not an image to take layers from"));
    CHECK_THAT(problems("{ cache_from: Bad Name }"), ContainsSubstring("only names of images: registry/name:tag"));
    for (const char* good : {"linux/arm64", "[linux/amd64]", "[Linux/arm/v7, arm64]"})
        CHECK(problems("{ platforms: " + std::string(good) + " }").find("is not a platform") == std::string::npos);
    CHECK_THAT(problems("{ platforms: bogus }"), ContainsSubstring(":2:25: error: 'bogus' is not a platform"));
    CHECK_THAT(problems("{ platforms: [linux/amd64, linux/amd46] }"), ContainsSubstring(":2:39: error: 'linux/amd46' is not a platform"));
    CHECK_THAT(problems("{ platforms: [linux/amd46] }"), ContainsSubstring("did you mean 'linux/amd64'?"));
    CHECK_THAT(problems("{ tags: [BAD] }"), ContainsSubstring(":2:21: error: 'BAD' is not a name that an image can have"));
    CHECK_THAT(problems("{ tags: \"a@sha256:" + std::string(64, 'a') + "\" }"), ContainsSubstring("is not a name that an image can have"));
    CHECK_THAT(problems("., push: { tags: \"a b\" }"), ContainsSubstring("'a b' is not a name that an image can have"));
}

TEST_CASE("artifacts are files of the workspace", "[pipeline][native]")
{
    const auto problems = [](const std::string& artifacts) { return problems_of("steps: [a]\nimage: a\nartifacts: " + artifacts + "\n"); };
    CHECK(problems("{ paths: [bin/, /workspace/x, ., \"${{ env.X }}\"], exclude: [\"**/*.tmp\", /workspace/y] }") == "");

    CHECK_THAT(problems("{ paths: [/abs, a/../../x] }"), ContainsSubstring(":3:22: error: '/abs' is not in the workspace"));
    CHECK_THAT(problems("{ paths: [/abs, a/../../x] }"), ContainsSubstring(":3:28: error: 'a/../../x' leads out of the workspace"));
    CHECK_THAT(problems("[../x]"), ContainsSubstring("paths are relative to the workspace"));
    CHECK_THAT(problems("{ paths: a, exclude: ../x }"), ContainsSubstring(":3:33: error: '../x' leads out of the workspace"));
    CHECK_THAT(problems("[" + std::string(2000, 'a') + "]"), ContainsSubstring("longer than 1024 bytes"));
}

TEST_CASE("a network's subnets are in CIDR form", "[pipeline][native]")
{
    const auto problems = [](const std::string& config) {
        return problems_of("steps: [a]\nimage: a\nnetworks: { n: { ipam: { config: [{ " + config + " }] } } }\n");
    };
    CHECK(problems("subnet: 10.1.2.3/24, gateway: 10.1.2.1, ip_range: 10.1.2.128/25") == "");
    CHECK(problems("subnet: \"fd00::/64\", gateway: \"fd00::1\"") == "");
    CHECK_THAT(problems("subnet: 10.1.2.3/99"), ContainsSubstring(":3:45: error: '10.1.2.3/99' is not a subnet"));
    for (const char* wrong : {"10.1.2.3", "10.1.2/24", "10.1.2.0/", "\"fd00::/129\"", "10.1.2.0/+8", "x"})
        CHECK_THAT(problems("subnet: " + std::string(wrong)), ContainsSubstring("write address/bits, such as 10.8.0.0/24"));
    CHECK_THAT(problems("ip_range: 10.1"), ContainsSubstring("'10.1' is not a subnet"));
    CHECK_THAT(problems("gateway: 10.1.2.0/24"), ContainsSubstring("'10.1.2.0/24' is not an address"));
}

TEST_CASE("what has another place is told it", "[pipeline][native]")
{
    const std::string hint = "it belongs to one container: say it in a step or a service\n";
    for (const auto* key : {"hostname: x", "ports: [80]", "healthcheck: { test: [CMD, x] }", "links: [db]"}) {
        CAPTURE(key);
        CHECK_THAT(problems_of("steps: [a]\nimage: a\n" + std::string(key)), ContainsSubstring(hint));
        CHECK_THAT(problems_of("stages:\n- name: a\n  steps: [a]\n  " + std::string(key)), ContainsSubstring(hint));
        CHECK_THAT(problems_of("steps: [a]\ndefaults:\n  " + std::string(key)), ContainsSubstring(hint));
    }
    CHECK_THAT(problems_of("steps: [a]\nbranches: [main]"), ContainsSubstring("write on: { push: { branches: [main] } }"));
    CHECK_THAT(problems_of("stages:\n- { name: a, steps: [a], depends_on: [b] }"), ContainsSubstring("write 'needs', with names of stages"));
}

TEST_CASE("the network of each stage is not declared", "[pipeline][native]")
{
    const auto problems = problems_of("steps: [a]\nimage: a\nnetworks:\n  back: {}\n  default: { internal: true, driver: macvlan }\n");
    CHECK_THAT(problems, ContainsSubstring(":5:14: error: 'internal' of the network 'default' is not supported"));
    CHECK_THAT(problems, ContainsSubstring("it is the stage's own; declare another network"));
    CHECK_THAT(problems, ContainsSubstring(":5:30: error: 'driver' of the network 'default'"));
    const auto said_nothing = parse_text("steps: [a]\nimage: a\nnetworks: { back: {}, default: }\n");
    CHECK(problems_of(said_nothing) == "");
    CHECK(said_nothing.definition.networks.size() == 1);
}

TEST_CASE("ready says one thing, and one that can be", "[pipeline][native]")
{
    const auto problems = [](const std::string& ready) {
        return problems_of("steps: [a]\nimage: a\nservices:\n  db:\n    image: a\n    ready: " + ready + "\n");
    };
    for (const char* good : {"{ tcp: 5432 }", "{ http: \":8080/health\" }", "{ http: 8080 }", "{ http: /up }", "{ http: \"http://localhost:81/a?b\" }",
                             "{ log: \"ready to (accept|serve)\" }"})
        CHECK(problems(good) == "");
    CHECK_THAT(problems("{ tcp: 1, log: x }"), ContainsSubstring(":6:22: error: 'tcp' and 'log' cannot stand together in ready"));
    CHECK_THAT(problems("{ http: \":80/\", tcp: 1 }"), ContainsSubstring("'http' and 'tcp' cannot stand together"));
    CHECK_THAT(problems("{ http: nope }"), ContainsSubstring(":6:20: error: 'nope' is not a port and a path"));
    CHECK_THAT(problems("{ http: nope }"), ContainsSubstring("write http: \":8080/health\""));
    CHECK_THAT(problems("{ http: \":80/a b\" }"), ContainsSubstring("'/a b' is not a path of a URL"));
    CHECK_THAT(problems("{ log: \"([\" }"), ContainsSubstring(":6:19: error: '([' is no regular expression: missing ]"));
}

TEST_CASE("a word that may be absent is not offered as one without letters", "[pipeline][native]")
{
    const auto problems = problems_of("steps: [a]\nimage: a\nservices: { db: { image: a, probe: sometimes } }");
    CHECK_THAT(problems, ContainsSubstring("error: 'sometimes' is not a way to probe"));
    CHECK_THAT(problems, ContainsSubstring("write declared, or leave it out"));
}

TEST_CASE("volumes are told apart by how they look", "[pipeline][native]")
{
    const auto volumes =
        step_of(
            "steps: [{ image: a, volumes: [/x, \"v:/x\", \"./h:/x:ro\", \"/h:/x:nocopy,ro\", \"~/h:/x\", \"c-${{ a ? b : c }}:/x\", "
            "\"c-${{ format('}}:') }}:/x\"] }]")
            .container.volumes;

    using Type = VolumeMount::Type;
    REQUIRE(volumes.size() == 7);
    CHECK(volumes[0].source.empty());
    CHECK(volumes[1].type == Type::volume);
    CHECK(volumes[2].type == Type::bind);
    CHECK(volumes[2].read_only);
    CHECK(volumes[3].nocopy);
    CHECK(volumes[4].type == Type::bind);
    CHECK(volumes[5].source.source() == "c-${{ a ? b : c }}");
    CHECK(volumes[5].target == Text("/x"));
    CHECK(volumes[6].source.source() == "c-${{ format('}}:') }}");
    CHECK(volumes[6].target == Text("/x"));
}

TEST_CASE("the short resources and Compose's words fill the same limits, and remember where", "[pipeline][native]")
{
    const auto step = step_of("steps:\n- image: a\n  resources:\n    memory: 1g\n    cpus: 2\n  pids_limit: 5\n  env: { A: 1 }\n");

    CHECK(step.container.memory_bytes == 1024u * 1024 * 1024);
    CHECK(step.container.cpus == 2.0);
    CHECK(step.container.pids_limit == 5);
    CHECK(step.container.marks.at("mem_limit").line == 4);
    CHECK(step.container.marks.at("cpus").line == 5);
    CHECK(step.container.marks.at("pids_limit").column == 3);
    CHECK(step.container.marks.at("environment").line == 7);
    CHECK(step.container.marks.count("resources") == 0);
}

TEST_CASE("retry is a number or says when", "[pipeline][native]")
{
    CHECK(step_of("steps: [{ run: a, retry: 3 }]").retry->max == 3);
    const auto retry = *step_of("steps: [{ run: a, retry: { max: 2, when: [infra, exit_codes: [75, 76]], backoff: 5s } }]").retry;
    CHECK(retry.when == Strings{"infra"});
    CHECK(retry.exit_codes == std::vector<int>{75, 76});
    CHECK(retry.backoff == 5s);
}

TEST_CASE("settings of a plugin are texts: lists joined, maps as JSON", "[pipeline][native]")
{
    const auto step = step_of("steps: [{ image: p, settings: { a: x, b: [1, y], c: { d: [1, true, 01, \"2\"], e: null }, f: 1.50 } }]");

    std::string all;
    for (const auto& [name, value] : step.settings)
        all += name + "=" + value.source() + " ";
    CHECK(all == R"(a=x b=1,y c={"d":[1,true,"01","2"],"e":null} f=1.50 )");
}

TEST_CASE("conditions are one expression, with or without braces", "[pipeline][native]")
{
    const auto with = step_of("steps: [{ run: a, if: \"${{ branch == 'main' }}\" }]").condition;
    const auto without = step_of("steps: [{ run: a, if: branch == 'main' }]").condition;

    REQUIRE(with);
    CHECK(with == without);
    CHECK(with->parts().at(0).is_expression);
    CHECK(with->parts().at(0).text == "branch == 'main'");
    CHECK(step_of("steps: [{ run: a, if: false }]").condition->parts().at(0).text == "false");
}

TEST_CASE("expressions know where they stand, whatever surrounds them", "[pipeline][native]")
{
    const auto marks = [](const std::string& text) {
        std::string found;
        const auto step = step_of(text);
        for (const auto& part : step.run->parts())
            if (part.is_expression)
                found += std::to_string(part.mark.line) + ":" + std::to_string(part.mark.column) + " ";
        return found;
    };
    CHECK(marks("steps: [\"é ${{ a }} ${{b}}\"]") == "1:17 1:25 ");
    CHECK(marks("steps:\n  - run: |\n\n      one ${{ a }}\n        two ${{ b }} ${{ c }}\n") == "4:15 5:17 5:26 ");
    CHECK(marks("steps:\n  - run: >-\n      one\n      ${{ a }}\n\n      ${{ b }}\n") == "4:11 6:11 ");
    CHECK(marks("steps:\n  - run: \"one\n      ${{ a }} \\\n      ${{ b }}\"\n") == "3:11 4:11 ");
    CHECK(marks("steps:\n  - &x make ${{ a }}\n") == "2:17 ");
}

TEST_CASE("anchors, aliases and merge keys work, and own keys win", "[pipeline][native]")
{
    const auto parsed = parse_text("x-a: &a { image: base, env: { A: 1 } }\n"
                                   "x-b: &b { user: 7, image: other }\n"
                                   "steps:\n"
                                   "  - { <<: [*a, *b], run: x }\n"
                                   "  - { <<: *a, image: mine, run: y, env: { <<: { B: 2, A: 0 }, A: 3 } }\n"
                                   "  - &step { run: z }\n"
                                   "  - *step\n");

    REQUIRE(problems_of(parsed) == "");
    const auto& steps = parsed.definition.stages[0].steps;
    REQUIRE(steps.size() == 4);
    const auto& first = steps[0].steps[0].container;
    CHECK(first.image == Text("base"));
    CHECK(first.user == Text("7"));
    const auto& second = steps[1].steps[0].container;
    CHECK(second.image == Text("mine"));
    CHECK(second.environment == EnvMap{{"B", "2"}, {"A", "3"}});
    CHECK(steps[2].steps[0] == steps[3].steps[0]);
}

TEST_CASE("a problem in an aliased node is said once", "[pipeline][native]")
{
    CHECK(places_of("x-a: &a { run: x, zz: 1 }\nsteps: [*a, *a, *a]\n") == ".gantry.yml:1:19 unknown-key steps[0].zz");
}

TEST_CASE("problems carry the dotted path to them", "[pipeline][native]")
{
    CHECK(places_of("stages:\n- name: a\n  steps:\n  - run: x\n  - parallel:\n    - { run: y, retry: { when: [no] } }\n") ==
          ".gantry.yml:6:24 missing-key stages[0].steps[1].parallel[0].retry\n"
          ".gantry.yml:6:33 bad-value stages[0].steps[1].parallel[0].retry.when[0]");
}

TEST_CASE("all problems of a file come at once, in order", "[pipeline][native]")
{
    CHECK(places_of("timout: 1s\nsteps:\n- run: [a]\n  timeout: soon\nzz: 1\n") ==
          ".gantry.yml:1:1 unknown-key timout\n"
          ".gantry.yml:3:8 wrong-type steps[0].run\n"
          ".gantry.yml:4:12 bad-value steps[0].timeout\n"
          ".gantry.yml:5:1 unknown-key zz");
}

TEST_CASE("what is right is understood beside what is wrong", "[pipeline][native]")
{
    const auto parsed = parse_text("name: shop\ntimeout: soon\nsteps:\n- run: a\n- { run: b, zz: 1 }\n");

    CHECK_FALSE(parsed.ok());
    CHECK(parsed.definition.name == "shop");
    REQUIRE(parsed.definition.stages.size() == 1);
    CHECK(parsed.definition.stages[0].steps.size() == 2);
}

TEST_CASE("included files come first, the including one wins", "[pipeline][native]")
{
    const auto parsed = parse_files(
        {{".gantry.yml",
          "include: [a.yml, ci/b.yml]\nenv: { X: 3 }\nstages:\n- { name: two, image: mine }\n- { name: three, steps: [c] }\n"},
         {"a.yml", "env: { X: 1, Y: 1 }\ntimeout: 1m\nstages: [{ name: one, steps: [a] }]\n"},
         {"ci/b.yml", "env: { X: 2, Z: 2 }\ntimeout: 2m\nstages: [{ name: two, image: theirs, steps: [b] }]\n"}});

    REQUIRE(problems_of(parsed) == "");
    const auto& definition = parsed.definition;
    CHECK(definition.env == EnvMap{{"X", "3"}, {"Y", "1"}, {"Z", "2"}});
    CHECK(definition.timeout == Duration(2min));
    REQUIRE(definition.stages.size() == 3);
    CHECK(definition.stages[0].name == "one");
    CHECK(definition.stages[1].container.image == Text("mine"));
    CHECK(definition.stages[1].steps.size() == 1);
    CHECK(parsed.sources.size() == 3);
}

TEST_CASE("a key that has two names is one where files are merged", "[pipeline][native]")
{
    const auto merged = [](const std::string& base, const std::string& here) {
        return parse_files({{".gantry.yml", "include: base.yml\n" + here}, {"base.yml", base}});
    };
    const auto parsed = merged("env: { T: 1, U: 1 }\ndefaults: { env: { D: 1 }, mem_limit: 1g }\n"
                               "stages:\n- name: a\n  env: { A: 1, B: 1 }\n  resources: { memory: 1g, pids: 5 }\n"
                               "  services: { db: { image: x, env: { S: 1 } } }\n  steps: [x]\n",
                               "environment: { T: 2 }\ndefaults: { environment: { D: 2 }, resources: { memory: 2g } }\n"
                               "stages:\n- name: a\n  environment: { B: 2 }\n  mem_limit: 2g\n"
                               "  services: { db: { environment: { S: 2 } } }\n");
    REQUIRE(problems_of(parsed) == "");
    const auto& definition = parsed.definition;
    CHECK(definition.env == EnvMap{{"T", "2"}, {"U", "1"}});
    CHECK(definition.defaults.container.environment == EnvMap{{"D", "2"}});
    CHECK(definition.defaults.container.memory_bytes == 2u << 30);
    const auto& stage = definition.stages.at(0);
    CHECK(stage.container.environment == EnvMap{{"A", "1"}, {"B", "2"}});
    CHECK(stage.container.memory_bytes == 2u << 30);
    CHECK(stage.container.pids_limit == 5);
    CHECK(stage.services.at(0).container.environment == EnvMap{{"S", "2"}});

    const auto network = merged("networks: { back: {} }\ndefaults: { networks: [back] }\n"
                                "stages: [{ name: a, network_mode: none, steps: [x] }, { name: b, networks: [back], steps: [x] }]\n",
                                "defaults: { network_mode: none }\nstages: [{ name: a, networks: [back] }, { name: b, network_mode: host }]\n");
    REQUIRE(problems_of(network) == "");
    CHECK(network.definition.defaults.container.network_mode == "none");
    CHECK(network.definition.defaults.container.networks.empty());
    CHECK_FALSE(network.definition.stages.at(0).container.network_mode);
    CHECK(network.definition.stages.at(1).container.networks.empty());
    CHECK(network.definition.networks.size() == 1);

    // As names of variables they are two.
    CHECK(merged("env: { env: 1 }\n", "env: { environment: 2 }\nsteps: [x]\n").definition.env == EnvMap{{"env", "1"}, {"environment", "2"}});
    CHECK_THAT(problems_of(merged("env: { A: 1 }\n", "env: { A: 2 }\nenvironment: { A: 3 }\nsteps: [x]\n")),
               ContainsSubstring(".gantry.yml:3:1: error: 'env' and 'environment' cannot stand together"));
}

TEST_CASE("a problem in an included file points into that file", "[pipeline][native]")
{
    const auto parsed = parse_files({{".gantry.yml", "include: ci/a.yml\nsteps: [x]\n"}, {"ci/a.yml", "\nenv:\n  A: [1]\n"}});

    CHECK(places_of(parsed) == "ci/a.yml:3:6 wrong-type env.A");
    CHECK_THAT(problems_of(parsed), ContainsSubstring("   3 │   A: [1]\n"));
}

TEST_CASE("includes that leave, loop or are not there are refused where they stand", "[pipeline][native]")
{
    const auto message = [](const std::string& path, Files files = {}) {
        files[".gantry.yml"] = "steps: [x]\ninclude: [" + path + "]\n";
        const auto text = problems_of(parse_files(files));
        return text.substr(0, text.find('\n'));
    };
    CHECK(message("../a.yml") == ".gantry.yml:2:11: error: '../a.yml' is outside of the repository");
    CHECK(message("ci/../../a.yml") == ".gantry.yml:2:11: error: 'ci/../../a.yml' is outside of the repository");
    CHECK(message("/etc/passwd") == ".gantry.yml:2:11: error: '/etc/passwd' is outside of the repository");
    CHECK(message("no.yml") == ".gantry.yml:2:11: error: there is no file 'no.yml'");
    CHECK(message("./.gantry.yml") == ".gantry.yml:2:11: error: '.gantry.yml' includes itself");
    CHECK(message("a.yml", {{"a.yml", "include: b.yml\n"}, {"b.yml", "include: ci/../a.yml\n"}}) == "b.yml:1:10: error: 'a.yml' includes itself");
}

TEST_CASE("a file that cannot be read is a problem, not an exception", "[pipeline][native]")
{
    CHECK(problems_of(parse_files({})) == ".gantry.yml: error: there is no file '.gantry.yml'\n1 problem in 1 file\n");
    const auto refuse = [](const std::string& path) -> std::optional<std::string> {
        if (path == "a.yml")
            throw gantry::Error(gantry::Errc::bad_input, "it is a link out of the repository");
        return "include: a.yml\nsteps: [x]\n";
    };
    CHECK_THAT(problems_of(parse_native("p.yml", refuse)), ContainsSubstring("p.yml:1:10: error: cannot read 'a.yml': it is a link out of the repository"));
}

TEST_CASE("triggers have a word, a list and a map", "[pipeline][native]")
{
    const auto on = [](const std::string& text) {
        const auto parsed = parse_text("on: " + text + "\nsteps: [a]\n");
        CHECK(problems_of(parsed) == "");
        return parsed.definition.on;
    };
    CHECK_FALSE(parse_text("steps: [a]").definition.on.declared);
    CHECK(on("push").push);
    CHECK_FALSE(on("push").manual);
    CHECK(on("[push, manual]").manual);
    CHECK(on("{ push: , manual: }").push);
    CHECK(on("{ schedule: \"0 3 * * *\" }").schedule.at(0).cron == "0 3 * * *");
    CHECK(on("{ push: { branches: main } }").push->branches == Strings{"main"});
    CHECK(on("{ manual: { inputs: { n: { type: number, default: 3 }, s: } } }").inputs.size() == 2);
}

TEST_CASE("a condition without braces must stay one expression when braces are put around it", "[pipeline][native]")
{
    const auto with = [](const std::string& condition) { return parse_text("image: x\nsteps: [{ run: x, if: \"" + condition + "\" }]\n"); };
    CHECK(places_of(with("branch != }} 'a'")) == ".gantry.yml:2:23 expression steps[0].if");
    CHECK(places_of(with("branch == 'a")) == ".gantry.yml:2:23 expression steps[0].if");
    const auto quoted = with("branch != '}}'");
    REQUIRE(quoted.ok());
    CHECK(parse_text(print_native(quoted.definition)).definition == quoted.definition);
}

TEST_CASE("a list of nothing takes the stage's list away, and prints back", "[pipeline]")
{
    const auto parsed = parse_text("image: x\ncap_drop: [ALL]\nsteps: [{ run: a, cap_drop: [] }, b]\n");
    REQUIRE(problems_of(parsed) == "");
    const auto dropped_by = [](const Definition& definition, std::size_t step) {
        auto container = definition.stages[0].container;
        overlay(container, definition.stages[0].steps[step].steps[0].container);
        return container.cap_drop;
    };
    for (const auto& definition : {parsed.definition, parse_text(print_native(parsed.definition)).definition}) {
        CHECK(dropped_by(definition, 0).empty());
        CHECK(dropped_by(definition, 1) == std::vector<std::string>{"ALL"});
    }
}
