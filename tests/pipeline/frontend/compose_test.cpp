#include "pipeline/checks.hpp"
#include "pipeline/frontend/compose_service.hpp"
#include "pipeline/native_support.hpp"
#include "pipeline/plan.hpp"

#include "support/catch.hpp"

#include <algorithm>

using namespace gantry::pipeline;

namespace {

// "services:\n" and below, as our own format prints it.
std::string services_of(const Parsed& parsed)
{
    if (!parsed.ok())
        return problems_of(parsed);
    const auto printed = print_native(parsed.definition);
    const auto start = printed.find("    services:\n");
    const auto end = printed.find("    steps:", start);
    return start == std::string::npos ? "" : printed.substr(start, end - start);
}

// What the one service "s" has, without indentation in front; of a file that has only that.
std::string lines_of(const std::string& keys, Files files = {})
{
    const auto text = services_of(parse_compose(
        "services: { s: { image: i, " + keys + " } }\nvolumes: { v: }\nnetworks: { net: }\n", std::move(files)));
    const std::string head = "    services:\n      s:\n        image: i\n";
    if (text.rfind(head, 0) != 0)
        return text;
    std::string lines;
    for (std::size_t at = head.size(); at < text.size();) {
        const auto end = text.find('\n', at);
        lines += (lines.empty() ? "" : "\n") + text.substr(at + 8, end - at - 8);
        at = end + 1;
    }
    return lines;
}

std::vector<std::string> names_of(const Parsed& parsed)
{
    std::vector<std::string> names;
    for (const auto& service : parsed.definition.stages.at(0).services)
        names.push_back(service.name);
    return names;
}

using Names = std::vector<std::string>;

std::string messages_of(const Parsed& parsed)
{
    std::string text;
    for (const auto& problem : parsed.diagnostics)
        text += (text.empty() ? "" : "\n") + problem.message;
    return text;
}

} // namespace

TEST_CASE("keys of a Compose service in our own words", "[pipeline][compose]")
{
    const std::pair<const char*, const char*> cases[] = {
        {"restart: always", ""},
        {"restart: on-failure:3", ""},
        {"expose: [80], attach: false, develop: { watch: [] }", ""},
        {"x-any: [thing]", ""},
        {"command: ", ""},
        {"command: \"\"", "command: []"},
        {"entrypoint: []", "entrypoint: []"},
        {"command: echo 'a b' \"$$HOME\"", "command: [echo, a b, $HOME]"},
        {"platform: \"$NONE\"", ""},
        {"init: \"true\", privileged: no", "init: true\nprivileged: false"},
        {"pids_limit: \"5\"", "pids_limit: 5"},
        {"user: 1000", "user: \"1000\""},
        {"container_name: my-s", "networks:\n  default:\n    aliases: [my-s]"},
        {"container_name: s", ""},
        {"networks: [net]", "networks:\n  net: {}\n  default: {}"},
        {"networks: { net: { aliases: [a], priority: 1 } }, container_name: b",
         "networks:\n  net:\n    aliases: [a, b]\n  default:\n    aliases: [b]"},
        {"network_mode: bridge", ""},
        {"network_mode: none", "network_mode: none"},
        {"scale: \"1\"", ""},
        {"deploy: { resources: { limits: { cpus: '0.5', memory: 1g, pids: 7 } } }",
         "cpus: 0.5\nmem_limit: 1g\npids_limit: 7"},
        {"deploy: { resources: { limits: { cpus: 0.5, memory: 1024m, pids: 7 } } }, cpus: '0.50', mem_limit: 1g, pids_limit: '7'",
         "cpus: 0.5\nmem_limit: 1g\npids_limit: 7"},
        {"cpu_quota: 25000", "cpus: 0.25"},
        {"cpu_quota: 100000, cpu_period: 50000", "cpus: 2"},
        {"volumes: [/a]", "volumes:\n  - target: /a"},
        {"volumes: [\"v:/a:ro\"]", "volumes:\n  - source: v\n    target: /a\n    read_only: true"},
        {"volumes: [\"v:/a:nocopy\"]", "volumes:\n  - source: v\n    target: /a\n    volume:\n      nocopy: true"},
        {"volumes: [\"/h:/a:cached,ro\"]", "volumes:\n  - type: bind\n    source: /h\n    target: /a\n    read_only: true"},
        {"volumes: [\"/h:/a:rshared\"]",
         "volumes:\n  - type: bind\n    source: /h\n    target: /a\n    bind:\n      propagation: rshared"},
        {"volumes: [{ type: bind, source: /h, target: /a, consistency: cached, bind: { create_host_path: true } }]",
         "volumes:\n  - type: bind\n    source: /h\n    target: /a\n    bind:\n      create_host_path: true"},
        {"volumes: [\"./d:/a:ro,Z\"]", "files:\n  - target: /a\n    source: d"},
        {"devices: [{ source: /dev/null, target: /dev/x, permissions: r }]", "devices: [/dev/null:/dev/x:r]"},
        {"ports: [{ target: 80, name: web, app_protocol: http, mode: host }]", "ports:\n  - target: \"80\""},
        {"volumes: [\".:/a\"]", "files:\n  - target: /a\n    source: ."},
        {"volumes: [{ type: bind, source: d/e, target: /a, bind: { create_host_path: true } }]",
         "files:\n  - target: /a\n    source: d/e"},
        {"volumes: [{ type: tmpfs, target: /a, tmpfs: { size: 64, mode: 0700 } }]",
         "volumes:\n  - type: tmpfs\n    target: /a\n    tmpfs:\n      size: 64b\n      mode: 448"},
        {"tmpfs: /run", "tmpfs: [/run]"},
        {"healthcheck: { test: [NONE] }", "healthcheck:\n  test: [NONE]"},
        {"healthcheck: { test: curl localhost, retries: '3' }",
         "healthcheck:\n  test: [CMD-SHELL, curl localhost]\n  retries: 3"},
        {"healthcheck: { disable: true }", "healthcheck:\n  disable: true"},
        {"environment: [A=1, B=, A=2]", "environment:\n  A: \"2\"\n  B: \"\""},
        {"environment: { A: true, B: 1.50 }", "environment:\n  A: \"true\"\n  B: \"1.50\""},
        {"labels: [a, b=c]", "labels:\n  a: \"\"\n  b: c"},
        {"extra_hosts: { a: 1.2.3.4 }", "extra_hosts: [a:1.2.3.4]"},
        {"build: ., pull_policy: build", "build: {}"},
        {"build: ./api/", "build:\n  context: api"},
        {"build: { context: \"https://example.org/x.git#main:sub\" }",
         "build:\n  context: \"https://example.org/x.git#main:sub\""},
    };
    for (const auto& [keys, expected] : cases) {
        CAPTURE(keys);
        CHECK(lines_of(keys) == expected);
    }
}

TEST_CASE("variables come from the stage, the pipeline and .env, in this order", "[pipeline][compose]")
{
    Files files{
        {".gantry.yml",
         "env: { A: pipeline, B: pipeline }\nstages: [{ name: t, image: x, env: { A: stage }, compose: ci/c.yml, steps: [x] }]\n"},
        {"ci/c.yml", "services: { s: { image: x, command: [\"$A-$B-$C-$D\"] } }\n"},
        {"ci/.env", "A=file\nB=file\nC=file-$B\nD='$C'\n"},
        {".env", "A=wrong\nB=wrong\nC=wrong\nD=wrong\n"}};
    const auto parsed = parse_files(files);
    REQUIRE(problems_of(parsed) == "");
    CHECK(parsed.definition.stages[0].services[0].container.command->at(0).literal() == "stage-pipeline-file-pipeline-$C");
}

TEST_CASE("a value with an expression is computed in the plan", "[pipeline][compose]")
{
    Files files{
        {".gantry.yml",
         "stages: [{ name: t, image: x, matrix: { pg: ['15', '16'] }, env: { PG: \"${{ matrix.pg }}\" }, compose: c.yml, steps: [x] }]\n"},
        {"c.yml", "services: { db: { image: \"postgres:${PG:-1}\", environment: [V=$PG] } }\n"}};
    const auto parsed = parse_files(files);
    REQUIRE(problems_of(parsed) == "");
    CHECK(parsed.definition.stages[0].services[0].container.image->source() == "postgres:${{ matrix.pg }}");
    const auto planned = make_plan(parsed.definition, {}, {});
    REQUIRE(planned.plan.stages.size() == 2);
    CHECK(planned.plan.stages[1].services[0].container.image->literal() == "postgres:16");
    CHECK(render_plan(planned.plan).find("with db") != std::string::npos);
}

TEST_CASE("a variable without value is empty, with one warning", "[pipeline][compose]")
{
    const auto parsed =
        parse_compose("services:\n  s:\n    image: i$NONE$NONE\n    environment: { A: \"$NONE\", GONE: }\n");
    CHECK(parsed.ok());
    CHECK(places_of(parsed) == "compose.yml:3:13 unset-variable services.s.image\n"
                               "compose.yml:4:32 unset-variable services.s.environment");
    CHECK(parsed.definition.stages[0].services[0].container.environment == EnvMap{{"A", ""}});
}

TEST_CASE("a value that anchors put into several places is interpolated once", "[pipeline][compose]")
{
    const auto parsed = parse_compose("x-l: &l { a: \"$$$$b\" }\n"
                                      "services: { s: { image: i, labels: *l, environment: *l, networks: [n] } }\n"
                                      "networks: { n: { labels: *l } }\n");
    REQUIRE(problems_of(parsed) == "");
    const auto& container = parsed.definition.stages[0].services[0].container;
    CHECK(container.labels == std::map<std::string, std::string>{{"a", "$$b"}});
    CHECK(container.environment == EnvMap{{"a", "$$b"}});
    CHECK(parsed.definition.networks[0].labels == std::map<std::string, std::string>{{"a", "$$b"}});
}

TEST_CASE("profiles leave services out, unless a service that is taken requires them", "[pipeline][compose]")
{
    const std::string compose =
        "services:\n"
        "  a: { image: i, depends_on: { b: { required: false, condition: service_started }, c: { condition: service_started } } }\n"
        "  b: { image: i, profiles: [debug] }\n"
        "  c: { image: i, profiles: [other] }\n"
        "  d: { image: i, profiles: [debug, test], links: [e] }\n"
        "  e: { image: i, profiles: [last] }\n";
    const auto taken = [&](const std::string& env) { return names_of(parse_compose(compose, {{".env", env}})); };
    CHECK(taken("") == Names{"a", "c"});
    CHECK(taken("COMPOSE_PROFILES=debug") == Names{"a", "b", "c", "d", "e"});
    CHECK(taken("COMPOSE_PROFILES=x, test") == Names{"a", "c", "d", "e"});
    CHECK(taken("COMPOSE_PROFILES='*'") == Names{"a", "b", "c", "d", "e"});
    const auto parsed = parse_compose(compose);
    CHECK(parsed.definition.stages[0].services[0].container.depends_on ==
          std::vector<Dependency>{{"c", Condition::service_started, true, {}}});
}

TEST_CASE("env_file is read where the Compose file is, under environment", "[pipeline][compose]")
{
    const Files files{{"a.env", "A=file\nB=${A:-none}\nC='$A'\n# no\n"}, {"raw.env", "D=$A\n"}};
    CHECK(lines_of("env_file: a.env, environment: { A: own }", files) == "environment:\n  A: own\n  B: own\n  C: $A");
    CHECK(
        lines_of(
            "environment: { A: own }, env_file: [a.env, { path: gone.env, required: false }, { path: raw.env, format: raw }]",
            files) == "environment:\n  A: own\n  B: own\n  C: $A\n  D: $A");
}

TEST_CASE("configs and secrets are files", "[pipeline][compose]")
{
    const auto parsed = parse_compose("services:\n"
                                      "  s:\n"
                                      "    image: i\n"
                                      "    configs: [a, { source: b, target: /etc/b, mode: 0440, uid: '1', gid: 2 }]\n"
                                      "    secrets: [c, { source: d, target: name }, e]\n"
                                      "configs: { a: { file: ./conf/a }, b: { content: \"b $V\" } }\n"
                                      "secrets: { c: { environment: V }, d: { file: conf/d }, e: { file: /host/e } }\n",
                                      {{"conf/a", ""}, {"conf/d", ""}, {".env", "V=value"}});
    REQUIRE(problems_of(parsed) == "");
    const auto& service = parsed.definition.stages[0].services[0];
    CHECK(service.files == std::vector<ContainerFile>{{"/a", "conf/a", {}, {}, {}, {}, {}},
                                                      {"/etc/b", "", Text("b value"), 0440, 1, 2, {}},
                                                      {"/run/secrets/c", "", Text("value"), {}, {}, {}, {}},
                                                      {"/run/secrets/name", "conf/d", {}, {}, {}, {}, {}}});
    REQUIRE(service.container.volumes.size() == 1);
    CHECK(service.container.volumes[0].source.literal() == "/host/e");
    CHECK(service.container.volumes[0].read_only);
}

TEST_CASE("volumes and networks that are used are declared for each stage", "[pipeline][compose]")
{
    Files files{
        {".gantry.yml", "volumes: { mine: { driver: own } }\nstages:\n"
                        "  - { name: a, image: x, compose: c.yml, steps: [x] }\n"
                        "  - { name: b, image: x, compose: c.yml, steps: [x] }\n"},
        {"c.yml",
         "services: { s: { image: i, volumes: ['data:/d', 'mine:/m', 'out:/o'], networks: [n] } }\n"
         "volumes: { data: { driver: local }, mine: { driver: theirs }, out: { external: { name: theirs } }, unused: }\n"
         "networks: { n: { internal: true }, unused: { external: true } }\n"}};
    const auto parsed = parse_files(files);
    REQUIRE(problems_of(parsed) == "");
    const auto& volumes = parsed.definition.volumes;
    REQUIRE(volumes.size() == 3);
    CHECK((volumes[0].name == "mine" && volumes[0].driver == "own" && volumes[0].scope == DeclarationScope::run));
    CHECK((volumes[1].name == "data" && volumes[1].scope == DeclarationScope::stage));
    CHECK((volumes[2].name == "out" && volumes[2].external && volumes[2].external_name == "theirs"));
    REQUIRE(parsed.definition.networks.size() == 1);
    CHECK((parsed.definition.networks[0].internal && parsed.definition.networks[0].scope == DeclarationScope::stage));
    CHECK(parsed.sources.size() == 2); // the Compose file is read once
}

TEST_CASE("what a Compose file gets wrong later is told with its place in it", "[pipeline][compose]")
{
    const auto parsed = parse_compose(
        "services:\n  s:\n    image: i\n    volumes: [data:/d]\n    networks: [back]\n    depends_on: [dbb]\n  db: { image: i }\n");
    REQUIRE(problems_of(parsed) == "");
    const auto problems = render_text(check(parsed.definition), parsed.sources);
    CHECK_THAT(problems, ContainsSubstring("compose.yml:4:15: error: there is no volume 'data'"));
    CHECK_THAT(problems, ContainsSubstring("compose.yml:5:16: error: there is no network 'back'"));
    CHECK_THAT(problems, ContainsSubstring("compose.yml:6:18: error: there is no service 'dbb'"));
    CHECK_THAT(problems, ContainsSubstring("did you mean 'db'?"));
    Capabilities none;
    none.engine = "small";
    none.container_keys = {"*"};
    CHECK_THAT(render_text(check(parsed.definition, &none), parsed.sources),
               ContainsSubstring("compose.yml:2:3: error: services are not supported by the small engine yet"));
}

TEST_CASE("two services of one name are refused", "[pipeline][compose]")
{
    const auto parsed =
        parse_files({{".gantry.yml", "image: x\nservices: { db: { image: i } }\ncompose: c.yml\nsteps: [x]\n"},
                     {"c.yml", "services: { db: { image: i } }\n"}});
    CHECK(places_of(parsed) == "c.yml:1:13 duplicate-name ");
}

TEST_CASE("what is wrong with one key is said where it stands", "[pipeline][compose]")
{
    const std::pair<const char*, const char*> cases[] = {
        {"volumes: ['$NONE:/a']", "':/a' is not a volume"},
        {"volumes: ['./a:/b:ro:x']", "'./a:/b:ro:x' is not a volume"},
        {"volumes: [[a]]", "an item of this list must be a volume, not a list"},
        {"volumes: a:/b", "'volumes' must be a list, not text"},
        {"profiles: debug", "'profiles' must be a list"},
        {"network_mode: host, networks: [net]", "'network_mode' and 'networks' cannot stand together"},
        {"deploy: { resources: { limits: { memory: 1g } } }, mem_limit: 2g", "'mem_limit' says 2g, this says 1g"},
        {"deploy: { resources: { limits: { cpus: 0.5 } } }, cpus: 0.05", "'cpus' says 0.05, this says 0.5"},
        {"deploy: { resources: { limits: { cpus: 1.x } } }, cpus: 1", "'cpus' says 1, this says 1.x"},
        {"deploy: { replicas: 65 }", "65 is out of range"},
        {"scale: 2, container_name: one", "2 containers cannot have one name"},
        {"scale: 2, ports: ['80:80']", "2 containers cannot have one port of the host"},
        {"restart: on-failure-3", "'on-failure-3' is not a way to restart"},
        {"build: ../../x", "'../../x' is outside of the repository"},
        {"env_file: [{ path: a, required: false, format: json }]", "'json' is not a format of an env_file"},
        {"env_file: [{ path: a, required: false, requird: false }]", "unknown key 'requird' in an env_file"},
        {"ports: [{ target: 80, mode: x }]", "'x' is not a mode of a port"},
        {"devices: [{ source: zero }]", "'zero' is not a path of a device"},
        {"volumes: ['./a:/b:shared']", "'shared' of a path of the repository is not supported"},
        {"volumes: [{ type: bind, source: ./a, target: /b, bind: { propagation: rslave } }]",
         "'rslave' of a path of the repository is not supported"},
        {"volumes: [{ type: bind, source: ./a, target: /b, bind: { propagate: x } }]", "unknown key 'propagate' in the options of a bind"},
        {"env_file: /etc/environment", "'/etc/environment' is outside of the repository"},
        {"secrets: [x]", "'x' is not declared under 'secrets' at the top"},
        {"depends_on: { a: { condition: healthy } }", "'healthy' is not a condition"},
        {"tty: true", "'tty' of a service is not supported in a Compose file"},
        {"tty: \"false\"", ""},
        {"cgroup: private", ""},
        {"pull_policy: daily", "'daily' is not a pull policy"},
        {"healthcheck: { test: [curl] }", "a health test starts with CMD, CMD-SHELL or NONE"},
        {"external_links: [x]", "'external_links' of a service is not supported in a Compose file"},
    };
    for (const auto& [keys, expected] : cases) {
        CAPTURE(keys);
        const auto parsed =
            parse_compose("services: { s: { image: i, " + std::string(keys) + " } }\nnetworks: { net: }\n");
        std::string errors;
        for (const auto& problem : parsed.diagnostics)
            if (problem.severity == Severity::error) {
                errors += (errors.empty() ? "" : "; ") + problem.message;
                CHECK(parsed.sources[static_cast<std::size_t>(problem.mark.file)].path == "compose.yml");
                CHECK(problem.mark.line == 1);
                CHECK(problem.path.rfind("services.s", 0) == 0);
            }
        CHECK(errors == expected);
    }
}

TEST_CASE("what comes of a value that cannot be is not told, too", "[pipeline][compose]")
{
    const std::pair<const char*, const char*> cases[] = {
        {"image: '${X:?set it}'", "the variable 'X' needs a value: set it"},
        {"build: '${X:?}'", "the variable 'X' needs a value"},
        {"build: { context: '${X:?}', tags: ['${X:?}:1'] }", "the variable 'X' needs a value\nthe variable 'X' needs a value"},
        {"extends: nobody", "there is no service 'nobody' in this file"},
        {"extends: { file: gone.yml, service: base }", "there is no file 'gone.yml'"},
        {"extends: '${X:?}'", "the variable 'X' needs a value"},
        {"image: i, ports: ['${X:?}:80'], tty: '${X:?}'", "the variable 'X' needs a value\nthe variable 'X' needs a value"},
        {"image: i, volumes: ['${X:?}:/x'], hostname: b d", "the variable 'X' needs a value\n'b d' is not the name of a host"},
        {"image: i, ulimits: { nofile: '${X:?}' }", "the variable 'X' needs a value"},
        {"hostname: x", "a service needs 'image' or 'build'"},
    };
    for (const auto& [keys, expected] : cases) {
        CAPTURE(keys);
        CHECK(messages_of(parse_compose("services: { s: { " + std::string(keys) + " } }\n")) == expected);
    }
}

TEST_CASE("!reset and !override change what is merged", "[pipeline][compose]")
{
    const auto parsed = parse_files(
        {{".gantry.yml", "image: x\ncompose: [a.yml, b.yml]\nsteps: [x]\n"},
         {"a.yml",
          "services:\n  s: { image: i, ports: [80, 81], environment: { A: 1, B: 2 }, user: me }\n  t: { image: i }\n"},
         {"b.yml",
          "services:\n  s: { ports: !override [82], environment: { A: !reset null }, user: !reset null }\n  t: !reset null\n"}});
    CHECK(services_of(parsed) == "    services:\n      s:\n        image: i\n        environment:\n          B: \"2\"\n"
                                 "        ports:\n          - target: \"82\"\n");
}

TEST_CASE("circles of extends and include end", "[pipeline][compose]")
{
    CHECK(messages_of(parse_compose("services: { a: { extends: b }, b: { extends: { service: a } } }\n"))
              .find("extends itself") != std::string::npos);
    CHECK(messages_of(parse_compose("include: [compose.yml]\nservices: { a: { image: i } }\n")) ==
          "'compose.yml' includes itself");
    CHECK(messages_of(parse_compose("include: [a.yml]\n",
                                    {{"a.yml", "include: [compose.yml]\nservices: { a: { image: i } }\n"}})) ==
          "'compose.yml' includes itself");
    const auto other = parse_compose("services: { a: { extends: { file: b.yml, service: b } } }\n",
                                     {{"b.yml", "services: { b: { extends: { file: compose.yml, service: a } } }\n"}});
    CHECK(messages_of(other).find("'a' extends itself") != std::string::npos);
}

TEST_CASE("bombs meet a limit", "[pipeline][compose]")
{
    std::string extends = "services:\n  s0: { image: i }\n";
    for (int i = 1; i < 3000; ++i)
        extends += "  s" + std::to_string(i) + ": { extends: s" + std::to_string((i - 1) / 30 * 30) +
                   ", environment: { E" + std::to_string(i) + ": x } }\n";
    CHECK(parse_compose(extends).diagnostics.size() < 102);

    std::string chain = "services:\n  s0: { image: i }\n";
    for (int i = 1; i < 2000; ++i)
        chain += "  s" + std::to_string(i) + ": { extends: s" + std::to_string(i - 1) + " }\n";
    const auto chained = parse_compose(chain);
    CHECK(chained.diagnostics.size() < 102);

    std::string shared = "services:\n  base:\n    image: i\n    environment:\n";
    for (int i = 0; i < 5000; ++i)
        shared += "      V" + std::to_string(i) + ": x\n";
    for (int i = 0; i < 2000; ++i)
        shared += "  s" + std::to_string(i) + ": { extends: base }\n";
    CHECK(messages_of(parse_compose(shared)).find("make more than") != std::string::npos);

    std::string values = "services:\n  s:\n    image: i\n    environment:\n";
    for (int i = 0; i < 1000; ++i)
        values += "      V" + std::to_string(i) + ": $LONG\n";
    CHECK(messages_of(parse_compose(values, {{".env", "LONG=" + std::string(30'000, 'x')}})).find("have more than") !=
          std::string::npos);

    std::string stages = "stages:\n";
    for (int i = 0; i < 3000; ++i)
        stages += "  - { name: s" + std::to_string(i) + ", image: x, compose: compose.yml, steps: [x] }\n";
    const auto many =
        parse_compose("services: { a: { image: i } }\n" + std::string(1000, '#'), {{".gantry.yml", stages}});
    CHECK(messages_of(many).find("bytes together") != std::string::npos);
}

TEST_CASE("problems of .env and of files that cannot be read", "[pipeline][compose]")
{
    const auto broken = parse_compose("services: { s: { image: i } }\n", {{".env", "A=1\nmy password\n"}});
    CHECK(messages_of(broken) == "this line is not NAME=value");
    CHECK_THAT(places_of(broken), Catch::Matchers::StartsWith(".env:2:1 bad-value"));
    CHECK(problems_of(broken).find("password") == std::string::npos);
    const auto unknown = parse_compose("services: { s: { image: i } }\n", {{".env", "B=1\n\nA: $(date)\n"}});
    CHECK_THAT(messages_of(unknown), ContainsSubstring("'A': this '$' does not begin"));
    CHECK_THAT(places_of(unknown), Catch::Matchers::StartsWith(".env:3:1 interpolation"));
    CHECK(lines_of("hostname: \"$A-$B\"", {{".env", "A: gcc\nB : 'x'\n"}}) == "hostname: gcc-x");
    CHECK(messages_of(parse_compose("services: { s: { image: i } }\n", {{".env", "A=\xff\n"}})) ==
          "'.env' is not UTF-8");
    CHECK(messages_of(parse_compose("# nothing\n")) == "the file is empty");
    CHECK(messages_of(parse_compose("services: {}\n")) == "there are no services in this Compose file");
    CHECK(messages_of(parse_compose("[a]\n")) == "a Compose file is a map (key: value)");
    CHECK(messages_of(parse_files({{".gantry.yml", k_compose_pipeline}})) == "there is no file 'compose.yml'");
}

TEST_CASE("the .env beside an included file is not read", "[pipeline][compose]")
{
    const auto parsed = parse_compose("include: [ci/c.yml]\nservices: { a: { image: i } }\n", {{"ci/c.yml", "services: { s: { image: 'i:$A$B' } }\n"},
                                                                                                {".env", "A=root\n"},
                                                                                                {"ci/.env", "A=ci\nB=ci\n"}});
    CHECK_THAT(messages_of(parsed), ContainsSubstring("'B'"));
    CHECK_THAT(services_of(parsed), ContainsSubstring("image: i:root\n"));
}

TEST_CASE("what has no effect and may be counted on is warned of where it stands", "[pipeline][compose]")
{
    const auto parsed = parse_compose("services:\n"
                                      "  s:\n"
                                      "    build: { context: ., provenance: true, sbom: false }\n"
                                      "    mem_reservation: 1g\n"
                                      "    deploy:\n"
                                      "      placement: { constraints: [node.role == manager] }\n"
                                      "      resources: { reservations: { memory: 1g } }\n");
    CHECK(parsed.ok());
    CHECK(messages_of(parsed) == "'provenance' of build has no effect in a pipeline\n"
                                 "'mem_reservation' of a service has no effect in a pipeline\n"
                                 "'placement' of deploy has no effect in a pipeline\n"
                                 "'memory' of reservations has no effect in a pipeline");
    CHECK(places_of(parsed).find("compose.yml:4:5 no-effect") != std::string::npos);
}

TEST_CASE("a label for SELinux is warned of where a folder of the host is bound", "[pipeline][compose]")
{
    const auto warnings = [](const char* volume) {
        return messages_of(parse_compose("services: { s: { image: i, volumes: [" + std::string(volume) + "] } }\nvolumes: { v: }\n", {{"d/f", ""}}));
    };
    CHECK_THAT(warnings("'/h:/a:z'"), ContainsSubstring("the label for SELinux has no effect"));
    CHECK_THAT(warnings("{ type: bind, source: /h, target: /a, bind: { selinux: Z } }"), ContainsSubstring("the label for SELinux has no effect"));
    CHECK(warnings("'v:/a:z'") == "");
    CHECK(warnings("'./d/f:/a:z'") == "");
}

TEST_CASE("docs/compose.md tells of every key", "[pipeline][compose]")
{
    const auto text = read_text(std::filesystem::path(gantry::test::source_dir()) / "docs/compose.md").value();
    for (const auto rows :
         {native::compose_service_keys(), native::compose_deploy_keys(), native::compose_build_keys()})
        for (const auto& row : rows) {
            CAPTURE(row.name);
            const auto name = "`" + std::string(row.name) + "`";
            CHECK(text.find(name) != std::string::npos);
            const auto errors =
                text.substr(text.find("These are errors: "),
                            text.find("Where their value is the default") - text.find("These are errors: "));
            const bool of_service = rows.data() == native::compose_service_keys().data();
            if (of_service)
                CHECK((errors.find(name) != std::string::npos) == (row.fate == native::ComposeKey::Fate::refused));
        }
}
